"""How hypothesis tries many inputs: the same ones on every machine, without a clock."""

from hypothesis import HealthCheck, settings


def fuzz(count):
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
