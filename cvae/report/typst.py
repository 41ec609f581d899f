"""The typesetter: typst, as a Python module or as a command."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, List

from cvae.errors import CvaeError
from cvae.storage.checkout import shipped

SOURCE = shipped("report") / "report.typ"


def check() -> None:
    """Raise `CvaeError` unless typst is installed."""
    if _module() is None and shutil.which("typst") is None:
        raise CvaeError(
            "there is no typst to typeset the report: `pip install typst==0.12.0 "
            "importlib_resources`, or put the command typst, 0.12 or newer, on PATH"
        )


def typeset(folder: Path) -> bytes:
    """Return the PDF of `folder`, which holds results.json and figures/.

    The same files give the same bytes: the PDF has no date.

    Raises:
        CvaeError: typst finds an error; the message has typst's first line.
    """
    (pdf,) = _compiled(_with_sources(folder), ".pdf")
    return _without_path(pdf)


def pages(folder: Path) -> List[str]:
    """Return the pages of `folder` as SVGs; the errors are those of `typeset`."""
    found = _compiled(_with_sources(folder), ".svg")
    return [page.decode("utf-8") for page in found]


def query(folder: Path, selector: str) -> Any:
    """Return the value of the metadata that `selector` finds, as JSON types.

    Errors are those of `typeset`.
    """
    source, typst = _with_sources(folder), _module()
    if typst is None:
        options = ["--field", "value", "--one"]
        return json.loads(_run_command("query", source, selector, *options))
    try:
        found = typst.query(str(source), selector, "value", one=True, root=str(folder))
        return json.loads(found)
    except (RuntimeError, OSError) as error:
        raise _failure(str(error))


def page_count(pdf: bytes) -> int:
    """Return the number of pages that the PDF's page tree declares."""
    return max(map(int, re.findall(rb"/Type /Pages.*?/Count (\d+)", pdf, re.DOTALL)))


def _module():
    """The module typst, or None where it is not installed."""
    try:
        import typst

        if sys.version_info < (3, 9):
            # typst uses functions of importlib.resources that this Python lacks; its
            # requirement importlib_resources has them.
            import importlib.resources

            import importlib_resources

            importlib.resources.files = importlib_resources.files
            importlib.resources.as_file = importlib_resources.as_file
    except ImportError:
        return None
    return typst


def _with_sources(folder):
    """Copy the sources into `folder`, and return the main one."""
    source = Path(folder) / SOURCE.name
    try:
        for part in {SOURCE, *SOURCE.parent.glob("*.typ")}:
            shutil.copyfile(str(part), str(source.with_name(part.name)))
    except OSError as error:
        raise CvaeError(
            f"cannot read {SOURCE}: {error.strerror or error}; run from a clone of "
            "the repository"
        )
    return source


def _compiled(source, suffix):
    """Return the PDF, or the SVG of each page."""
    typst = _module()
    if typst is None:
        name = "typeset-{0p}" if suffix == ".svg" else "typeset"
        _run_command("compile", source, str(source.with_name(name + suffix)))
        made = sorted(source.parent.glob(f"typeset*{suffix}"))
        return [path.read_bytes() for path in made]
    try:
        root = str(source.parent)
        made = typst.compile(str(source), root=root, format=suffix[1:])
    except (RuntimeError, OSError) as error:
        raise _failure(str(error))
    return made if isinstance(made, list) else [made]


def _run_command(action, source, *others):
    """Run the command typst, and return what it prints."""
    command = ["typst", action, "--root", str(source.parent), str(source), *others]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
    except OSError as error:
        raise _failure(str(error))
    if done.returncode:
        raise _failure(done.stderr)
    return done.stdout


def _without_path(pdf):
    """The PDF with the hash of its content in place of that of its path."""
    ids = re.search(rb"/ID \[\(([^)]+)\) \(([^)]+)\)\]", pdf)
    return pdf.replace(*ids.groups()) if ids else pdf


def _failure(message):
    """A `CvaeError` of typst's first error and its place, on one line."""
    error = re.search(r"^(?:error: )?(.*)", message).group(1)
    place = re.search(r"([^\s/]+\.typ):(\d+)", message)
    where = f" ({place.group(1)} line {place.group(2)})" if place else ""
    return CvaeError(f"typst cannot typeset the report: {error.strip()}{where}")
