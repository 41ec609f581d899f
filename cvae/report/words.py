"""What a report calls the data of a run, and how it prints names that others chose.

Sentences are in typst's markup, in which a name must not be read: `quoted` writes one.
"""

import re
from typing import Any, Dict, List

from cvae.data.dataset import Facts
from cvae.plotting.folding import ROWS
from cvae.plotting.labels import is_drawable
from cvae.plotting.panels import is_counted
from cvae.report.numbers import listed, whole

TITLE = "A Class-Conditional Variational Autoencoder for {}"
OF_MNIST = ("mnist", "mnist-5k")  # of digits, which are the numbers of their classes
# How those who published a data set write its name.
PUBLISHED_NAMES = {
    "mnist": "MNIST",
    "mnist-5k": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "emnist-balanced": "EMNIST Balanced",
    "emnist-letters": "EMNIST Letters",
    "emnist-digits": "EMNIST Digits",
}
IN_TEXT = 40  # letters of a name within a sentence, at most
IN_TABLE = 200  # the same in a table; results.json has the rest
UNBROKEN = {IN_TEXT: 24, IN_TABLE: 12}  # letters of a word, at most, on one line
SHORT, FEW = 40, 30  # letters of a name, and classes, of a table on one page
LISTED = 120  # letters of all names, up to which a sentence lists them

# What the sources print, of digits and of any other images.
PRINTED = {
    "images": ("digits", "images"),
    "of_chosen": ("handwritten digits of a chosen class", "images of a chosen class"),
    "shows": ("which digit an image shows", "what an image shows"),
    "such_as": (", such as slant, width and stroke", ""),
    "essential": (
        "a tilted stroke that is the style of a 1 may be an essential part of a 7",
        "what is style in one class may be essential in another",
    ),
    "of_rows": (
        "each row should show its digit in different handwritings. In (b), each column "
        "should look as if one hand had written it: in the model, $zs$ and $ys$ are "
        "independent, so that $zs$ has the same meaning, such as slant or stroke, for "
        "all digits, although the training data do not indicate which digits have the "
        "same writer.",
        "each row should show different images of its class. In (b), each column "
        "should have one style: in the model, $zs$ and $ys$ are independent, so that "
        "$zs$ has the same meaning for all classes, although the training data do not "
        "indicate which images share a style.",
    ),
    "unlikely": (
        "An unlikely digit can therefore be easy to read.",
        "An unlikely image can therefore be easy to recognize.",
    ),
    "malformed": ("the digit is malformed", "the image is malformed"),
    "pen": (
        "where a real pen makes a connected stroke",
        "where a real image has connected shapes",
    ),
    "strokes": ("the strokes", "the shapes"),
}
# What other sentences are made of.
PHRASES = {
    "legible": ("Some are hardly legible.", "Some are hard to recognize."),
    "carries": (
        "Slant, width and stroke carry over to the other digits",
        "The style carries over to the other classes",
    ),
    "what": ("the digit", "what an image shows"),
    "takes": ("takes the digit", "takes the class"),
    "show": ("show its digit", "show its class"),
}


def is_mnist(data: Dict[str, Any]) -> bool:
    """Return whether `data`, the facts in results.json, are MNIST or a part of it."""
    return data["name"] in OF_MNIST


def noun(data: Facts) -> str:
    """Return what an image of `data` shows, in one word."""
    return "digit" if data.name in OF_MNIST else "image"


def title(data: Dict[str, Any]) -> str:
    """Return the title of a report on `data`."""
    return TITLE.format(shortened(name_of(data), IN_TEXT))


def name_of(data: Dict[str, Any]) -> str:
    """Return the name of `data` as those who published them write it."""
    return PUBLISHED_NAMES.get(data["name"], data["name"])


def sentences(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the sentences on the data in results.json, by name."""
    data = found["data"]
    place = 0 if is_mnist(data) else 1
    return dict(
        {name: either[place] for name, either in PRINTED.items()},
        data=_data(found),
        numbering=_numbering(data),
        pixels="MNIST" if is_mnist(data) else "the data",
        shown=_shown(len(found["evaluation"]["per_class"])),
        matrix=_matrix(len(data["classes"])),
    )


def phrase(name: str, data: Dict[str, Any]) -> str:
    """Return the one of `PHRASES` that fits to `data`."""
    return PHRASES[name][0 if is_mnist(data) else 1]


def of_class(c: int, data: Dict[str, Any]) -> str:
    """Return class number `c` with its noun: "the digit 8"."""
    return f"the {'digit' if is_mnist(data) else 'class'} {class_name(c, data)}"


def class_name(c: int, data: Dict[str, Any]) -> str:
    """Return the name of class number `c` for a sentence, if its font has the signs."""
    name = data["classes"][c]
    return quoted(name) if is_drawable(name) else f"number {c}"


def is_named(data: Dict[str, Any]) -> bool:
    """Return whether the classes have other names than their numbers."""
    return list(data["classes"]) != [str(c) for c in range(len(data["classes"]))]


def is_mapped(data: Dict[str, Any]) -> bool:
    """Return whether the labels in the files are neither names nor numbers."""
    numbers = [str(c) for c in range(len(data["classes"]))]
    values = list(data["values"])
    return bool(values) and values not in (list(data["classes"]), numbers)


def is_paged(data: Dict[str, Any]) -> bool:
    """Return whether the table of classes may be too long for one page."""
    letters = [sum(map(len, both)) for both in zip(data["classes"], data["values"])]
    letters += map(len, data["classes"])
    return max(letters) > SHORT or len(data["classes"]) > FEW


def key(data: Facts) -> List[str]:
    """Return a line for each class that has a name, to print beside the figures."""
    if not is_named(data.to_dict()):
        return []
    return [f"class {c}: {name}" for c, name in enumerate(data.classes)]


def quoted(name: str) -> str:
    """Return `name`, shortened, as typst's markup that prints it as it is."""
    text = shortened(name, IN_TEXT)
    if re.fullmatch(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'#"{escaped}";'


def shortened(text: str, most: int) -> str:
    """Return `text` in at most `most` letters, `IN_TEXT` or `IN_TABLE`.

    A line may end within its long words.
    """
    text = text.strip()
    if len(text) > most:
        text = text[: most - 1].rstrip() + "\u2026"
    long_word = rf"\S{{{UNBROKEN[most] + 1},}}"
    return re.sub(long_word, lambda m: "\u200b".join(_fours(m.group())), text)


def cell(name: str) -> str:
    """Return `name` for a table, if its font has the signs."""
    if not is_drawable(name):
        return "(in dataset.json)"
    return shortened(name, IN_TABLE)


def _fours(word):
    return [word[n : n + 4] for n in range(0, len(word), 4)]


def _data(found):
    data, side = found["data"], int(round(found["config"]["x_dim"] ** 0.5))
    if is_mnist(data):
        return (
            'MNIST #by("mnist") consists of images of handwritten digits with their '
            "classes."
        )
    return (
        f"The data, {quoted(name_of(data))}, are images of ${side} times {side}$ "
        f"pixels with their classes: {whole(found['n_train'])} for training and "
        f"{whole(found['n_test'])} for testing."
    )


def _numbering(data):
    if is_mnist(data):
        return "the $j$-th class is the digit $j - 1$"
    text = "the $j$-th class has the number $j - 1$"
    labels = ", and for its label in the files" if is_mapped(data) else ""
    if not is_named(data):
        return text + (" (@classes has its label in the files)" if labels else "")
    names = [quoted(name) for name in data["classes"]]
    if sum(map(len, names)) > LISTED or not all(map(is_drawable, data["classes"])):
        return f"{text} (see @classes for its name{labels})"
    also = " (@classes has their labels in the files)" if labels else ""
    return f"{text}; the classes, in this order, are {listed(names)}{also}"


def _shown(n_classes):
    if n_classes <= ROWS:
        return ""
    return f" Shown are {ROWS} of the {n_classes} classes."


def _matrix(n_classes):
    if is_counted(n_classes):
        return "with the error rate of each class"
    return (
        "the darker the more frequent, with a list of the most frequent errors; "
        "@classes has the errors of each class"
    )
