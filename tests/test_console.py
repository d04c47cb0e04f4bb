from __future__ import annotations

import pytest

from psis_bench import console


def test_results_and_progress_go_to_different_streams(capfd: pytest.CaptureFixture[str]) -> None:
    console.out.print("table")
    with console.progress("train", total=3, done=1) as bar:
        bar.advance(2, note="loss 0.5")
    shown = capfd.readouterr()
    assert shown.out == "table\n"
    assert "train" in shown.err
    assert "3/3" in shown.err


def test_a_broken_off_block_still_closes_the_bar() -> None:
    with pytest.raises(ZeroDivisionError), console.progress("train", total=None):
        raise ZeroDivisionError
    with console.progress("again", total=1) as bar:
        bar.advance()
