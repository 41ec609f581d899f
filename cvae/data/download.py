"""Whole files from the first mirror that serves good ones.

pooch does the HTTP and the progress bar. This module chooses the mirror, limits how
long and how much it sends, and writes all files or none.
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


class Unavailable(CvaeError):
    """Files are not on disk, and no mirror gave them."""


class Limits(NamedTuple):
    """How long a download waits for one mirror, and how much it takes from it."""

    connect: float = 10.0  # seconds for the connection
    silence: float = 15.0  # seconds without a byte
    grace: float = 30.0  # seconds for one file, plus its bytes / `min_rate`
    min_rate: float = 16384.0  # bytes/s; grace + size / min_rate is the deadline
    max_size: int = 16 << 20  # bytes of one file as sent; MNIST's largest has 9.9e6
    rounds: int = 2  # requests to a mirror whose fault may pass
    pause: float = 1.0  # seconds between rounds


def download(
    names: Sequence[str],
    fault: Callable[[str, bytes], str],
    destination: Path,
    mirrors: Sequence[str],
    title: str,
    remedy: str,
    limits: Limits = Limits(),
) -> None:
    """Put the files `names` from `mirrors` (URLs with a final /) into `destination`.

    Nothing is written until all files are in memory and verified. Then each appears
    whole.

    Args:
        fault: `fault(name, data)` returns what is wrong with a file, or "".
        title: of the data set, for the message.
        remedy: what to do where no mirror helps.

    Raises:
        Unavailable: every mirror failed for some file.
        CvaeError: `destination` cannot be written.
    """
    mirrors = list(mirrors)
    contents = {}
    for name in names:
        try:
            contents[name], good = _from_any(name, fault, mirrors, limits)
        except _Failed as failure:
            raise Unavailable(
                f"{title} is not on disk and cannot be downloaded ({name}: {failure}); "
                f"{remedy}"
            )
        mirrors.sort(key=lambda mirror: mirror != good)
    with contextlib.ExitStack() as files:
        for name, data in contents.items():
            path = files.enter_context(whole_file(Path(destination) / name))
            path.write_bytes(data)


def _from_any(name, fault, mirrors, limits):
    """Return (data, mirror) of the first good copy of `name`, or raise `_Failed`."""
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
                _log(f"{name} from {failures[mirror]}")
                if not failure.passing:
                    hopeful.remove(mirror)
            else:
                _log(f"{name} from {host}: {len(data):,} bytes, verified")
                return data, mirror
    raise _Failed(", ".join(failures.values()))


class _Failed(Exception):
    """Why a mirror gave no good file, and whether that may pass."""

    def __init__(self, reason, passing=False):
        super().__init__(reason)
        self.passing = passing


def _get(url, host, limits):
    """Return the content of `url`, at most `limits.max_size`, before the deadline."""
    from pooch import HTTPDownloader  # imported here, as most runs download nothing

    _log(f"downloading {url.rpartition('/')[2]} from {host}")
    sink = _Sink(limits.max_size)
    get = HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=1 << 14,
        timeout=(limits.connect, limits.silence),
        headers={"Accept-Encoding": "identity"},
        hooks={"response": _as_sent},
    )
    worker = threading.Thread(target=sink.fill, args=(get, url), daemon=True)
    start = time.monotonic()
    worker.start()
    try:
        # A socket's time-out begins again with every byte, and does not limit the
        # look-up of the host's name: only another thread can keep a deadline.
        while worker.is_alive():
            worker.join(0.1)
            seconds = time.monotonic() - start
            if seconds > limits.grace + len(sink.data) / limits.min_rate:
                raise _Failed(f"too slow ({len(sink.data):,} B in {seconds:.0f} s)")
    finally:
        sink.open = False
    if sink.error is not None:
        passing = _may_pass(sink.error, time.monotonic() - start)
        raise _Failed(_reason(sink.error), passing)
    return sink.data


class _Sink:
    """The file that pooch writes to: memory with an upper bound, and a way to stop."""

    def __init__(self, max_size):
        self.data = bytearray()
        self.max_size = max_size
        self.open = True
        self.error = None

    def fill(self, get, url):
        """Download `url` into `data`; keep an exception in `error`."""
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
    """Keep requests from unpacking a body (a bomb) and from reading a redirect's."""
    response.raw.headers.pop("Content-Encoding", None)
    response.raw.enforce_content_length = True  # urllib3 1 does not by itself
    if response.is_redirect:
        response.close()


def _may_pass(error, seconds):
    """Return whether to ask again: after a busy server or a broken line, if quick."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    if isinstance(error, exceptions.ChunkedEncodingError):
        return True
    return isinstance(error, exceptions.ConnectionError) and seconds < 5


def _reason(error):
    """Return the first cause of `error` in a few printable words."""
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


def _log(line):
    print(line, file=sys.stderr, flush=True)
