"""Names of classes as labels of figures: literal, short enough, and all different.

A name is any text: signs that are markup elsewhere are drawn as they are.
"""

import functools
import string
import unicodedata
from typing import Any, Dict, List, NamedTuple, Sequence

from cvae.plotting.style import SETTINGS, TEXT_SIZE

ARROW = "->"  # between two names; `style` draws it as one sign
CUT = "..."  # at the end of a name that was shortened; cmr10 has no ellipsis
LEAST = 5  # letters of a name that was shortened; with fewer, its number says more
# The signs that cmr10 has at their usual places, and the font of names with others:
# Matplotlib and typst both bring it.
COMMON = frozenset(string.ascii_letters + string.digits + " !#$%&'()*+,-./:;=?@[]")
OTHER_FONT = "DejaVu Sans Mono"


class Label(NamedTuple):
    """A class in a figure: its number, and its name where there is room for it."""

    number: int
    name: str


def label(value: Any) -> Label:
    """Return `value` as a label; what is not a class has only a name."""
    return value if isinstance(value, Label) else Label(value, str(value))


def fitted(values: Sequence[Any], room: float, size: float = TEXT_SIZE) -> List[str]:
    """Return a text of at most `room` points for each label.

    These are the names, shortened where they have to be. If shortened names cannot be
    told apart, or the fonts lack a sign of a name, all are the numbers of the classes.
    """
    labels = [label(value) for value in values]
    texts = {c: _shortened(c.name, room, size) for c in labels}
    if all(texts.values()) and len(set(texts.values())) == len(texts):
        return [texts[c] for c in labels]
    return [str(c.number) for c in labels]


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float = TEXT_SIZE) -> float:
    """Return the width of `text` in points."""
    from matplotlib import font_manager

    family = look(text).get("family", SETTINGS["font.family"])
    font = font_manager.get_font(font_manager.findfont(family))
    font.set_size(size, 720.0)  # ten times as fine as points, which hinting rounds to
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 640.0


def look(text: str) -> Dict[str, Any]:
    """Return the font that `text` needs, as an argument for Matplotlib's texts."""
    return {} if COMMON.issuperset(text) else {"family": OTHER_FONT}


def is_drawable(name: str) -> bool:
    """Return whether `name` has signs, and the fonts have each one of them.

    Text from right to left and marks above letters need more than a font.
    """
    if not name.strip():
        return False
    if COMMON.issuperset(name):
        return True
    from matplotlib import font_manager

    path = font_manager.findfont(OTHER_FONT)
    glyphs = font_manager.get_font(path).get_charmap()
    return all(
        ord(sign) in glyphs
        and not unicodedata.combining(sign)
        and unicodedata.bidirectional(sign) not in ("R", "AL")
        for sign in name
    )


def literal(text: str) -> str:
    """Return `text` so that Matplotlib draws its dollars, and no mathematics."""
    return text.replace("$", r"\$")


@functools.lru_cache(maxsize=1024)
def _shortened(name, room, size):
    """Return `name` in `room` points, or "" if that leaves too little to be read."""
    if not is_drawable(name):
        return ""
    name = name.strip()
    if len(name) <= room and width(name, size) <= room:
        return name
    for n in range(min(len(name), int(room)), LEAST - 1, -1):
        text = name[:n].rstrip() + CUT
        if width(text, size) <= room:
            return text
    return ""
