"""Options that scripts share: the run, the data, and one option for each setting."""

import argparse
import dataclasses
import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from cvae.backend.workers import BACKENDS, CLUSTERS, MAX_JOBS, Workers
from cvae.config import PRESETS, Config, preset
from cvae.errors import CvaeError, shown, suggest

MAX_NUMBERS = 1000  # of a list on the command line


def add_run(parser: argparse.ArgumentParser, left_out: str = "the newest one") -> None:
    """Add --run, the directory of a run; `left_out` is its default, for the help."""
    parser.add_argument(
        "--run",
        type=path,
        metavar="DIR",
        help=f"directory of the run; left out, {left_out}",
    )


def add_mnist_dir(parser: argparse.ArgumentParser) -> None:
    """Add --mnist-dir, the directory of MNIST."""
    parser.add_argument(
        "--mnist-dir",
        type=path,
        metavar="DIR",
        help="directory of the four MNIST files, gzip or plain; left out, $MNIST_DIR, "
        "or else data/mnist of the checkout or the user's cache directory, where "
        "missing files are downloaded to",
    )


def add_data(parser: argparse.ArgumentParser, others: str = "") -> None:
    """Add --dataset, where the data of a run are now, and --mnist-dir."""
    parser.add_argument(
        "--dataset",
        metavar="DATA",
        help="name or path of the run's data, if they have been moved; left out, where "
        f"they were{others}",
    )
    add_mnist_dir(parser)


def add_side(parser: argparse.ArgumentParser) -> None:
    """Add --side, the size of the images that are read from folders."""
    parser.add_argument(
        "--side",
        type=whole(1, 1000),
        metavar="N",
        help="pixels on a side that images in folders are scaled to; left out, they "
        "keep their size",
    )


def add_output_dir(parser: argparse.ArgumentParser) -> None:
    """Add --output, the directory of the report."""
    parser.add_argument(
        "--output",
        type=path,
        metavar="DIR",
        help="directory for the report, its figures and results.json; left out, the "
        "directory of the run",
    )


def add_workers(
    parser: argparse.ArgumentParser,
    backends: Sequence[str] = BACKENDS,
    jobs: str = "as many as cores",
) -> None:
    """Add --backend, --jobs and --address, which `workers` reads.

    Args:
        backends: the choices, the default first.
        jobs: the default of --jobs, for the help.
    """
    parser.add_argument(
        "--backend",
        type=choice(backends),
        default=backends[0],
        metavar="NAME",
        help=f"what the work is spread over, {' or '.join(backends)}: processes are "
        "loky's, and the workers of a cluster Dask's or Ray's",
    )
    parser.add_argument(
        "--jobs",
        type=whole(1, MAX_JOBS),
        metavar="N",
        help=f"how much of it runs at a time on this machine; left out, {jobs}",
    )
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help=f"of the scheduler of a running cluster ({', '.join(CLUSTERS)}); left "
        "out, a cluster on this machine",
    )


def workers(arguments: argparse.Namespace) -> Workers:
    """Return the workers that the command line asks for.

    Raises:
        CvaeError: its options do not fit each other.
    """
    found = Workers(arguments.backend, arguments.jobs, arguments.address)
    found.check()
    return found


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add --preset and one option for each field of `Config` but those of the data."""
    parser.add_argument(
        "--preset",
        type=choice(PRESETS),
        metavar="NAME",
        help=f"settings to start from: {' or '.join(PRESETS)}; left out, default",
    )
    add_fields(parser, [field.name for field in _fields()])


def add_fields(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add one option for each field of `Config` in `names`."""
    default = preset("default")
    for field in (field for field in _fields() if field.name in names):
        spellings = [spelt(field.name)]
        if field.type is bool:
            spellings.append(spelt(field.name, False))
            form: Dict[str, Any] = {"action": _YesOrNo, "nargs": 0}
        else:
            form = {"type": _parser_of(field), "metavar": _metavar(field)}
        parser.add_argument(
            *spellings,
            default=argparse.SUPPRESS,
            help=f"{field.metadata['help']} "
            f"(default preset: {_shown(getattr(default, field.name))})",
            **form,
        )


def path(text: str) -> Path:
    """Argparse type: a path in UTF-8, as TensorFlow needs it; `~` is the home."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not UTF-8")
    return Path(os.path.expanduser(text))


def picture(text: str) -> Path:
    """Argparse type: the path of an image file."""
    picture = path(text)
    if picture.suffix not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"{shown(text)} does not end in .png or .svg")
    return picture


def page(text: str) -> Path:
    """Argparse type: the path of a web page."""
    page = path(text)
    if page.suffix != ".html":
        raise argparse.ArgumentTypeError(f"{shown(text)} does not end in .html")
    return page


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return an argparse type: a whole number from `low` to `high`."""

    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{shown(text)} is not a whole number from {low} to {high}"
            )
        return value

    return parse


def int_list(text: str) -> Tuple[int, ...]:
    """Argparse type: a tuple of whole numbers, separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a list of whole numbers like 3,7"
        )


def names(text: str) -> Tuple[str, ...]:
    """Argparse type: a tuple of names, separated by commas."""
    return tuple(part.strip() for part in text.split(","))


def numbers(text: str) -> Tuple[int, ...]:
    """Argparse type: different whole numbers like 0-4 or 1,5,7, as a tuple."""
    found: List[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part, re.ASCII)
        if match:
            first, last = int(match.group(1)), int(match.group(2) or match.group(1))
            found.extend(range(first, min(last, first + MAX_NUMBERS) + 1))
        if not match or last < first or len(set(found)) != len(found):
            raise argparse.ArgumentTypeError(
                f"{shown(text)} is not a list of different numbers like 0-4 or 1,5,7"
            )
    if len(found) > MAX_NUMBERS:
        raise argparse.ArgumentTypeError(f"{shown(text)} are over {MAX_NUMBERS:,}")
    return tuple(found)


def values_of(name: str, *texts: str) -> Tuple[str, Dict[str, Any]]:
    """Return the name of a setting, and its values by their texts.

    Raises:
        CvaeError: there is no such setting, or a text is not a value of it.
    """
    fields = {field.name: field for field in _fields()}
    setting = name.replace("-", "_")
    if setting not in fields:
        raise CvaeError(f"there is no setting {shown(name)}: {suggest(name, fields)}")
    if not texts:
        raise CvaeError(f"{name} has no values: give them after its name")
    parse, values = _parser_of(fields[setting]), {}
    for text in texts:
        try:
            values[text] = parse(text)
        except argparse.ArgumentTypeError as error:
            raise CvaeError(f"{name}: {error}")
    return setting, values


def given(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Return the settings that the command line sets, name to value."""
    names = [field.name for field in _fields()]
    return {n: getattr(arguments, n) for n in names if hasattr(arguments, n)}


def spelt(name: str, value: Any = None) -> str:
    """Return the option of the setting `name` that gives it `value`."""
    return ("--no-" if value is False else "--") + name.replace("_", "-")


def settings(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Return the settings that replace the preset's, name to value.

    Setting only one limit removes the preset's other limit: --epochs without --minutes
    removes the time budget, --minutes without --epochs the number of epochs.
    """
    values = given(arguments)
    for one, other in (("epochs", "minutes"), ("minutes", "epochs")):
        if one in values and values[one] is not None:
            values.setdefault(other, None)
    return values


def choice(valid: Iterable[str]) -> Callable[[str], str]:
    """Return an argparse type: one of the names in `valid`; it suggests the nearest.

    Its attribute `valid` has the names, for the completion of shells.
    """

    def parse(text):
        if text not in valid:
            raise argparse.ArgumentTypeError(
                f"there is no {shown(text)}: {suggest(text, valid)}"
            )
        return text

    parse.valid = tuple(valid)  # type: ignore[attr-defined]  # of a function
    return parse


def _fields():
    """Return the fields of `Config` that have an option."""
    return [f for f in dataclasses.fields(Config) if f.metadata["option"]]


class _YesOrNo(argparse.Action):
    """Store True for --name and False for --no-name."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, not option_string.startswith("--no-"))


def _parser_of(field):
    if field.type is bool:
        return lambda text: choice(("yes", "no"))(text) == "yes"
    if field.metadata["choices"]:
        return choice(field.metadata["choices"])
    if field.type == Tuple[str, ...]:
        return names
    if field.type is str:
        return str
    if field.type in (int, float):
        return _number(field.type, {int: "a whole number", float: "a number"})
    return _optional_float if field.type == Optional[float] else int_list


def _number(kind, words):
    def parse(text):
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{shown(text)} is not {words[kind]}")

    return parse


def _optional_float(text):
    return None if text == "none" else _number(float, {float: "a number or none"})(text)


def _metavar(field):
    if field.metadata["choices"]:
        return "{" + ",".join(field.metadata["choices"]) + "}"
    kinds = {int: "N", float: "X", Optional[float]: "X", str: "DATA"}
    kinds[Tuple[str, ...]] = "NAME,NAME"
    return kinds.get(field.type, "N,N")


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value) or "none"
    return f"{value:g}" if isinstance(value, float) else value
