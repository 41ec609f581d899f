"""Whole files from the first mirror that gives good ones.

pooch does the HTTP and tqdm the progress bar. Here: which mirror is next, how long to
wait for it, how much to take from it, and that all files arrive or none.
"""

import contextlib
import sys
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence
from urllib.parse import urlsplit

from cvae.errors import CvaeError
from cvae.storage.files import whole_file


class MnistUnavailable(CvaeError):
    """MNIST is not on disk and no mirror gave it; `mnist-5k` may do instead."""


class Limits(NamedTuple):
    """How patient a download is with one mirror, and how much it takes from it."""

    connect: float = 10.0  # seconds until a connection stands
    silence: float = 15.0  # seconds without a byte
    grace: float = 30.0  # seconds for one file, plus what `min_rate` makes of its bytes
    min_rate: float = 16384.0  # bytes/s; grace + size / min_rate is the deadline
    max_size: int = 16 << 20  # bytes of one file as sent; MNIST's largest has 9.9e6
    rounds: int = 2  # times that a mirror with a passing fault is asked
    pause: float = 1.0  # seconds between rounds


def download(
    names: Sequence[str],
    fault: Callable[[str, bytes], str],
    destination: Path,
    mirrors: Sequence[str],
    limits: Limits = Limits(),
) -> None:
    """Put the files `names` from `mirrors` (URLs with a final /) into `destination`.

    Nothing is written until all files are there in memory and `fault(name, data)` is
    "" for each; it says what is wrong with a file otherwise. Then each appears whole.

    Raises:
        MnistUnavailable: every mirror failed for some file.
        CvaeError: `destination` cannot be written.
    """
    mirrors = list(mirrors)
    contents = {}
    for name in names:
        contents[name], good = _from_any(name, fault, mirrors, limits)
        mirrors.sort(key=lambda mirror: mirror != good)
    with contextlib.ExitStack() as files:
        for name, data in contents.items():
            path = files.enter_context(whole_file(Path(destination) / name))
            path.write_bytes(data)


def _from_any(name, fault, mirrors, limits):
    """(data, mirror) of the first good copy of `name`."""
    failures = {}
    hopeful = list(mirrors)
    for attempt in range(limits.rounds):
        if attempt and hopeful:
            time.sleep(limits.pause)
        for mirror in list(hopeful):
            host = urlsplit(mirror).netloc
            try:
                data = _get(mirror + name, host, limits)
                reason = fault(name, data)
                if reason:
                    raise _Failed(reason)
            except _Failed as failure:
                failures[mirror] = f"{host}: {failure}"
                _say(f"{name} from {failures[mirror]}")
                if not failure.passing:
                    hopeful.remove(mirror)
            else:
                _say(f"{name} from {host}: {len(data):,} bytes, verified")
                return data, mirror
    raise MnistUnavailable(
        "MNIST is not on disk and cannot be downloaded ({}: {}); put the four files "
        "into a directory and name it with --mnist-dir or $MNIST_DIR, or use "
        "--dataset mnist-5k".format(name, ", ".join(failures.values()))
    )


class _Failed(Exception):
    """Why a mirror gave no good file, and whether that may pass."""

    def __init__(self, reason, passing=False):
        super().__init__(reason)
        self.passing = passing


def _get(url, host, limits):
    """The bytes at `url`, at most `limits.max_size`, before the deadline."""
    from tqdm import tqdm

    name = url.rpartition("/")[2]
    bar = None
    if sys.stderr.isatty():
        bar = tqdm(
            desc=name,
            total=limits.max_size,  # until pooch knows the length
            unit="B",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
        )
    else:
        _say(f"downloading {name} from {host}")
    sink = _Sink(limits.max_size)
    worker = threading.Thread(
        target=sink.fill, args=(url, limits, bar or False), daemon=True
    )
    start = time.monotonic()
    worker.start()
    try:
        # A socket time-out starts anew with every byte and does not bound the look-up
        # of the name: only another thread can keep a deadline.
        while worker.is_alive():
            worker.join(0.1)
            seconds = time.monotonic() - start
            if seconds > limits.grace + len(sink.data) / limits.min_rate:
                raise _Failed(f"too slow ({len(sink.data):,} B in {seconds:.0f} s)")
    finally:
        sink.open = False
        if bar is not None:
            bar.close()
    if sink.error is not None:
        passing = _may_pass(sink.error, time.monotonic() - start)
        raise _Failed(_reason(sink.error), passing)
    return bytes(sink.data)


class _Sink:
    """The file that pooch writes to: memory with an upper bound, and a way to stop."""

    def __init__(self, max_size):
        self.data = bytearray()
        self.max_size = max_size
        self.open = True
        self.error = None

    def fill(self, url, limits, progress):
        """Download `url` into `data`; leave what went wrong in `error`."""
        from pooch import HTTPDownloader

        get = HTTPDownloader(
            progressbar=progress,
            chunk_size=1 << 14,
            timeout=(limits.connect, limits.silence),
            headers={"Accept-Encoding": "identity"},
            hooks={"response": _as_sent},
        )
        try:
            get(url, self, None)
        except Exception as error:
            self.error = error

    def write(self, chunk):
        if not self.open:
            raise _Failed("given up")
        if len(self.data) + len(chunk) > self.max_size:
            raise _Failed(f"longer than {self.max_size:,} bytes")
        self.data += chunk

    def flush(self):
        pass


def _as_sent(response, **_):
    """Hook: keep requests from unpacking a body (a bomb) or reading a redirect's."""
    response.raw.headers.pop("Content-Encoding", None)
    response.raw.enforce_content_length = True  # urllib3 1 does not by itself
    if response.is_redirect:
        response.close()


def _may_pass(error, seconds):
    """Whether to ask again: a busy server or a broken line, but no long wait twice."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    if isinstance(error, exceptions.ChunkedEncodingError):
        return True
    return isinstance(error, exceptions.ConnectionError) and seconds < 5


def _reason(error):
    """A few printable words for what went wrong at the bottom."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return f"HTTP {error.response.status_code}"
    while error.__cause__ or error.__context__:
        inner = error.__cause__ or error.__context__
        if isinstance(inner, TypeError):  # an old keyword that urllib3 1 tries first
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:100]


def _say(line):
    print(line, file=sys.stderr, flush=True)
