"""What scores were taken from is found again, and only while it is what was scored."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from psis_bench.scoring.comparing.sources import RECORD, Source, hash_of, read_source, write_source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "val.json").write_text("{}")
    (tmp_path / "results.json").write_text("[]")
    return Source(
        predictions=tmp_path / "results.json", annotations=tmp_path / "val.json", on_bad_boxes="drop", limit=300
    )


def test_it_is_read_as_it_was_written(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    # Paths as typed in one folder are found from another.
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "scores", Source(**{**vars(source), "predictions": Path("results.json")}))
    monkeypatch.chdir("/")
    assert read_source(tmp_path / "scores") == source
    record = json.loads((tmp_path / "scores" / RECORD).read_text())
    assert record["sha256"] == hashlib.sha256(b"[]").hexdigest()


def test_what_is_not_known_is_not_written(tmp_path: Path) -> None:
    write_source(tmp_path, Source(missing="unknown"))
    assert not (tmp_path / RECORD).exists()
    assert read_source(tmp_path).predictions is None


def test_other_predictions_under_the_same_name_are_not_taken(tmp_path: Path, source: Source) -> None:
    write_source(tmp_path, source)
    (tmp_path / "results.json").write_text("[ ]")
    found = read_source(tmp_path)
    assert (found.predictions, found.annotations) == (None, source.annotations)
    assert found.missing == f"{source.predictions} is no longer what was scored; score it again"


def test_a_folder_is_known_by_its_detections(tmp_path: Path) -> None:
    parts = [tmp_path / kind / "part-00000.parquet" for kind in ("detections", "gt_box_masks")]
    for part in parts:
        part.parent.mkdir()
        part.write_bytes(b"1")
    first = hash_of(tmp_path)
    parts[1].write_bytes(b"2")
    assert hash_of(tmp_path) == first
    parts[0].write_bytes(b"2")
    second = hash_of(tmp_path)
    parts[0].rename(parts[0].with_name("part-00001.parquet"))
    assert len({first, second, hash_of(tmp_path)}) == 3
