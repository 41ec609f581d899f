"""A data set in folders of images, one folder for each class; needs Pillow."""

from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence

import numpy as np

from cvae.backend import threads
from cvae.data.arrays import from_arrays, natural
from cvae.data.dataset import Dataset
from cvae.errors import CvaeError, note
from cvae.progress import Progress

SUFFIXES = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")  # whatever the suffix: no other decoder is run
SPLITS = ("train", "test")
_SHARE_SEED = 20210504
_AT_ONCE = 100  # images that a thread reads


class _Image(NamedTuple):
    path: Path
    label: str


def load(
    path: Path,
    side: Optional[int],
    test_share: Optional[float],
    class_names: Sequence[str],
    say: Callable[[str], None] = note,
) -> Dataset:
    """Return the data set in the folders below `path`.

    These are train/<class>/*.png and test/<class>/*.png, or one folder for each class,
    of which `test_share` are test images. Images are in the order of their names, with
    numbers in it by their size. They become grey, white where they are transparent, and
    squares of `side` pixels: their longer side is scaled to it, and the shorter one
    filled up with the grey of a corner.

    Raises:
        CvaeError: there are no such folders, an image is damaged or has another size
            than the first, and there is no `side`, or a class has no images.
    """
    has_test = (path / "test").is_dir()
    if has_test and test_share is not None:
        raise CvaeError(f"{path} has a folder test: leave out --test-share")
    if has_test:
        train, test = (_images(path / split) for split in SPLITS)
    elif test_share is None:
        raise CvaeError(
            f"{path} has no folder test: divide the images into train/<class> and "
            "test/<class>, or give --test-share 0.2"
        )
    else:
        train, test = _divided(_images(path), test_share)
    pixels = _read(train + test, side)
    labels = np.array([image.label for image in train + test])
    n = len(train)
    parts = pixels[:n], labels[:n], pixels[n:], labels[n:]
    return from_arrays(*parts, path.name, class_names, str(path), say)


def _images(folder: Path) -> List[_Image]:
    """Return the images in the folders of the classes, in the order of their names."""
    if not folder.is_dir():
        raise CvaeError(
            f"there is no folder {folder}: put a folder of each class there"
        )
    found = []
    for of_class in sorted(folder.iterdir()):
        if not of_class.is_dir() or of_class.name.startswith("."):
            continue
        images = [
            _Image(path, of_class.name)
            for path in of_class.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ]
        if not images:
            raise CvaeError(
                f"{of_class} has no images ({', '.join(SUFFIXES)}): put some there, or "
                "delete the folder"
            )
        found.extend(images)
    if not found:
        raise CvaeError(
            f"{folder} has no folders with images: put a folder of each class there"
        )
    return sorted(found, key=lambda image: (natural(image.path.name), image.label))


def _divided(images, share):
    """Return training and test images, these a random `share` of each class."""
    random = np.random.RandomState(_SHARE_SEED)
    chosen = set()
    labels = [image.label for image in images]
    for label in sorted(set(labels)):
        own = [number for number, found in enumerate(labels) if found == label]
        n = int(round(share * len(own)))
        if not 0 < n < len(own):
            raise CvaeError(
                f"{len(own)} images of class {label} cannot be divided by a test share "
                f"of {share:g}: give another --test-share, or more images"
            )
        chosen.update(random.permutation(own)[:n].tolist())
    train = [image for i, image in enumerate(images) if i not in chosen]
    return train, [image for i, image in enumerate(images) if i in chosen]


def _read(images, side):
    """Return the pixels of all `images`, uint8 `[n, side, side]`."""
    parts = [images[i : i + _AT_ONCE] for i in range(0, len(images), _AT_ONCE)]
    pixels = []
    with Progress(len(images), label="reading images") as progress:
        for part in threads.each(lambda part, _: [_grey(i, side) for i in part], parts):
            for array in part:
                _check_size(array, images[len(pixels)], pixels[:1], images[0])
                pixels.append(array)
            progress.advance(len(part))
    return np.stack(pixels)


def _check_size(array, image, first, first_image):
    """Refuse an image that is not square, or not as large as the first."""
    height, width = array.shape
    if height != width:
        fault = "which is not square"
    elif first and array.shape != first[0].shape:
        n = len(first[0])
        fault = f"and {first_image.path} {n} x {n}"
    else:
        return
    raise CvaeError(
        f"{image.path} has {width} x {height} pixels, {fault}: give the --side of "
        "squares to scale all images to"
    )


def _on_white(image):
    """Return `image` in grey, with white where it is transparent."""
    from PIL import Image

    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("L")
    layers = image.convert("RGBA").convert("LA")
    white = Image.new("L", image.size, 255)
    white.paste(layers.getchannel("L"), mask=layers.getchannel("A"))
    return white


def _grey(image, side):
    """Return one image as uint8 `[height, width]`, with a `side` as such a square."""
    from PIL import Image, ImageOps

    try:
        with Image.open(str(image.path), formats=FORMATS) as opened:
            turned = ImageOps.exif_transpose(opened)  # as the camera was held
            if turned.mode.startswith("I"):  # 16 bits, which `convert` would cut
                turned = turned.point(lambda value: value / 257)
            grey = _on_white(turned)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise CvaeError(f"cannot read {image.path}: {reason[:120]}")
    if side is not None and grey.size != (side, side):
        background = grey.getpixel((0, 0))
        grey = ImageOps.pad(grey, (side, side), Image.BICUBIC, color=background)
    return np.asarray(grey, np.uint8)
