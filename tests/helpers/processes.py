"""The processes that this one has started, as psutil sees them."""

import time

import psutil

TRACKERS = ("resource_tracker", "semaphore_tracker")  # they end with this process


def workers(before=()):
    """Return the descendants of this process, without trackers and those `before`."""
    found = psutil.Process().children(recursive=True)
    return [
        process
        for process in found
        if process not in before
        and not any(name in " ".join(process.cmdline()) for name in TRACKERS)
    ]


def are_gone(pids, seconds=10.0):
    """Return whether the processes end within so many seconds."""
    end = time.monotonic() + seconds
    while any(map(_lives, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
