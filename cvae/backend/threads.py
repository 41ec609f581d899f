"""Work on many items in threads; the work releases Python's lock."""

import collections
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Deque, Generator, Iterable, Optional

AHEAD = 4  # items of each thread or process that are begun before they are needed


class Stopped(Exception):
    """The caller needs no more results."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(
    work: Callable[[Any, Callable[[], None]], Any],
    items: Iterable[Any],
    n_threads: Optional[int] = None,
) -> Generator:
    """Yield `work(item, go_on)` of each item, in their order, by as many threads.

    There are as many threads as cores if `n_threads` is None.

    Only a few more items are begun than there are threads. `go_on()` raises `Stopped`
    after the iterator is closed, for instance by an interrupt: long work calls it now
    and then.
    """
    ended = threading.Event()

    def go_on():
        if ended.is_set():
            raise Stopped()

    def started(item):
        go_on()
        return work(item, go_on)

    n_threads = n_threads or cores()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            ahead = AHEAD * n_threads
            yield from in_order(lambda item: pool.submit(started, item), items, ahead)
        finally:
            ended.set()


def in_order(
    begin: Callable[[Any], Any], items: Iterable[Any], ahead: int
) -> Generator:
    """Yield the results of `begin(item)`, futures, in the order of the items.

    At most `ahead` items are begun before they are needed.
    """
    begun: Deque[Any] = collections.deque()
    for item in items:
        begun.append(begin(item))
        if len(begun) >= ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
