"""Write the explorer of a run: `cvae explore`.

python scripts/explore.py --open
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
import _env

if __name__ == "__main__":
    _env.main("explore")
