"""Submissions made to do harm are refused with their reason, and leave no trace.

How long each takes and how much memory it needs is measured by ``make hostile``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_submissions import HOSTILE, OPENED
from small_world import World

from psis_bench.errors import UserError
from psis_bench.submissions.schema import Tier


def listing(folder: Path) -> list[str]:
    """Everything below a folder, with sizes; links are not followed."""
    return sorted(f"{path.relative_to(folder)} {path.lstat().st_size}" for path in folder.rglob("*"))


def no_scores(*_: object, **__: object) -> None:
    """Stand in for the process that opens predictions, which takes most of the time."""
    raise UserError("not scored here", where="predictions")


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_is_refused(
    world: World, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = HOSTILE[name].make(world)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    if name not in OPENED:
        monkeypatch.setattr("psis_bench.submissions.rescoring.rescore", no_scores)
    before = listing(tmp_path)
    report = world.check(path)
    assert HOSTILE[name].told in "\n".join(map(str, report.problems))
    assert report.tier is Tier.REPORTED
    assert listing(tmp_path) == before
    shown = "\n".join(map(str, report.problems))
    assert all(character.isprintable() or character == "\n" for character in shown)
