"""Write the weights of a run for the repository: `cvae export`.

python scripts/export_pretrained.py --run runs/report-best
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `python -I` has not
import _env

if __name__ == "__main__":
    _env.main("export")
