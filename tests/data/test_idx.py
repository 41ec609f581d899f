"""IDX files are read exactly or refused in one line, whatever is in them."""

import struct
import tracemalloc

import pytest
from fuzzing import each, noise, spliced
from idx_files import IMAGES, LABELS, PIXELS, idx_labels, refusal

from cvae.data.idx import parse_idx_images, parse_idx_labels


def test_idx_is_read_as_written():
    assert (parse_idx_images(IMAGES, "f") == PIXELS).all()
    assert parse_idx_labels(LABELS, "f").tolist() == [3, 0, 9, 9]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "truncated: 0 of 16"),
        (IMAGES[:15], "truncated: 15 of 16"),
        (IMAGES[:16], "16 bytes, where its header announces 3152"),
        (IMAGES[:-1], "3151 bytes, where its header announces 3152"),
        (IMAGES + b"\0", "3153 bytes, where its header announces 3152"),
        (b"\0\0\x08\x01" + IMAGES[4:], "magic number 0x00000801"),
        (b"<htm" + IMAGES[4:], "magic number 0x3c68746d"),
        (struct.pack(">4I", 0x803, 5, 28, 28) + IMAGES[16:], "announces 3936"),
        (struct.pack(">4I", 0x803, 0, 28, 28), "count of 0"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 28, 28), "announces 3367254359296"),
        (struct.pack(">4I", 0x803, 8, 14, 28) + IMAGES[16:], "14 x 28"),
        (struct.pack(">4I", 0x803, 1, 0, 2**32 - 1), "images of 0 x 4294967295"),
        (struct.pack(">4I", 0x803, 1, 0, 0), "images of 0 x 0 pixels, not square"),
    ],
)
def test_bad_image_file_is_refused_with_its_name_and_reason(data, reason):
    message = refusal(parse_idx_images, data, "some-file")
    assert message.startswith("some-file: ") and reason in message
    assert "--mnist-dir" in message


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "truncated: 0 of 8"),
        (LABELS[:7], "truncated: 7 of 8"),
        (LABELS[:-1], "11 bytes, where its header announces 12"),
        (IMAGES, "magic number 0x00000803"),
        (idx_labels([]), "count of 0"),
    ],
)
def test_bad_label_file_is_refused_with_its_name_and_reason(data, reason):
    message = refusal(parse_idx_labels, data, "some-file")
    assert message.startswith("some-file: ") and reason in message


def test_announced_sizes_take_no_memory():
    tracemalloc.start()
    for count in (2**20, 2**31, 2**32 - 1):
        refusal(parse_idx_images, struct.pack(">4I", 0x803, count, 28, 28), "f")
        refusal(parse_idx_labels, struct.pack(">2I", 0x801, count), "f")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


# Arbitrary input: some 10,000 inputs, which an independent description of a good file
# (its header follows from its length) tells apart.


def check_images(data):
    count, side = struct.unpack(">4x2I", data[:12].ljust(12, b"\0"))
    good = count * side and data[:16] == struct.pack(">4I", 0x803, count, side, side)
    if good and len(data) == 16 + side**2 * count:
        images = parse_idx_images(data, "f")
        assert images.tobytes() == data[16:] and images.shape == (count, side**2)
    else:
        refusal(parse_idx_images, data, "f")


def check_labels(data):
    count = len(data) - 8
    good = count > 0 and data[:8] == struct.pack(">2I", 0x801, count)
    if good:
        assert parse_idx_labels(data, "f").tobytes() == data[8:]
    else:
        refusal(parse_idx_labels, data, "f")


def check_both(data):
    check_images(data)
    check_labels(data)


def header(chance):
    """Two to four counts: random ones, and those of real files or at the limits."""
    known = [0, 1, 2, 4, 27, 28, 784, 0x801, 0x803, 2**31, 2**32 - 1]
    words = [
        chance.choice(known + [chance.randrange(2**32)])
        for _ in range(chance.randint(2, 4))
    ]
    return struct.pack(f">{len(words)}I", *words)


def body(chance):
    return bytes(chance.choice((0, 3, 784, 1568)))


def digits(chance):
    return idx_labels([chance.randint(0, 10) for _ in range(8)])


@pytest.mark.parametrize(
    "check, data",
    [
        (check_both, lambda chance: noise(chance, 64)),
        (check_both, lambda chance: header(chance) + body(chance)),
        (check_images, lambda chance: spliced(IMAGES, chance)),
        (check_labels, lambda chance: spliced(LABELS, chance)),
        (check_labels, digits),
    ],
    ids=["bytes", "headers", "mutated images", "mutated labels", "labels"],
)
def test_arbitrary_files_are_read_exactly_or_refused(check, data):
    each(1500, lambda chance: check(data(chance)))
