"""Options that scripts share: the run, the data, and one option for each setting."""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any, Dict, Optional

from cvae.backend.workers import BACKENDS, CLUSTERS, MAX_JOBS, Workers
from cvae.config import PRESETS, Config, preset
from cvae.errors import shown, suggest


def add_run(parser, left_out: str = "the newest one") -> None:
    """Add --run, the directory of a run; `left_out` is its default, for the help."""
    parser.add_argument(
        "--run",
        type=path,
        metavar="DIR",
        help=f"directory of the run; left out, {left_out}",
    )


def add_mnist_dir(parser) -> None:
    """Add --mnist-dir, the directory of MNIST."""
    parser.add_argument(
        "--mnist-dir",
        type=path,
        metavar="DIR",
        help="directory of the four MNIST files, gzip or plain; left out, $MNIST_DIR, "
        "or else data/mnist, where missing files are downloaded to",
    )


def add_output_dir(parser) -> None:
    """Add --output, the directory of the report."""
    parser.add_argument(
        "--output",
        type=path,
        metavar="DIR",
        help="directory for report.pdf, its figures and results.json; left out, the "
        "directory of the run",
    )


def add_workers(parser) -> None:
    """Add --backend, --jobs and --address, which `workers` reads."""
    parser.add_argument(
        "--backend",
        type=choice(BACKENDS),
        default="threads",
        metavar="NAME",
        help="what the work is spread over: threads, processes (loky), or the workers "
        "of a cluster of Dask or Ray (dask, ray)",
    )
    parser.add_argument(
        "--jobs",
        type=whole(1, MAX_JOBS),
        metavar="N",
        help="threads or processes on this machine; left out, as many as cores",
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


def add_settings(parser) -> None:
    """Add --preset and one option for each field of `Config`."""
    parser.add_argument(
        "--preset",
        type=choice(PRESETS),
        metavar="NAME",
        help=f"settings to start from: {' or '.join(PRESETS)}; left out, default",
    )
    default = preset("default")
    for field in dataclasses.fields(Config):
        name = spelt(field.name)
        if field.type is bool:
            names = (name, spelt(field.name, False))
            form = {"action": _YesOrNo, "nargs": 0}
        else:
            names = (name,)
            form = {"type": _parser_of(field), "metavar": _metavar(field)}
        parser.add_argument(
            *names,
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


def whole(low: int, high: int):
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


def int_list(text):
    """Argparse type: a tuple of whole numbers, separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a list of whole numbers like 3,7"
        )


def given(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Return the settings that the command line sets, name to value."""
    names = [field.name for field in dataclasses.fields(Config)]
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


def choice(valid):
    """Return an argparse type: one of the names in `valid`; it suggests the nearest."""

    def parse(text):
        if text not in valid:
            raise argparse.ArgumentTypeError(
                f"there is no {shown(text)}: {suggest(text, valid)}"
            )
        return text

    return parse


class _YesOrNo(argparse.Action):
    """Store True for --name and False for --no-name."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, not option_string.startswith("--no-"))


def _parser_of(field):
    if field.metadata["choices"]:
        return choice(field.metadata["choices"])
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
    return {int: "N", float: "X", Optional[float]: "X"}.get(field.type, "N,N")


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else value
