"""Generate images of every class: `cvae sample`.

python scripts/sample.py --per-class 10
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
import _env

if __name__ == "__main__":
    _env.main("sample")
