"""Published data sets: fetched once, verified, put right; here as tiny ones."""

import functools
import gzip
import hashlib
import io
import zipfile

import hostile_server
import numpy as np
import pytest
from idx_files import refusal
from small_sets import idx_files

from cvae.data import catalog
from cvae.data.dataset import facts_of
from cvae.data.download import Limits, Unavailable
from cvae.data.load import load
from cvae.data.published import PublishedFile
from cvae.storage import checkout

RANDOM = np.random.RandomState(0)


def tiny_set(first_label, n_classes):
    """Two splits of images [n, 4, 4] with labels."""
    return [
        (
            RANDOM.randint(0, 256, (n, 4, 4)).astype(np.uint8),
            first_label + np.arange(n) % n_classes,
        )
        for n in (3 * n_classes, n_classes)
    ]


SETS = {
    "fashion-mnist": tiny_set(0, 10),
    "kmnist": tiny_set(0, 10),
    "emnist-balanced": tiny_set(0, 47),
    "emnist-letters": tiny_set(1, 26),
    "emnist-digits": tiny_set(0, 10),
}


@functools.lru_cache(maxsize=None)  # gzip notes the time
def files_of(name):
    """The published files of a data set, tiny ones, as bytes by name."""
    splits = SETS[name]
    if not name.startswith("emnist"):
        return {f"{n}.gz": gzip.compress(d) for n, d in idx_files(*splits).items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        turned = [(images.transpose(0, 2, 1).copy(), y) for images, y in splits]
        for member, data in idx_files(*turned).items():
            member = member.replace("t10k", "test")
            archive.writestr(f"gzip/{name}-{member}.gz", gzip.compress(data))
    return {"gzip.zip": packed.getvalue()}


@pytest.fixture(params=list(SETS))
def tiny_catalog(request, tmp_path, monkeypatch):
    """(name, server, folder of the cache) of a published data set, made tiny."""
    name = request.param
    files = files_of(name)
    with hostile_server.serve(files) as server:
        listed = catalog.LISTED[name]
        tiny = listed.publication._replace(
            files=tuple(
                PublishedFile(
                    file, len(data), hashlib.sha256(data).hexdigest(), packed=True
                )
                for file, data in files.items()
            ),
            mirrors=(server.mirror("404"), server.mirror("good")),
            limits=Limits(max_size=1 << 20, pause=0.01),
        )
        monkeypatch.setitem(catalog.LISTED, name, listed._replace(publication=tiny))
        monkeypatch.setattr(
            checkout, "data_places", lambda name: [tmp_path / "data" / name]
        )
        yield name, server, tmp_path / "data" / listed.folder


def test_it_is_fetched_once_and_its_images_and_labels_are_right(tiny_catalog):
    name, server, cache = tiny_catalog
    dataset = load(name, say=lambda line: None)
    for split, (images, labels) in zip((dataset.train, dataset.test), SETS[name]):
        assert (split.images == images.reshape(len(images), 16)).all()
        assert (split.labels == labels - labels.min()).all()
        assert not split.images.flags.writeable
    assert dataset.name == name and dataset.path == ""
    assert dataset.n_classes == len(np.unique(SETS[name][0][1]))
    asked = len(server.log)
    assert facts_of(load(name, say=lambda line: None)) == facts_of(dataset)
    assert len(server.log) == asked
    assert sorted(path.name for path in cache.iterdir()) == sorted(files_of(name))


def test_what_is_put_right_is_said(tiny_catalog):
    name, _, _ = tiny_catalog
    said = []
    load(name, say=said.append)
    assert any("transposed" in line for line in said) == name.startswith("emnist")
    assert any("begin with 1" in line for line in said) == (name == "emnist-letters")


def test_without_a_good_mirror_nothing_is_kept_and_a_line_says_what_to_do(
    tiny_catalog, monkeypatch
):
    name, server, cache = tiny_catalog
    listed = catalog.LISTED[name]
    broken = listed.publication._replace(mirrors=(server.mirror("other_content"),))
    monkeypatch.setitem(catalog.LISTED, name, listed._replace(publication=broken))
    with pytest.raises(Unavailable):
        load(name)
    message = refusal(load, name)
    assert listed.publication.title in message and f"data/{listed.folder}" in message
    assert not cache.exists()


def test_the_published_files_are_listed_as_they_should_be():
    for listed in catalog.LISTED.values():
        publication = listed.publication
        assert len({file.sha256 for file in publication.files}) in (1, 4)
        for file in publication.files:
            assert len(file.sha256) == 64 and int(file.sha256, 16)
            assert file.size <= publication.limits.max_size
        assert all(mirror.endswith("/") for mirror in publication.mirrors)
        assert len(set(listed.classes)) == len(listed.classes)
