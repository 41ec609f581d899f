"""Which files are taken: given, shared or kept ones before the network's."""

import gzip
import os

import hostile_server
import pytest
from tiny_mirrors import CONTENTS, TINY, assert_all_there, download, one_line

from cvae.data import mnist
from cvae.data.download import Unavailable
from cvae.errors import CvaeError
from cvae.storage import checkout


def places_in(folder):
    """The places of a data set in a project that lies in `folder`."""
    return lambda name: [folder / "project" / "data" / name, folder / "shared" / name]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project whose MNIST is the tiny one."""
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setattr(mnist, "FILES", TINY)
    monkeypatch.setattr(checkout, "data_places", places_in(tmp_path))
    return tmp_path / "project"


def test_first_use_downloads_and_later_uses_do_not(server, project):
    files = mnist.fetch(mirrors=[server.mirror("good")])
    assert [file.content for file in files] == list(CONTENTS.values())
    assert_all_there(project / "data" / "mnist")
    assert mnist.fetch(mirrors=[]) == files
    assert len(server.log) == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "html", "remove"])
def test_damaged_cache_is_named_and_fetched_anew(server, project, capsys, damage):
    mnist.fetch(mirrors=[server.mirror("good")])
    capsys.readouterr()
    del server.log[:]
    path = project / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    if damage == "remove":
        path.unlink()
    else:
        damaged = {"flip": data, "cut": data[:-9], "empty": b"", "html": b"<html>"}
        path.write_bytes(damaged[damage])
    files = mnist.fetch(mirrors=[server.mirror("good")])
    assert [file.content for file in files] == list(CONTENTS.values())
    assert server.log == [("good", path.name)]
    assert_all_there(path.parent)
    warnings = [w for w in capsys.readouterr().err.split("\n") if "warning" in w]
    assert len(warnings) == (damage != "remove")
    assert all(str(path) in warning for warning in warnings)


def test_damaged_cache_stays_when_no_mirror_helps(server, project):
    mnist.fetch(mirrors=[server.mirror("good")])
    path = project / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(b"damaged")
    with pytest.raises(Unavailable):
        mnist.fetch(mirrors=[server.mirror("404")])
    assert path.read_bytes() == b"damaged"
    assert len(os.listdir(str(path.parent))) == 4


def test_shared_directory_comes_before_the_network(project):
    shared = project.parent / "shared" / "mnist"
    shared.mkdir(parents=True)
    for name, data in CONTENTS.items():
        (shared / name).write_bytes(data)
    assert [file.path.parent for file in mnist.fetch(mirrors=[])] == [shared] * 4
    assert not project.exists()


def test_given_directory_is_the_only_one_tried(server, project, monkeypatch):
    good = [server.mirror("good")]
    mnist.fetch(mirrors=good)
    other = project / "other"
    other.mkdir()
    with pytest.raises(CvaeError, match="other.*not found") as error:
        mnist.fetch(other, good)
    assert not isinstance(error.value, Unavailable)
    assert "--mnist-dir" in one_line(error)
    monkeypatch.setenv("MNIST_DIR", str(other))
    with pytest.raises(CvaeError, match="other.*not found"):
        mnist.fetch(mirrors=good)
    assert os.listdir(str(other)) == [] and len(server.log) == 4


def test_argument_goes_before_the_environment(server, project, monkeypatch):
    here = project / "here"
    download(here, [server.mirror("good")])
    monkeypatch.setenv("MNIST_DIR", str(project / "nowhere"))
    assert mnist.fetch(here)[0].path.parent == here


def packed_by_anyone(mnist_dir, file):
    path = next(mnist_dir.glob(file.name[:-11] + "*"))
    data = path.read_bytes()
    return data if path.suffix == ".gz" else gzip.compress(data, 1)


def test_real_mnist_arrives_whole(mnist_dir, mnist, tmp_path, monkeypatch):
    from cvae.data import mnist as module

    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setattr(checkout, "data_places", places_in(tmp_path))
    packed = {
        file.name + ".gz": packed_by_anyone(mnist_dir, file) for file in module.FILES
    }
    with hostile_server.serve(packed) as server:
        mirrors = [server.mirror("reset"), server.mirror("good")]
        data = module.parse(module.fetch(mirrors=mirrors))
    for got, expected in zip(data.train + data.test, mnist.train + mnist.test):
        assert (got == expected).all()
