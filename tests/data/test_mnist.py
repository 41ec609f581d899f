"""MNIST's files are found and verified, or refused in one line."""

import gzip
import hashlib
import os

import numpy as np
import pytest
from fuzzing import each, spliced
from idx_files import IMAGES, LABELS, idx_labels, refusal
from tiny_mirrors import CONTENTS, TINY

from cvae.data import mnist as module
from cvae.data import published
from cvae.data.published import PublishedFile
from cvae.errors import CvaeError

# From the table of classes in any description of MNIST.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def file_of(name, content):
    return PublishedFile(name, len(content), hashlib.sha256(content).hexdigest())


LABELS_FILE = file_of("labels", LABELS)


def test_mnist_has_the_published_counts(mnist):
    assert mnist.name == "mnist" and mnist.note == ""
    for split, counts in ((mnist.train, TRAIN_COUNTS), (mnist.test, TEST_COUNTS)):
        assert split.images.shape == (sum(counts), 784)
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert np.bincount(split.labels).tolist() == counts


def test_mnist_has_the_published_mean_and_first_labels(mnist):
    # 0.1307 is the mean that every tutorial normalizes with.
    assert abs(mnist.train.images.mean() / 255 - 0.1307) < 5e-5
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_arrays_cannot_be_changed_by_accident(mnist):
    for array in mnist.train + mnist.test:
        with pytest.raises(ValueError):
            array[0] = 0


@pytest.mark.parametrize("spelling", ["{}", "{}.gz", "{dotted}", "{dotted}.gz"])
def test_gzip_and_plain_files_and_both_spellings_are_found(
    tmp_path, monkeypatch, spelling
):
    monkeypatch.setattr(module, "FILES", TINY)
    for name, content in CONTENTS.items():
        name = spelling.format(name, dotted=name.replace("-idx", ".idx"))
        packed = gzip.compress(content) if ".gz" in name else content
        (tmp_path / name).write_bytes(packed)
    data = module.load("mnist", str(tmp_path))
    assert [part.tobytes() for part in data.train + data.test] == [
        content[16 if "images" in name else 8 :] for name, content in CONTENTS.items()
    ]


@pytest.mark.parametrize(
    "bad, reason",
    [
        (b"", "neither gzip nor IDX"),
        (b"<!DOCTYPE html>", "neither gzip nor IDX"),
        (gzip.compress(b""), "truncated: 0 of 8"),
        (gzip.compress(LABELS)[:-12], "broken gzip"),
        (gzip.compress(LABELS)[:5], "broken gzip"),
        (b"\x1f\x8b" + bytes(50), "broken gzip"),
        (gzip.compress(LABELS[:-1]), "11 bytes, where its header announces 12"),
        (LABELS + b"\0", "13 bytes, where its header announces 12"),
        (gzip.compress(IMAGES[:12]), "magic number 0x00000803, not 0x00000801"),
        (idx_labels([3, 0, 9, 8]), "SHA-256"),
        (gzip.compress(bytes(13)), "expands to more than the expected 12 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # gzip notes the time
)
def test_bad_file_in_a_given_directory_is_named(tmp_path, monkeypatch, bad, reason):
    monkeypatch.setattr(module, "FILES", [file_of("images", IMAGES), LABELS_FILE])
    (tmp_path / "images").write_bytes(IMAGES)
    path = tmp_path / "labels.gz"
    path.write_bytes(bad)
    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    message = refusal(module.load)
    assert str(path) in message and reason in message and "--mnist-dir" in message
    assert path.read_bytes() == bad


def test_good_copy_is_used_although_another_spelling_is_bad(tmp_path):
    (tmp_path / "labels.gz").write_bytes(b"bad")
    (tmp_path / "labels").write_bytes(LABELS)
    assert published.read_file(tmp_path, LABELS_FILE).content == LABELS


def test_missing_file_directory_and_unreadable_file_are_named(tmp_path):
    assert "x/train-images" in refusal(module.load, "mnist", tmp_path / "x")
    path = tmp_path / "train-images-idx3-ubyte"
    path.mkdir()
    assert "not found" in refusal(module.load, "mnist", tmp_path)
    path.rmdir()
    path.symlink_to(path)
    assert "train-images" in refusal(module.load, "mnist", tmp_path)
    path.unlink()
    os.mkfifo(str(path))
    assert "not found" in refusal(module.load, "mnist", tmp_path)
    refusal(module.load, "mnist", "nul\0byte")
    refusal(module.load, "mnist", "x" * 5000)


def test_unreadable_file_is_refused(mnist_dir, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    message = refusal(module.load, "mnist", mnist_dir)
    assert "train-images" in message and "Permission denied" in message


def test_unknown_dataset_is_refused_with_the_nearest_name():
    message = refusal(module.load, "mnist5k")
    assert "did you mean 'mnist-5k'" in message


@pytest.mark.parametrize("good", [gzip.compress(LABELS), LABELS], ids=["gzip", "plain"])
def test_mutated_files_are_the_published_content_or_refused(good):
    def check(chance):
        try:
            assert published._verify(spliced(good, chance), LABELS_FILE, "f") == LABELS
        except CvaeError as error:
            assert str(error).startswith("f: ") and "\n" not in str(error)

    each(1000, check)
