"""Work on many items from several threads: in order, bounded, stopped when asked."""

import threading
import time

import pytest

from cvae.backend import threads


def test_results_come_in_the_order_of_the_items():
    def work(item, go_on):
        go_on()
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(threads.each(work, range(50))) == [i * i for i in range(50)]


def test_as_many_threads_work_as_there_are_cores(monkeypatch):
    """Each of three waits until all of them are there."""
    monkeypatch.setattr(threads, "cores", lambda: 3)
    barrier = threading.Barrier(3, timeout=60.0)
    assert len(list(threads.each(lambda item, go_on: barrier.wait(), range(3)))) == 3


def test_few_items_are_begun_ahead_of_what_is_taken():
    begun = []
    results = threads.each(lambda item, go_on: begun.append(item), range(1000))
    next(results)
    assert len(begun) <= 4 * threads.cores() + 1
    results.close()
    assert len(begun) <= 4 * threads.cores() + 1


def test_closing_it_stops_long_work_at_once():
    started = threading.Event()

    def work(item, go_on):
        if item:
            started.set()
        while item:
            go_on()
            time.sleep(0.001)

    results = threads.each(work, range(100))
    next(results)
    assert started.wait(60.0)
    results.close()  # or it would never return


def test_an_error_in_a_thread_is_raised_and_ends_the_rest():
    def work(item, go_on):
        if item == 2:
            raise ValueError("two")
        return item

    results, seen = threads.each(work, range(1000)), []
    with pytest.raises(ValueError, match="two"):
        for value in results:
            seen.append(value)
    assert seen == [0, 1]
