"""Imported first by every script: finds the package of this checkout."""

import os
import sys

# The package is found by these folders and nothing else: they are people's working
# directories as well, and a `types.py` of theirs must not replace Python's own.
_SCRIPTS = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(_SCRIPTS)
sys.path[:] = [_ROOT] + [path for path in sys.path if path not in (_SCRIPTS, _ROOT)]
import cvae  # noqa: E402, F401  (it imports nothing that such a file could replace)

del sys.path[0]
from cvae.__main__ import main  # noqa: E402, F401
