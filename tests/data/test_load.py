"""--dataset: the same data from every form, and a line for everything else."""

import shutil

import numpy as np
import pytest
from idx_files import refusal
from PIL import Image
from small_sets import write_folders, write_idx, write_npz

from cvae.data.dataset import facts_of
from cvae.data.load import NAMES, load


def part(split, n):
    return split.images[:n].reshape(n, 28, 28), split.labels[:n]


@pytest.fixture(scope="module")
def small(mnist):
    return part(mnist.train, 60), part(mnist.test, 30)


def silent(line):
    pass


FORMS = {
    "npz": lambda folder, *sets: write_npz(folder / "a.npz", *sets),
    "compressed": lambda folder, *sets: write_npz(folder / "a.npz", *sets, True),
    "floats": lambda folder, *sets: write_npz(folder / "a.npz", *sets, scale=255),
    "idx": lambda folder, *sets: write_idx(folder / "a", *sets),
    "gzip": lambda folder, *sets: write_idx(folder / "a", *sets, "{dotted}", True),
    "torchvision": lambda folder, *sets: write_idx(
        folder / "a" / "MNIST" / "raw", *sets
    ).parents[1],
    "png": lambda folder, *sets: write_folders(folder / "a", *sets),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_same_images_in_every_form_are_the_same_data(small, tmp_path, form):
    (images, labels), (test_images, test_labels) = small
    path = FORMS[form](tmp_path, *small)
    dataset = load(str(path), say=silent)
    assert dataset.name == "a" and dataset.path == str(path)
    assert (dataset.train.images == images.reshape(60, 784)).all()
    assert (dataset.test.images == test_images.reshape(30, 784)).all()
    assert dataset.train.labels.tolist() == labels.tolist()
    assert dataset.test.labels.tolist() == test_labels.tolist()
    assert dataset.classes == ()


def test_emnist_in_its_own_files_is_turned_and_it_is_said(small, tmp_path):
    turned = [(images.transpose(0, 2, 1).copy(), labels) for images, labels in small]
    write_idx(tmp_path / "a", *turned, "emnist-digits-{}", True)
    said = []
    dataset = load(str(tmp_path / "a"), say=said.append)
    assert (dataset.train.images == small[0][0].reshape(60, 784)).all()
    assert any("transposed" in line for line in said)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_images_of_every_kind_are_read_in_grey(small, tmp_path, suffix):
    images, labels = small[0]
    colour = np.stack([images] * 3, -1)
    path = write_folders(tmp_path / "a", (colour, labels), (colour, labels), suffix)
    found = load(str(path), say=silent).train.images.astype(int)
    tolerance = 0 if suffix == ".png" else 60  # JPEG is not exact
    assert abs(found - images.reshape(60, 784)).max() <= tolerance


def test_sixteen_bits_become_eight(tmp_path):
    grey = np.arange(16).reshape(4, 4) * 17
    for label in "ab":
        for number in range(2):
            for split in ("train", "test"):
                path = tmp_path / "a" / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((grey * 257).astype(np.uint16)).save(str(path))
    found = load(str(tmp_path / "a"), say=silent).train.images
    assert (found == grey.reshape(16)).all()


def test_transparent_parts_are_white_and_photographs_stand_upright(tmp_path):
    ink = np.zeros((6, 6, 4), np.uint8)  # black letters on nothing
    ink[1:3, 1:5, 3] = 255
    photo = Image.fromarray(np.repeat(np.arange(0, 240, 40, np.uint8), 6).reshape(6, 6))
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    for split in ("train", "test"):
        place = tmp_path / "a" / split / "x"
        place.mkdir(parents=True)
        Image.fromarray(ink).save(str(place / "1.png"))
        photo.save(str(place / "2.jpg"), quality=100, exif=turned)
    letters, upright = load(str(tmp_path / "a"), say=silent).train.images
    assert (letters.reshape(6, 6)[1:3, 1:5] == 0).all() and letters.sum() == 28 * 255
    assert (np.diff(upright.reshape(6, 6).mean(1)) < 0).all()


def test_a_share_of_each_class_is_held_out_the_same_way_every_time(small, tmp_path):
    path = write_folders(tmp_path / "a", small[0])
    found = load(str(path), test_share=0.34, say=silent)
    again = load(str(path), test_share=0.34, say=silent)
    assert facts_of(found) == facts_of(again)
    own = np.bincount(small[0][1])
    share = np.bincount(found.test.labels)
    assert (share == np.round(0.34 * own)).all()
    together = np.concatenate([found.train.images, found.test.images])
    assert sorted(map(bytes, together)) == sorted(map(bytes, small[0][0]))


def test_images_are_scaled_to_squares_of_a_side(tmp_path):
    wide = np.full((10, 20), 255, np.uint8)
    wide[:, :2] = 40
    for split in ("train", "test"):
        for label in "ab":
            place = tmp_path / "a" / split / label
            place.mkdir(parents=True)
            Image.fromarray(wide).save(str(place / "1.png"))
            Image.fromarray(np.full((8, 8), 200, np.uint8)).save(str(place / "2.png"))
    assert "which is not square: give the --side" in refusal(load, str(tmp_path / "a"))
    images = load(str(tmp_path / "a"), side=8, say=silent).train.images
    assert images.shape == (4, 64)
    scaled = images[0].reshape(8, 8)
    assert (scaled[:2] == 40).all() and (scaled[6:] == 40).all()  # a corner's grey
    assert scaled[4, 4] == 255 and (images[2] == 200).all()


def test_files_that_are_no_images_of_a_class_are_passed_over(small, tmp_path):
    path = write_folders(tmp_path / "a", *small)
    (path / "train" / "README.txt").write_text("digits")
    (path / "train" / "0" / "labels.csv").write_text("0")
    (path / "train" / "0" / ".hidden.png").write_text("")
    (path / "train" / ".cache").mkdir()
    assert len(load(str(path), say=silent).train.images) == 60


def damage_of_folders(name):
    def damage(path):
        first = sorted((path / "train" / "3").glob("*.png"))[0]
        if name == "empty file":
            first.write_bytes(b"")
        elif name == "cut":
            first.write_bytes(first.read_bytes()[:-30])
        elif name == "text":
            first.write_text("no image")
        elif name == "other format":
            Image.open(str(first)).save(str(first), format="GIF")
        elif name == "size":
            Image.new("L", (30, 30)).save(str(first))
        elif name == "empty class":
            (path / "train" / "new").mkdir()
        elif name == "no class":
            shutil.rmtree(str(path / "train"))
            (path / "train").mkdir()
        elif name == "no train":
            shutil.rmtree(str(path / "train"))
        elif name == "only tested":
            (path / "test" / "new").mkdir()
            shutil.copy(str(first), str(path / "test" / "new"))
        elif name == "no test":
            shutil.rmtree(str(path / "test"))

    return damage


@pytest.mark.parametrize(
    "damage, reason",
    [
        ("empty file", "cannot read"),
        ("cut", "cannot read"),
        ("text", "cannot read"),
        ("other format", "cannot read"),
        ("size", "30 x 30 pixels"),
        ("empty class", "new has no images"),
        ("no class", "no folders with images"),
        ("no train", "there is no folder"),
        ("only tested", "'new' has no training images"),
        ("no test", "give --test-share"),
    ],
)
def test_folders_with_a_fault_are_refused_in_a_line(small, tmp_path, damage, reason):
    path = write_folders(tmp_path / "a", *small)
    damage_of_folders(damage)(path)
    message = refusal(load, str(path))
    assert reason in message and str(path) in message or "'new'" in message


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_share_that_leaves_a_class_without_images_is_refused(small, tmp_path, share):
    path = write_folders(tmp_path / "a", small[0])
    assert "cannot be divided" in refusal(load, str(path), None, None, share)


def test_npz_files_with_a_fault_are_refused_in_a_line(small, tmp_path):
    good = write_npz(tmp_path / "good.npz", *small)
    data = good.read_bytes()
    cases = {
        "text": (b"no arrays", "neither a directory nor an .npz file"),
        "empty": (b"", "neither a directory nor an .npz file"),
        "cut": (data[:-100], "cannot read"),
        "flipped": (data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], "CRC"),
    }
    for name, (content, reason) in cases.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        assert reason in refusal(load, str(path)), name
    np.savez(str(tmp_path / "other.npz"), x=small[0][0], y=small[0][1])
    message = refusal(load, str(tmp_path / "other.npz"))
    assert "no x_train and no y_train and no x_test and no y_test" in message
    assert "'x', 'y'" in message
    objects = {name: np.array([{}]) for name in ("y_train", "x_test", "y_test")}
    np.savez(str(tmp_path / "objects.npz"), x_train=np.array([print]), **objects)
    assert "cannot read" in refusal(load, str(tmp_path / "objects.npz"))


def test_idx_directories_with_a_fault_are_refused_in_a_line(small, tmp_path):
    path = write_idx(tmp_path / "a", *small)
    labels = path / "t10k-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes(content[:-1])
    assert f"{labels}: 37 bytes, where its header announces 38" in refusal(
        load, str(path)
    )
    labels.unlink()
    assert "has IDX files but no t10k-labels" in refusal(load, str(path))
    labels.write_bytes(content)
    (path / "emnist-letters-test-labels-idx1-ubyte").write_bytes(content)
    assert "several files t10k-labels-idx1-ubyte" in refusal(load, str(path))


def test_there_is_no_such_data_set():
    message = refusal(load, "fashion_mnist")
    assert "did you mean 'fashion-mnist'?" in message
    assert all(name in message for name in NAMES) and "path" in message


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"test_share": 0.2}, "leave out --test-share"),
        ({"side": 20}, "not of 20 x 20"),
        ({"mnist_dir": "x", "dataset": "mnist-5k"}, "--mnist-dir"),
    ],
)
def test_options_that_do_not_fit_are_refused(mnist_dir, monkeypatch, options, reason):
    monkeypatch.setenv("MNIST_DIR", str(mnist_dir))
    assert reason in refusal(lambda: load(**options))


def test_options_of_folders_are_refused_for_other_files(small, tmp_path):
    path = str(write_npz(tmp_path / "a.npz", *small))
    assert "leave out --test-share" in refusal(lambda: load(path, test_share=0.2))
    assert "not of 20 x 20" in refusal(lambda: load(path, side=20, say=silent))
    assert load(path, side=28, say=silent).train.images.shape == (60, 784)
