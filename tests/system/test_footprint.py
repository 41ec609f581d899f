"""How much memory the default preset takes: `footprint.py` in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import HELPERS, ROOT

from cvae.backend import compat

MOST = 700  # megabytes of a training on TensorFlow 1.15, in all
OWN = 455  # of them beyond what importing TensorFlow takes, on either stack
SLACK = 32  # comes and goes; the weights with Adam's state are 42
LITTLE = 12  # of an evaluation; its draws, if they were kept, would be 23
EXACT = {  # one heap, and what is freed is returned: growth is not fragments
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
}

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="only Linux reports peaks"
    ),
]


def peaks(*args, **environ):
    """Return what `footprint.py` prints: megabytes after the imports, at each peak."""
    done = subprocess.run(
        [sys.executable, str(HELPERS / "footprint.py"), *map(str, args)],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(ROOT), **environ),
    )
    assert done.returncode == 0
    imported, *later = json.loads(done.stdout.decode())
    return imported, later


@pytest.fixture(scope="module")
def trained(mnist_dir, tmp_path_factory):
    return peaks("train", tmp_path_factory.mktemp("footprint") / "run", mnist_dir)


def test_a_default_training_on_the_whole_mnist_takes_at_most_700_mb(trained):
    imported, epochs = trained
    assert max(epochs) - imported <= OWN
    if compat.VERSION.startswith("1."):
        assert max(epochs) <= MOST


def test_a_training_takes_no_more_from_epoch_to_epoch(trained):
    _, (_, second, *later) = trained  # the first allocates what stays
    assert max(later) <= second + SLACK


def test_importance_sampling_takes_no_more_with_ten_times_the_particles(mnist_dir):
    _, (_, few, many) = peaks("evaluate", mnist_dir, **EXACT)
    assert many <= few + LITTLE
