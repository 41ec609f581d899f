"""Train with several seeds or settings: `cvae sweep`.

python scripts/sweep.py --preset quick --seeds 0-4
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
import _env

if __name__ == "__main__":
    _env.main("sweep")
