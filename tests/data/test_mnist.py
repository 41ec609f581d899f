"""MNIST's files are read exactly or refused in one line; bits are drawn as promised."""

import gzip
import hashlib
import os
import struct
import tracemalloc

import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cvae.data import mnist as module
from cvae.errors import CvaeError

# Of the 7,840,000 test bits, on every machine and with every NumPy.
TEST_BITS_SHA256 = "f02e9e6823d5202f0db474f68de91b949be943daaed143cccde163935e0ccd84"

# From the table of classes in any description of MNIST.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx_images(pixels):
    pixels = np.asarray(pixels, np.uint8)
    return struct.pack(">4I", 0x803, len(pixels), 28, 28) + pixels.tobytes()


def idx_labels(labels):
    return struct.pack(">2I", 0x801, len(labels)) + bytes(labels)


PIXELS = np.random.RandomState(0).randint(0, 256, (4, 784)).astype(np.uint8)
IMAGES = idx_images(PIXELS)
LABELS = idx_labels([3, 0, 9, 9])


def refusal(function, *args):
    """The message of the error that `function` must raise: one line, with a remedy."""
    with pytest.raises(CvaeError) as error:
        function(*args)
    message = str(error.value)
    assert "\n" not in message
    return message


# The real data set.


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
    mnist_dir, mnist, tmp_path, spelling
):
    for file in module.fetch(mnist_dir):
        name = file.path.name.replace(".gz", "").replace(".idx", "-idx")
        name = spelling.format(name, dotted=name.replace("-idx", ".idx"))
        packed = gzip.compress(file.content, 1) if ".gz" in name else file.content
        (tmp_path / name).write_bytes(packed)
    data = module.load("mnist", str(tmp_path))
    for got, expected in zip(data.train + data.test, mnist.train + mnist.test):
        assert (got == expected).all()


@pytest.mark.parametrize(
    "bad, reason",
    [
        (b"", "neither gzip nor IDX"),
        (b"<!DOCTYPE html>", "neither gzip nor IDX"),
        (gzip.compress(b""), "truncated: 0 of 8"),
        (gzip.compress(LABELS)[:-12], "broken gzip"),
        (gzip.compress(LABELS)[:5], "broken gzip"),
        (b"\x1f\x8b" + bytes(50), "broken gzip"),
        (gzip.compress(LABELS[:-1]), "11 bytes where its header announces 12"),
        (LABELS + b"\0", "13 bytes where its header announces 12"),
        (gzip.compress(IMAGES), "magic number 0x00000803, not 0x00000801"),
        (idx_labels([1, 10]), "label 10, over 9"),
        (idx_labels([7] * 60000), "SHA-256"),
        (gzip.compress(bytes(60009)), "expands to more than the 60,008 bytes due"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # gzip notes the time
)
def test_bad_file_in_a_given_directory_is_named(
    mnist_dir, tmp_path, monkeypatch, bad, reason
):
    good = next(mnist_dir.glob("train-images*"))
    (tmp_path / good.name).symlink_to(good)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(bad)
    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    message = refusal(module.load)
    assert str(path) in message and reason in message and "--mnist-dir" in message
    assert path.read_bytes() == bad


def test_good_copy_is_used_although_another_spelling_is_bad(mnist_dir, tmp_path):
    file = module.FILES[3]
    (tmp_path / (file.name + ".gz")).write_bytes(b"bad")
    content = module.fetch(mnist_dir)[3].content
    (tmp_path / file.name).write_bytes(content)
    assert module._read_file(tmp_path, file).content == content


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


# The IDX reader.


def test_idx_is_read_as_written():
    assert (module.parse_idx_images(IMAGES, "f") == PIXELS).all()
    assert module.parse_idx_labels(LABELS, "f").tolist() == [3, 0, 9, 9]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "truncated: 0 of 16"),
        (IMAGES[:15], "truncated: 15 of 16"),
        (IMAGES[:16], "16 bytes where its header announces 3152"),
        (IMAGES[:-1], "3151 bytes where its header announces 3152"),
        (IMAGES + b"\0", "3153 bytes where its header announces 3152"),
        (b"\0\0\x08\x01" + IMAGES[4:], "magic number 0x00000801"),
        (b"<htm" + IMAGES[4:], "magic number 0x3c68746d"),
        (struct.pack(">4I", 0x803, 5, 28, 28) + IMAGES[16:], "announces 3936"),
        (struct.pack(">4I", 0x803, 0, 28, 28), "count of 0"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 28, 28), "announces 3367254359296"),
        (struct.pack(">4I", 0x803, 8, 14, 28) + IMAGES[16:], "14 x 28"),
        (struct.pack(">4I", 0x803, 1, 0, 2**32 - 1), "images of 0 x 4294967295"),
    ],
)
def test_bad_image_file_is_refused_with_its_name_and_reason(data, reason):
    message = refusal(module.parse_idx_images, data, "some-file")
    assert message.startswith("some-file: ") and reason in message
    assert "--mnist-dir" in message


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "truncated: 0 of 8"),
        (LABELS[:7], "truncated: 7 of 8"),
        (LABELS[:-1], "11 bytes where its header announces 12"),
        (IMAGES, "magic number 0x00000803"),
        (idx_labels([]), "count of 0"),
        (idx_labels([9, 10]), "label 10"),
        (idx_labels([255, 0]), "label 255"),
    ],
)
def test_bad_label_file_is_refused_with_its_name_and_reason(data, reason):
    message = refusal(module.parse_idx_labels, data, "some-file")
    assert message.startswith("some-file: ") and reason in message


def test_announced_sizes_take_no_memory():
    tracemalloc.start()
    for count in (2**20, 2**31, 2**32 - 1):
        refusal(module.parse_idx_images, struct.pack(">4I", 0x803, count, 28, 28), "f")
        refusal(module.parse_idx_labels, struct.pack(">2I", 0x801, count), "f")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


# Arbitrary input: some 10,000 inputs, which an independent description of a good file
# (its header follows from its length) tells apart.


def mutated(seed):
    """`seed` with a few bytes replaced, cut out or put in, mostly in its header."""

    def splice(start, length, new):
        return seed[:start] + new + seed[start + length :]

    starts = st.integers(0, 16) | st.integers(0, len(seed))
    return st.builds(splice, starts, st.integers(0, 4), st.binary(max_size=4))


HEADERS = st.lists(
    st.sampled_from([0, 1, 2, 4, 27, 28, 784, 0x801, 0x803, 2**31, 2**32 - 1])
    | st.integers(0, 2**32 - 1),
    min_size=2,
    max_size=4,
).map(lambda words: struct.pack(f">{len(words)}I", *words))


def check_images(data):
    count = (len(data) - 16) // 784
    good = count > 0 and data[:16] == struct.pack(">4I", 0x803, count, 28, 28)
    if good and len(data) == 16 + 784 * count:
        images = module.parse_idx_images(data, "f")
        assert images.tobytes() == data[16:] and images.shape == (count, 784)
    else:
        refusal(module.parse_idx_images, data, "f")


def check_labels(data):
    count = len(data) - 8
    good = count > 0 and data[:8] == struct.pack(">2I", 0x801, count)
    if good and max(data[8:]) < 10:
        assert module.parse_idx_labels(data, "f").tobytes() == data[8:]
    else:
        refusal(module.parse_idx_labels, data, "f")


@fuzz(1500)
@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_in_one_line(data):
    check_images(data)
    check_labels(data)


@fuzz(1300)
@given(HEADERS, st.sampled_from([b"", bytes(3), bytes(784), bytes(1568)]))
def test_arbitrary_headers_are_read_exactly_or_refused(header, body):
    check_images(header + body)
    check_labels(header + body)


@fuzz(1500)
@given(mutated(IMAGES))
def test_mutated_images_are_read_exactly_or_refused(data):
    check_images(data)


@fuzz(1500)
@given(st.integers(0, 2**64 - 1))
def test_arbitrary_labels_are_read_exactly_or_refused(number):
    check_labels(idx_labels([byte // 25 for byte in number.to_bytes(8, "big")]))


@fuzz(1500)
@given(mutated(LABELS))
def test_mutated_labels_are_read_exactly_or_refused(data):
    check_labels(data)


@fuzz(1500)
@given(mutated(gzip.compress(LABELS)) | mutated(LABELS))
def test_mutated_files_are_the_published_content_or_refused(data):
    file = module.IdxFile("labels", len(LABELS), hashlib.sha256(LABELS).hexdigest())
    try:
        assert module._verify(data, file, "f") == LABELS
    except CvaeError as error:
        assert str(error).startswith("f: ") and "\n" not in str(error)


# Binarization.


def test_test_bits_are_the_same_everywhere(mnist):
    bits = module.binarize(mnist.test.images)
    assert hashlib.sha256(bits.tobytes()).hexdigest() == TEST_BITS_SHA256


def test_bits_do_not_depend_on_chunks():
    images = np.random.RandomState(1).randint(0, 256, (2345, 7)).astype(np.uint8)
    random = np.random.RandomState(9)
    one_by_one = [random.random_sample() < value / 255 for value in images.ravel()]
    bits = module.binarize(images, 9)
    assert bits.dtype == np.uint8 and bits.shape == images.shape
    assert bits.ravel().tolist() == one_by_one
    assert (module.binarize(images[:1234], 9) == bits[:1234]).all()


def test_bits_have_the_mean_that_the_intensity_says():
    draws = 20000
    images = np.tile(np.arange(256, dtype=np.uint8), (draws, 1))
    mean = module.binarize(images, 3).mean(axis=0)
    p = np.arange(256) / 255
    sigma = np.sqrt(p * (1 - p) / draws)
    assert (np.abs(mean - p) <= 5 * sigma).all()
    assert mean[0] == 0 and mean[255] == 1


@pytest.mark.parametrize("draw", [0.0, 1 - 2.0**-53])
def test_black_and_white_are_certain_even_at_the_generators_limits(monkeypatch, draw):
    class Extreme(np.random.RandomState):
        def random_sample(self, size=None):
            return np.full(size, draw)

    monkeypatch.setattr(np.random, "RandomState", Extreme)
    images = np.array([[0, 255]], np.uint8)
    assert module.binarize(images).tolist() == [[0, 1]]


def test_bits_follow_the_seed_and_leave_the_global_generator_alone(mnist):
    images = mnist.test.images[:50]
    before = np.random.get_state()[1].copy()
    bits = module.binarize(images, 1)
    assert (bits == module.binarize(images, 1)).all()
    assert (bits != module.binarize(images, 2)).any()
    assert (before == np.random.get_state()[1]).all()


def test_binarizing_takes_little_memory(mnist):
    tracemalloc.start()
    module.binarize(mnist.test.images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 7840000 + (20 << 20)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_impossible_seed_is_refused(seed):
    assert str(seed) in refusal(module.binarize, PIXELS, seed)


# Against the model's sizes.


@pytest.mark.parametrize(
    "n_classes, x_dim, word", [(9, 784, "n_classes"), (10, 785, "x_dim")]
)
def test_a_model_of_other_sizes_than_the_data_is_refused(mnist, n_classes, x_dim, word):
    module.check_fits(mnist, 10, 784)
    with pytest.raises(CvaeError, match=word):
        module.check_fits(mnist, n_classes, x_dim)
