"""Many inputs for a test: the same ones on every machine, without a clock."""

import random

from hypothesis import HealthCheck, settings


def each(count, check):
    """Call `check(chance)` with `count` generators; name the seed of a failure."""
    for seed in range(count):
        try:
            check(random.Random(seed))
        except Exception as error:
            raise AssertionError(f"input {seed}: {error}") from error


def spliced(data, chance):
    """`data` with a few bytes replaced, cut out or put in, mostly in its header."""
    start = chance.randint(0, chance.choice((16, len(data))))
    new = noise(chance, 4)
    return data[:start] + new + data[start + chance.randint(0, 4) :]


def noise(chance, longest):
    """Up to `longest` random bytes."""
    return bytes(chance.randrange(256) for _ in range(chance.randint(0, longest)))


def fuzz(count):
    """Settings with which hypothesis tries `count` inputs."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
