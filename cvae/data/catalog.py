"""Published data sets in MNIST's format: Fashion-MNIST, KMNIST and EMNIST.

The SHA-256 are those that TensorFlow Datasets lists in its url_checksums (of the files
as sent; EMNIST is a single archive).
"""

import io
import string
import zipfile
from typing import Callable, NamedTuple, Tuple

import numpy as np

from cvae.data import published
from cvae.data.dataset import Dataset, Split
from cvae.data.download import Limits
from cvae.data.idx import gunzip, parse_idx_images, parse_idx_labels
from cvae.data.published import Publication, PublishedFile
from cvae.storage import checkout

IDX = tuple(
    f"{split}-{part}-ubyte"
    for split in ("train", "t10k")
    for part in ("images-idx3", "labels-idx1")
)
TURNED = "the images of EMNIST are stored transposed: they are turned"
MAX_CONTENT = 1 << 30  # bytes of an IDX file; EMNIST's largest has 188 million


class Listed(NamedTuple):
    """A published data set: where it is, what its classes are, how it is stored."""

    publication: Publication
    folder: str  # in data/
    classes: Tuple[str, ...]
    members: str = ""  # the names' beginning in an archive; "" for single files
    transposed: bool = False  # rows and columns of the images are exchanged
    first_label: int = 0


def _in_files(title, folder, mirrors, sums, classes):
    files = tuple(
        PublishedFile(f"{name}.gz", size, sha256, packed=True)
        for name, (size, sha256) in zip(IDX, sums)
    )
    remedy = f"put its four files into data/{folder}"
    limits = Limits(max_size=1 << 26)
    return Listed(Publication(title, files, mirrors, remedy, limits), folder, classes)


def _in_emnist(part, classes, first_label=0):
    archive = PublishedFile(
        "gzip.zip",
        561753746,
        "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        packed=True,
    )
    mirrors = (
        "https://biometrics.nist.gov/cs_links/EMNIST/",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
    )
    remedy = "put its gzip.zip into data/emnist"
    publication = Publication(
        "EMNIST", (archive,), mirrors, remedy, Limits(max_size=1 << 30)
    )
    members = f"gzip/emnist-{part}-"
    return Listed(publication, "emnist", classes, members, True, first_label)


_FASHION_MNIST = (
    (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)
_KMNIST = (
    (18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
    (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
    (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
    (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
)

LISTED = {
    "fashion-mnist": _in_files(
        "Fashion-MNIST",
        "fashion-mnist",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        _FASHION_MNIST,
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    "kmnist": _in_files(
        "KMNIST",
        "kmnist",
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        _KMNIST,
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "emnist-balanced": _in_emnist(
        "balanced", tuple(string.digits + string.ascii_uppercase + "abdefghnqrt")
    ),
    "emnist-letters": _in_emnist("letters", tuple(string.ascii_lowercase), 1),
    "emnist-digits": _in_emnist("digits", ()),
}


def load(name: str, say: Callable[[str], None]) -> Dataset:
    """Return the data set `name` of `LISTED`; its arrays are read-only.

    Raises:
        Unavailable: a file is not on disk, and no mirror gave it.
        CvaeError: a file is damaged or cannot be written.
    """
    listed = LISTED[name]
    cache = checkout.data_places(listed.folder)[0]
    files = published.find_or_download(listed.publication, cache)
    train_x, train_y, test_x, test_y = _arrays(files, listed)
    if listed.transposed:
        say(TURNED)
    if listed.first_label:
        say(f"the labels of {name} begin with {listed.first_label}: with 0 here")
    train, test = Split(train_x, train_y), Split(test_x, test_y)
    return Dataset(name, train, test, "", listed.classes)


def _arrays(files, listed):
    """Return the images and labels of both splits."""
    packed = {file.path.name: file.content for file in files}
    names = [f"{name}.gz" for name in IDX]
    if listed.members:
        names = [listed.members + name.replace("t10k", "test") for name in names]
        (archive,) = packed.values()
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            packed = {name: opened.read(name) for name in names}
    arrays = []
    for name, parse in zip(names, (parse_idx_images, parse_idx_labels) * 2):
        array = parse(gunzip(packed[name], MAX_CONTENT, name), name)
        if parse is parse_idx_labels:
            array = array - np.uint8(listed.first_label)
        elif listed.transposed:
            array = transposed(array)
        array.flags.writeable = False
        arrays.append(array)
    return arrays


def transposed(images: np.ndarray) -> np.ndarray:
    """Return images `[n, side²]` with their rows and columns exchanged."""
    side = int(round(images.shape[1] ** 0.5))
    turned = images.reshape(-1, side, side).transpose(0, 2, 1)
    return np.ascontiguousarray(turned).reshape(images.shape)
