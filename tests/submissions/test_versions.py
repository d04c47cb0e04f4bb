"""Submissions of every schema version stay valid: ``versions/<n>`` holds one that was made with version ``n``.

A new version gets a new folder; the old ones are never changed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from psis_bench.submissions.annotations import AnnotationSource
from psis_bench.submissions.schema import SCHEMA_VERSION, Tier, load_submission
from psis_bench.submissions.validation import Options, validate

VERSIONS = Path(__file__).parent / "versions"


def test_there_is_one_of_each_version() -> None:
    kept = {path.name for path in VERSIONS.iterdir()}
    assert kept == {str(version) for version in range(1, SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_submission_of_an_old_version_is_valid(version: int, tmp_path: Path) -> None:
    shutil.copytree(VERSIONS / str(version), tmp_path / "old")
    folder = tmp_path / "old" / "submission"
    assert json.loads((folder / "submission.json").read_text())["schema_version"] == version
    source = AnnotationSource(data=str(tmp_path / "old" / "annotations.json"))
    (report,) = validate([folder], Options(source=source))
    assert not report.problems
    assert report.tier is Tier.RECOMPUTED
    assert load_submission(folder).tier is Tier.RECOMPUTED
