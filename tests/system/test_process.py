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
sys.path[:0] = sys.argv[1:3]
from cvae.cli import process
if "a finder of one's own" in sys.argv:
    class Own:
        find_spec = sys.meta_path.pop().find_spec
    sys.meta_path.append(Own)
process.prepare()
import tensorflow, yaml
print(tensorflow.found, yaml.__name__)
"""


def _found(folder, *args):
    """Return what TensorFlow's stand-in imports, and the process after it."""
    (folder / "tensorflow.py").write_text(STANDIN)
    (folder / "yaml.py").write_text("")
    root = Path(__file__).resolve().parent.parent.parent
    command = [sys.executable, "-c", PROGRAM, str(folder), str(root), *args]
    return subprocess.check_output(command).split()


@pytest.mark.once
def test_what_tensorflow_does_not_need_is_hidden_from_it_and_nothing_else(tmp_path):
    assert _found(tmp_path) == [b"None", b"yaml"]


@pytest.mark.once
def test_where_python_finds_modules_in_another_way_nothing_is_hidden(tmp_path):
    assert _found(tmp_path, "a finder of one's own") == [b"yaml"] * 2
