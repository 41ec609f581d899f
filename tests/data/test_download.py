"""A hostile server gives four verified files or none, and never a hang."""

import errno
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
import tracemalloc
from pathlib import Path

import hostile_server
import pooch  # noqa: F401 (so that no test waits for the import)
import pytest
from paths import ROOT
from tiny_mirrors import (
    LIMITS,
    PACKED,
    TINY,
    assert_all_there,
    download,
    one_line,
)

from cvae.data import mnist
from cvae.data.download import Unavailable
from cvae.errors import CvaeError

IMPATIENT = LIMITS._replace(silence=1, grace=2, min_rate=1e6)

# What a mirror may do, and what the message says then.
FAULTS = {
    "refused": "Connection refused",
    "403": "HTTP 403",
    "404": "HTTP 404",
    "500": "HTTP 500",
    "503": "HTTP 503",
    "reset": "Connection reset",
    "reset_at_once": "Connection reset",
    "drip": "too slow",
    "drip_headers": "too slow",
    "silent": "timed out",
    "short": "IncompleteRead",
    "long": "broken gzip",
    "bad_length": "many",
    "truncated": "broken gzip",
    "loop": "redirects",
    "endless_redirect": "redirects",
    "endless": "longer than 1,048,576 bytes",
    "html": "not gzip",
    "plain": "not gzip",
    "empty": "not gzip",
    "other_content": "SHA-256",
    "bomb": "expands to more than the expected 2,368 bytes",
    "encoded_bomb": "expands to more than the expected 2,368 bytes",
    "gibberish": "",
}
PASSING = ("500", "503", "reset", "reset_at_once", "short", "gibberish")

FETCH = """
import json, sys
from cvae.data.download import Limits
from cvae.data.published import Publication, PublishedFile, download
destination, mirrors, files, limits = json.loads(sys.argv[1])
files = [PublishedFile(*file) for file in files]
download(Publication("MNIST", files, mirrors, "", Limits(*limits)), destination)
"""


def mirror(server, fault):
    if fault == "refused":
        return hostile_server.refused_mirror()
    return server.mirror(fault)


def limits_for(fault):
    return IMPATIENT if fault in ("drip", "drip_headers", "silent") else LIMITS


@pytest.mark.parametrize("fault", FAULTS)
def test_next_mirror_makes_good_for_a_fault(server, tmp_path, fault):
    mirrors = [mirror(server, fault), server.mirror("good")]
    download(tmp_path / "mnist", mirrors, limits_for(fault))
    assert_all_there(tmp_path / "mnist")
    # The mirror that failed is not asked for the other files.
    assert [name for asked, name in server.log if asked == "good"] == list(PACKED)
    assert {name for asked, name in server.log if asked == fault} <= {list(PACKED)[0]}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_everywhere_is_one_line_and_leaves_nothing(server, tmp_path, fault):
    mirrors = [mirror(server, fault), server.mirror("404")]
    start = time.monotonic()
    with pytest.raises(Unavailable) as error:
        download(tmp_path / "mnist", mirrors, limits_for(fault))
    assert time.monotonic() - start < 60  # seconds where nothing else runs: 6 at most
    # What may pass gets a second chance; one that said no is not asked again.
    asked = [mirror for mirror, _ in server.log]
    assert asked.count("404") == 1 + (fault == "404")
    if fault not in ("refused", "404", "loop", "endless_redirect"):
        assert asked.count(fault) == 1 + (fault in PASSING)
    message = one_line(error)
    assert message.isprintable()
    assert FAULTS[fault] in message and "HTTP 404" in message
    for word in ("train-images", "127.0.0.1", "--mnist-dir", "--dataset mnist-5k"):
        assert word in message
    assert not (tmp_path / "mnist").exists()


@pytest.mark.parametrize("kind", ["good", "apache", "moved"])
def test_well_meant_answers_are_taken(server, tmp_path, kind):
    download(tmp_path, [server.mirror(kind)])
    assert_all_there(tmp_path)


def test_busy_mirror_is_asked_again_but_not_one_that_said_no(server, tmp_path):
    mirrors = [server.mirror("busy_once"), server.mirror("404")]
    download(tmp_path, mirrors)
    assert_all_there(tmp_path)
    asked = [fault for fault, _ in server.log]
    assert asked == ["busy_once", "404", "busy_once"] + ["busy_once"] * 3


def test_mirrors_are_asked_in_their_order(server, tmp_path):
    faults = ["404", "html", "403", "good"]
    download(tmp_path, [server.mirror(f) for f in faults])
    assert [fault for fault, _ in server.log] == faults + ["good"] * 3


def test_real_mirrors_are_the_buckets_and_the_original_site_last():
    hosts = [mirror.split("/")[2] for mirror in mnist.MIRRORS]
    assert hosts == [
        "storage.googleapis.com",
        "ossci-datasets.s3.amazonaws.com",
        "yann.lecun.com",
    ]
    assert all(mirror.endswith("/") for mirror in mnist.MIRRORS)


def test_failure_at_the_third_file_leaves_none(server, tmp_path):
    with pytest.raises(Unavailable, match="t10k-images"):
        download(tmp_path / "mnist", [server.mirror("first_two")])
    assert not (tmp_path / "mnist").exists()


def test_bomb_is_never_expanded(server, tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(CvaeError):
            download(tmp_path, [server.mirror("bomb")])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20 < 64 << 20


@pytest.mark.parametrize("failing", range(4))
def test_full_disk_leaves_what_was_there(server, tmp_path, monkeypatch, failing):
    old = tmp_path / "train-images-idx3-ubyte.gz"
    old.write_bytes(b"old")
    write = Path.write_bytes
    written = []

    def full(path, data):
        written.append(path)
        if len(written) > failing:
            write(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CvaeError, match="No space left") as error:
        download(tmp_path, [server.mirror("good")])
    assert list(PACKED)[failing] in one_line(error)
    assert os.listdir(str(tmp_path)) == [old.name]
    assert old.read_bytes() == b"old"


def test_destination_without_permission_is_one_line(server, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("cvae.storage.files.tempfile.mkstemp", refuse)
    with pytest.raises(CvaeError, match="Permission denied") as error:
        download(tmp_path / "mnist", [server.mirror("good")])
    assert str(tmp_path / "mnist") in one_line(error)


def test_destination_below_a_file_is_one_line(server, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(CvaeError, match="cannot write") as error:
        download(tmp_path / "file" / "x", [server.mirror("good")])
    one_line(error)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("moment", ["cvae.data.download.Path.write_bytes", "os.fsync"])
def test_interrupt_while_writing_leaves_nothing(server, tmp_path, monkeypatch, moment):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(tmp_path, [server.mirror("good")])
    assert os.listdir(str(tmp_path)) == []


def start_download(destination, mirrors, limits=LIMITS, **kwargs):
    job = json.dumps([str(destination), mirrors, TINY, limits])
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, job],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stderr=kwargs.pop("stderr", subprocess.PIPE),
        **kwargs,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_killed_download_leaves_nothing(server, tmp_path, name):
    process = start_download(tmp_path / "mnist", [server.mirror("drip")])
    while not server.log:
        time.sleep(0.01)
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (tmp_path / "mnist").exists()


def test_two_processes_at_once_both_end_well(server, tmp_path):
    both = [start_download(tmp_path, [server.mirror("meet")]) for _ in range(2)]
    for process in both:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    assert len(server.log) == 8
    assert_all_there(tmp_path)


def test_without_a_terminal_there_are_only_plain_lines(server, tmp_path):
    process = start_download(tmp_path, [server.mirror("404"), server.mirror("good")])
    _, lines = process.communicate(timeout=60)
    assert lines.decode("ascii").replace("\n", "").isprintable()
    assert lines.count(b"verified") == 4 and lines.count(b"HTTP 404") == 1


def test_on_a_terminal_there_is_a_progress_bar(server, tmp_path):
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    process = start_download(tmp_path, [server.mirror("good")], stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # How Linux says that the other side has closed.
            break
    os.close(ours)
    assert process.wait(60) == 0
    assert b"\r" in shown and b"B/s" in shown and b"%" in shown
    assert shown.count(b"verified") == 4
