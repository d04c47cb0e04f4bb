from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from psis_bench.errors import UserError
from psis_bench.report.command import command_of
from psis_bench.report.run_files import read_run


@pytest.fixture
def directory(fake_run: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fake_run.directory, tmp_path / "run"))


def test_of_a_repeated_iteration_the_later_line_counts(directory: Path) -> None:
    lines = [
        '{"iteration": 20, "loss": 2.0}', '{"iteration": 10, "loss": 1.0}', '{"iteration": 20, "loss": 5.0}',
        '{"iteration": 30, "loss": NaN}', '{"iteration": 40, "lo', "",
    ]  # fmt: skip
    (directory / "train_log.jsonl").write_text("\n".join(lines))
    run = read_run(directory)
    assert [record["iteration"] for record in run.log] == [10, 20, 30]
    assert [record["loss"] for record in run.log[:2]] == [1.0, 5.0]
    assert math.isnan(run.log[2]["loss"])
    assert run.notes == ["train_log.jsonl: 1 line(s) could not be read and are left out"]


def test_what_is_optional_may_be_missing(directory: Path) -> None:
    (directory / "train_log.jsonl").unlink()
    shutil.rmtree(directory / "stages")
    shutil.rmtree(directory / "predictions")
    run = read_run(directory)
    assert (run.log, run.manifest, run.stages, run.notes) == ([], {}, {}, [])


@pytest.mark.parametrize("name", ["config.yaml", "scores.json", "per_class.csv", "per_instance.parquet"])
def test_what_is_needed_is_named_when_it_is_missing_or_damaged(directory: Path, name: str) -> None:
    (directory / name).write_bytes(b"{[\xff")
    with pytest.raises(UserError, match=name) as damaged:
        read_run(directory)
    assert "\n" not in str(damaged.value)
    (directory / name).unlink()
    with pytest.raises(UserError, match=name) as missing:
        read_run(directory)
    assert missing.value.cure


def test_a_class_may_be_called_nan_or_none(directory: Path) -> None:
    path = directory / "per_class.csv"
    path.write_text(path.read_text().replace(",bicycle,", ",None,").replace(",car,", ",nan,"))
    assert {"None", "nan"} <= set(read_run(directory).per_class["name"])


def test_damaged_stage_files_are_told_not_fatal(directory: Path) -> None:
    (directory / "stages" / "train.json").write_text("{")
    assert read_run(directory).notes == ["train.json could not be read"]
    (directory / "stages" / "train.json").write_text(json.dumps([1]))
    assert read_run(directory).notes == ["train.json could not be read"]


def test_command_has_every_key_that_decides_the_run_and_none_of_the_machine() -> None:
    config = {
        "split": "single_source/dining table", "mask_head": None, "data": {"name": "my set.yaml", "root": "/a b"},
        "seed": 3, "workers": 2, "threads": 0, "out": "runs/x", "overwrite": "none",
        "mm": {"a.b": True, "+c.d": [1, 2]},
    }  # fmt: skip
    assert command_of(config) == (
        "psis-bench run 'split=single_source/dining table' 'data=my set.yaml' 'data.root=/a b' seed=3 "
        "mm.a.b=true '+mm.c.d=[1,2]'"
    )
