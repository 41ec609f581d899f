"""What `cvae.cli.process.prepare` does to the import of TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

STANDIN = """
try:
    import yaml
    found = yaml.__name__
except ImportError:
    found = None
"""
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
from cvae.cli import process
process.prepare()
import tensorflow, yaml
print(tensorflow.found, yaml.__name__)
"""


@pytest.mark.once
def test_what_tensorflow_does_not_need_is_hidden_from_it_and_nothing_else(tmp_path):
    (tmp_path / "tensorflow.py").write_text(STANDIN)
    (tmp_path / "yaml.py").write_text("")
    root = Path(__file__).resolve().parent.parent.parent
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(root)]
    assert subprocess.check_output(command).split() == [b"None", b"yaml"]
