"""Progress on standard error: when it is shown, and what it says."""

import pytest

from optimization.command_line.progress import COMPILING, Progress, duration


class Screen:
    def __init__(self, terminal):
        self.written, self._terminal = "", terminal

    def isatty(self):
        return self._terminal

    def write(self, text):
        self.written += text

    def flush(self):
        pass


def test_progress_on_a_terminal_shows_at_once_and_clears_its_line():
    screen = Screen(terminal=True)
    with Progress("combinations", screen) as progress:
        progress(250, 1000)
        progress(251, 1000)
    assert screen.written == "\r250 of 1,000 combinations · 25 %\033[K\r\033[K"


def test_progress_elsewhere_says_first_what_it_waits_for():
    screen = Screen(terminal=False)
    with Progress("combinations", screen, show_after=0.0) as progress:
        progress._silence.join()
        assert screen.written == f"{COMPILING}\n"
        progress(10, 1000)
        progress(20, 1000)
    assert screen.written.splitlines()[1:] == ["10 of 1,000 combinations · 1 %"]


def test_quick_work_shows_nothing_elsewhere():
    screen = Screen(terminal=False)
    with Progress("combinations", screen) as progress:
        progress(1000, 1000)
    assert screen.written == ""


def test_time_left_follows_the_pace_since_the_first_report(monkeypatch):
    moments = iter([0.0, 100.0, 130.0])
    monkeypatch.setattr("optimization.command_line.progress.time.monotonic", lambda: next(moments))
    screen = Screen(terminal=False)
    with Progress("combinations", screen) as progress:
        progress(100, 1000)
        progress(400, 1000)
    assert screen.written.splitlines()[-1] == "400 of 1,000 combinations · 40 % · 1 min 00 s left"


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (7322, "2 h 02 min")]
)
def test_lengths_of_time_read_in_their_largest_units(seconds, text):
    assert duration(seconds) == text
