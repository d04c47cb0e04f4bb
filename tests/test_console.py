from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from psis_bench import console


def test_results_and_progress_go_to_different_streams(capfd: pytest.CaptureFixture[str]) -> None:
    console.out.print("table")
    with console.progress("train", total=3, done=1) as bar:
        bar.advance(2, note="loss 0.5")
    shown = capfd.readouterr()
    assert shown.out == "table\n"
    assert shown.err == ""


def test_a_broken_off_block_still_closes_the_bar() -> None:
    with pytest.raises(ZeroDivisionError), console.progress("train", total=None):
        raise ZeroDivisionError
    with console.progress("again", total=1) as bar:
        bar.advance()


@pytest.mark.parametrize(("seconds", "line"), [(1.9, ""), (3725, "train: 3/3 in 1:02:05, loss 0.5\n")])
def test_long_work_leaves_a_line_in_a_log(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seconds: float, line: str
) -> None:
    now = [100.0]
    monkeypatch.setattr(console, "err", Console(stderr=True, get_time=lambda: now[0]))
    with console.progress("train", total=3, done=1) as bar:
        bar.advance(2, note="loss 0.5")
        now[0] += seconds
    assert capfd.readouterr().err == line
    with console.progress("train", total=3, shown=False) as bar:
        now[0] += seconds
    with pytest.raises(ZeroDivisionError), console.progress("train", total=3):
        now[0] += seconds
        raise ZeroDivisionError
    assert capfd.readouterr().err == ""


def on_a_terminal(written: str) -> list[str]:
    """Return the lines that a terminal shows after all that was written to it."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line for line in lines if line.strip()]


def test_on_a_terminal_a_bar_stays_when_done_and_goes_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=terminal, force_terminal=True, width=100, color_system=None))
    with console.progress("train", total=3) as bar:
        bar.advance(3)
    (line,) = on_a_terminal(terminal.getvalue())
    assert "train" in line
    assert "3/3" in line
    terminal.truncate(0)
    with pytest.raises(ZeroDivisionError), console.progress("score", total=3) as bar:
        bar.advance(1)
        raise ZeroDivisionError
    assert "score" in terminal.getvalue()
    assert on_a_terminal(terminal.getvalue()) == []
