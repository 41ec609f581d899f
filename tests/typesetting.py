"""A mark for tests that need typst, which has no build for Python 3.6."""

import pytest

from cvae import report
from cvae.errors import CvaeError


def no_typesetter():
    try:
        report.check_typesetter()
    except CvaeError:
        return True
    return False


typesets = pytest.mark.skipif(no_typesetter(), reason="no typst on this Python")
