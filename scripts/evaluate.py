"""Evaluate a run on the test images: `cvae evaluate`.

python scripts/evaluate.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
import _env

if __name__ == "__main__":
    _env.main("evaluate")
