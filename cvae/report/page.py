"""The report as one HTML file: typst's pages for a narrow screen, a section on each.

A typst that runs on Python 3.7 writes no HTML. Its pages are therefore drawings, in
which equations are as in the PDF. The text is beside each drawing, for those who listen
to a page or search it.
"""

import collections
import html
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from cvae.report import typst

STYLE = """
body { margin: 0; background: #eee; color: #111; font: 1rem/1.5 sans-serif; }
main, nav { max-width: 40rem; margin: 0 auto; padding: 0 0.5rem; background: #fff; }
nav { padding: 1rem; box-sizing: border-box; }
main > svg, section svg { display: block; width: 100%; height: auto; }
summary { cursor: pointer; }
nav ul { list-style: none; padding: 0; margin: 0.5rem 0 0; }
nav .sub { padding-left: 1.5rem; }
a { color: #0b5394; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
TEXT_QUERY = "<source>"  # of report.typ
# Where content has content, in the order of reading, and what is read between.
INSIDE = (
    *("text", "base", "b", "t", "num", "denom", "radicand"),
    *("children", "child", "caption", "body"),
)
BEFORE = {"b": "_", "t": "^", "denom": "/"}
AFTER = dict.fromkeys(("cell", "item", "figure", "caption", "pad", "block"), " ")
AFTER["op"] = "\u2009"
FIXED = dict.fromkeys(("space", "parbreak", "linebreak", "h", "v"), " ")
FIXED["smartquote"] = "\u2019"


class Section(NamedTuple):
    """What is on a page: its heading, and all of its text."""

    number: str  # "2.1", "" for one without
    title: str
    text: str


def page(folder: Path, title: str) -> bytes:
    """Return the page of `folder`, which holds results.json for a screen and figures/.

    Raises:
        CvaeError: typst finds an error; the message has typst's first line.
    """
    drawings = typst.pages(folder)
    sections = list(_sections(typst.query(folder, TEXT_QUERY)))
    glyphs, drawings = _share_glyphs(drawings)
    links = [_link(n, section) for n, section in enumerate(sections) if n]
    parts = [_section(n, *pair) for n, pair in enumerate(zip(sections, drawings))]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<svg width="0" height="0" style="position:absolute" aria-hidden="true">{glyphs}</svg>
<main>
<h1 class="spoken">{html.escape(title)}</h1>
{parts[0]}
<nav aria-label="Contents"><details open><summary>Contents</summary><ul>
{"".join(links)}</ul></details></nav>
{"".join(parts[1:])}</main>
</body>
</html>
""".encode()


def _link(n, section):
    kind = ' class="sub"' if "." in section.number else ""
    name = html.escape(f"{section.number} {section.title}".strip())
    return f'<li{kind}><a href="#s{n}">{name}</a></li>\n'


def _section(n, section, drawing):
    level = 3 if "." in section.number else 2
    name = html.escape(f"{section.number} {section.title}".strip())
    head = f'<h{level} class="spoken">{name}</h{level}>\n' if n else ""
    text = html.escape(section.text)
    return (
        f'<section id="s{n}">\n{head}<p class="spoken">{text}</p>\n{drawing}\n'
        "</section>\n"
    )


# Text -----------------------------------------------------------------------------


def _sections(content: Any) -> Iterator[Section]:
    """Yield the sections of typst's `content`; the first one has no heading."""
    names, number, title = _Names(content), "", ""
    words: List[str] = []
    for part in _parts(content):
        if part.get("func") == "heading":
            yield Section(number, title, _joined(words))
            number, title = names.number[id(part)], _joined(_texts(part["body"], names))
            words = []
        else:
            words.extend(_texts(part, names))
    yield Section(number, title, _joined(words))


def _parts(content: Any) -> Iterator[Dict[str, Any]]:
    """Yield the elements of `content` that are no sequences of others."""
    inner = content.get("children", content.get("child"))
    if content.get("func") not in ("sequence", "styled"):
        yield content
        return
    for part in inner if isinstance(inner, list) else [inner]:
        yield from _parts(part)


class _Names:
    """The numbers of headings, by the heading's id, and the names of labels."""

    def __init__(self, content):
        self.number, self.of_label = {}, {}
        self._counts = collections.Counter()
        self._walk(content)

    def _walk(self, content):
        if isinstance(content, list):
            for part in content:
                self._walk(part)
        elif isinstance(content, dict):
            name = self._name(content)
            if "label" in content:
                self.of_label[content["label"]] = name
            for part in content.values():
                self._walk(part)

    def _name(self, content):
        kind = content.get("func")
        if kind == "heading":
            self.number[id(content)] = number = self._number(content)
            return f"Section {number}"
        if kind == "equation" and content.get("block"):
            return f"Eq. ({self._next('Eq.')})"
        if kind == "figure":
            kinds = {"table": "Table", "image": "Figure", "grid": "Figure"}
            word = content.get("kind") or kinds.get(_main(content["body"]), "Figure")
            return f"{word.capitalize()} {self._next(word)}"
        return ""

    def _number(self, heading):
        if heading.get("numbering", "1") is None:
            return ""
        if heading["depth"] == 1:
            self._counts[2] = 0
            return str(self._next(1))
        return f"{self._counts[1]}.{self._next(2)}"

    def _next(self, kind):
        self._counts[kind] += 1
        return self._counts[kind]


def _main(content):
    """Return the kind of the first element in `content` that is more than text."""
    kinds = [part["func"] for part in _parts(content) if "func" in part]
    return next((k for k in kinds if k not in ("space", "text", "parbreak")), "")


def _texts(content: Any, names: _Names) -> Iterator[str]:
    """Yield the texts in `content`, in the order of reading."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part, names)
    elif isinstance(content, dict):
        kind = content.get("func")
        if kind in FIXED:
            yield FIXED[kind]
        elif kind == "ref":
            yield names.of_label.get(content["target"], "")
        elif kind == "figure" and "label" in content:
            yield f" {names.of_label[content['label']]}. "
        for name in INSIDE if kind != "metadata" else ():
            if name in content:
                yield BEFORE.get(name, "")
                yield from _texts(content[name], names)
        yield AFTER.get(str(kind), "")


def _joined(words):
    return " ".join("".join(words).split())


# Drawings -------------------------------------------------------------------------


def _share_glyphs(drawings: Sequence[str]) -> Tuple[str, List[str]]:
    """Return the glyphs of all drawings, each of them once, and the drawings.

    What has no effect is left out: spaces, black as a colour, digits of small parts of
    a point.
    """
    symbols: List[str] = []
    names: Dict[str, str] = {}

    def named(match):
        key = match.group(1)
        if key not in names:
            names[key] = f"g{len(names)}"
            symbols.append(match.group(0).replace(key, names[key]))
        return ""

    found = []
    for drawing in drawings:
        drawing = re.sub(r">\s+<", "><", drawing.strip())
        drawing = re.sub(r'<symbol id="([^"]+)".*?</symbol>', named, drawing)
        drawing = drawing.replace('<defs id="glyph"></defs>', "")
        drawing = drawing.replace(' fill="#000000" fill-rule="nonzero"', "")
        drawing = drawing.replace("xlink:href", "href")
        drawing = re.sub(
            r'href="#([^"]+)"', lambda m: f'href="#{names[m.group(1)]}"', drawing
        )
        drawing = re.sub(
            r'^<svg class="typst-doc" (viewBox="[^"]+")[^>]*>', _open, drawing
        )
        found.append(_rounded(drawing))
    return _rounded("".join(symbols)), found


def _open(match):
    return f'<svg {match.group(1)} aria-hidden="true">'


def _rounded(drawing):
    """Return a drawing whose numbers have at most two decimals."""
    return re.sub(
        r"(?<![\w/+])(-?\d+\.\d{3,})(?![\w/+=])",
        lambda match: f"{round(float(match.group(1)), 2) + 0.0:g}",
        drawing,
    )
