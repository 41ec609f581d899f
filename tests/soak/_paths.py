"""Imported first by every campaign: finds the tests' helpers and the package."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "helpers"), str(TESTS.parent)]
