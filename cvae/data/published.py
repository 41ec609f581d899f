"""Data sets with published files: found on disk or downloaded, and verified."""

import hashlib
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from cvae.data import download as _download
from cvae.data.download import Limits
from cvae.data.idx import GZIP, Damaged, gunzip, parse_idx_images, parse_idx_labels
from cvae.errors import warn

GZIP_EXTRA = 1 << 16  # bytes by which a gzip file may exceed its content


class PublishedFile(NamedTuple):
    """A file of a data set: its name, and the bytes and SHA-256 of its content.

    Copies of MNIST differ in their compression, so that its content is verified. Where
    only the SHA-256 of the file as sent is known, it is `packed`.
    """

    name: str
    size: int
    sha256: str
    packed: bool = False


class Verified(NamedTuple):
    """A file found on disk, and its content as published."""

    path: Path
    content: bytes


class Publication(NamedTuple):
    """Where the files of a data set come from."""

    title: str
    files: Tuple[PublishedFile, ...]
    mirrors: Tuple[str, ...]
    remedy: str  # where no mirror helps
    limits: Limits = Limits()


class Missing(Damaged):
    """A file of a data set does not exist."""


def find_or_download(
    publication: Publication, cache: Path, others: Sequence[Path] = ()
) -> List[Verified]:
    """Return the files, in their order, from the first place that has all of them.

    The places are `cache` and `others`. Where none has all, mirrors fill the gaps in
    `cache`.

    Raises:
        Unavailable: a file is not on disk, and no mirror gave it.
        CvaeError: `cache` cannot be written.
    """
    files = publication.files
    cached = [_read_or_warn(cache, file) for file in files]
    if all(cached):
        return cached
    for place in others:
        found = [_read_or_warn(place, file) for file in files]
        if all(found):
            return found
    lacking = [file for file, good in zip(files, cached) if not good]
    download(publication._replace(files=tuple(lacking)), cache)
    return [read_file(cache, file) for file in files]


def download(publication: Publication, destination: Path) -> None:
    """Download the files, compressed, into `destination`: all verified or none.

    Raises:
        Unavailable: no mirror gave a good copy of some file.
        CvaeError: `destination` cannot be written.
    """
    expected = {_name_as_sent(file): file for file in publication.files}

    def fault(name, data):
        file = expected[name]
        if not file.packed and data[:2] != GZIP:
            return "not gzip"
        try:
            _verify(data, file, name)
        except Damaged as damaged:
            return damaged.reason
        return ""

    _download.download(
        list(expected),
        fault,
        Path(destination),
        publication.mirrors,
        publication.title,
        publication.remedy,
        publication.limits,
    )


def read_file(directory: Path, file: PublishedFile) -> Verified:
    """Return the first good copy of `file`, or raise the fault of the first bad one."""
    fault: Optional[Damaged] = None
    for path in _spellings(directory, file):
        try:
            if path.is_file():
                with path.open("rb") as stream:
                    data = stream.read(file.size + GZIP_EXTRA)
                return Verified(path, _verify(data, file, str(path)))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            fault = fault or Damaged(path, reason)
        except Damaged as damaged:
            fault = fault or damaged
    raise fault or Missing(directory / _name_as_sent(file), "not found")


def _name_as_sent(file):
    return file.name if file.packed else file.name + ".gz"


def _spellings(directory, file):
    """Yield the paths of a file: gzip or plain, with the published or a dotted name."""
    if file.packed:
        yield directory / file.name
        return
    for spelling in (file.name, file.name.replace("-idx", ".idx")):
        yield directory / (spelling + ".gz")
        yield directory / spelling


def _read_or_warn(directory, file):
    """Return the same, or None: if the file is missing, or bad, after a warning."""
    try:
        return read_file(directory, file)
    except Missing:
        return None
    except Damaged as damaged:
        warn(f"ignoring {damaged.source}: {damaged.reason}")
        return None


def _verify(data, file, source):
    """Return the content of `data`, as published."""
    content = data
    if not file.packed:
        if data[:2] == GZIP:
            content = gunzip(data, file.size, source)
        elif data[:2] != b"\0\0":
            raise Damaged(source, "neither gzip nor IDX")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        if not file.packed:
            # A fault of the format is a better message than one of the checksum.
            is_images = "images" in file.name
            (parse_idx_images if is_images else parse_idx_labels)(content, source)
        raise Damaged(source, "not as published: its content has another SHA-256")
    return content
