"""Where things of the checkout are."""

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
TESTS = HELPERS.parent
ROOT = TESTS.parent
SCRIPTS = ROOT / "scripts"
