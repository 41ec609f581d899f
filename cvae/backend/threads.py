"""Work on many items in as many threads as cores; the work releases Python's lock."""

import collections
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Generator, Iterable


class Stopped(Exception):
    """The caller needs no more results."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(
    work: Callable[[Any, Callable[[], None]], Any], items: Iterable[Any]
) -> Generator:
    """Yield `work(item, go_on)` of each item, in their order.

    Only a few more items are begun than there are threads. `go_on()` raises `Stopped`
    after the iterator is closed, for instance by an interrupt: long work calls it now
    and then.
    """
    ended = threading.Event()

    def go_on():
        if ended.is_set():
            raise Stopped()

    items, begun = iter(items), collections.deque()
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item, go_on))
                if len(begun) >= 4 * cores():
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            ended.set()
            for future in begun:
                future.cancel()
