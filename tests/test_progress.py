"""Progress: plain lines in a log, a bar on a terminal, honest about time left."""

import io

import pytest

from cvae import progress
from cvae.progress import Progress, clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """The time that `progress` sees, to be set."""
    seconds = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_share_rate_and_time_left_count_from_this_process(now, capsys):
    with Progress(total=1000, done=400) as bar:
        now[0] += 10.0
        bar.advance(200)
        assert bar.summary() == "60 %, 20 images/s, 0:20 left"


def test_a_slow_rate_has_a_decimal(now):
    with Progress(total=100) as bar:
        now[0] += 20.0
        bar.advance(5)
        assert bar.summary() == "5 %, 0.2 images/s, 6:20 left"


def test_a_total_that_is_not_known_yet_has_no_share_and_no_time_left(now):
    with Progress(total=None) as bar:
        now[0] += 10.0
        bar.advance(200)
        assert bar.summary() == "20 images/s"
        bar.advance(0, total=400)
        assert bar.summary() == "50 %, 20 images/s, 0:10 left"


def test_a_log_gets_notes_and_a_line_every_half_minute_without_control_characters(
    now, capsys
):
    with Progress(total=1000, label="evaluating") as bar:
        for _ in range(7):
            now[0] += 10.0
            bar.advance(100, remark="bound -90.00")
        bar.note("epoch 1")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "evaluating: 40 %, 10 images/s, 1:00 left bound -90.00",
        "epoch 1",
    ]


def test_a_terminal_gets_a_bar_that_is_redrawn_in_place(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with Progress(total=1000) as bar:
        bar.advance(500, remark="bound -90.00")
        bar.note("epoch 1")
    text = terminal.getvalue()
    assert "\r" in text and "50%|" in text and "\repoch 1\n" in text


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_a_duration_reads_like_a_clock(seconds, text):
    assert clock(seconds) == text
