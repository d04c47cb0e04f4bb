from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from psis_bench.config import RunConfig, resolve_config
from psis_bench.errors import UserError
from psis_bench.overwriting import differences
from psis_bench.run import OUTPUTS, RESULTS, RunDirectory, Stage

_HOLD_THE_LOCK = """
import sys
from pathlib import Path
from psis_bench.config import RunConfig
from psis_bench.run import RunDirectory
with RunDirectory(Path(sys.argv[1]), RunConfig(split="a")).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def run_at(path: Path) -> RunDirectory:
    return RunDirectory(path, RunConfig(split="voc2nonvoc"))


def test_the_layout_is_the_documented_one(tmp_path: Path):
    run = run_at(tmp_path)
    documented = {
        "config.yaml": run.config_file,
        "mm_config.py": run.mm_config,
        "checkpoints": run.checkpoints,
        "checkpoints/final.safetensors": run.final_weights,
        "train_log.jsonl": run.train_log,
        "predictions/detections": run.detections,
        "predictions/gt_box_masks": run.gt_box_masks,
        "predictions/manifest.json": run.manifest,
        "scores.json": run.scores,
        "report.html": run.report,
        "stages/score.json": run.marker(Stage.SCORE),
    }
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in documented.items()} == {
        name: name for name in documented
    }


def test_each_result_is_among_the_outputs_of_its_stage():
    for stage in Stage:
        assert RESULTS[stage].split("/")[0] in OUTPUTS[stage]


def test_a_second_process_is_kept_out_and_told_the_pid(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD_THE_LOCK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        told = rf"another process works in this run directory \(pid {other.pid}\)"
        with pytest.raises(UserError, match=told), run_at(tmp_path).locked():
            pass
        other.kill()
    # The lock of a killed process is gone with it.
    with run_at(tmp_path).locked():
        assert (tmp_path / ".state" / "lock").read_text() == f"{os.getpid()}\n"


def test_file_systems_without_locks_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(handle: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", refuse)
    with run_at(tmp_path).locked():
        pass


def test_a_folder_with_other_files_is_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"holds other files, such as 'thesis.tex'; choose a new"):
        run_at(tmp_path).create()


def test_a_folder_with_predictions_of_another_program_is_taken(tmp_path: Path):
    (tmp_path / "predictions").mkdir()
    run_at(tmp_path).create()


def test_a_file_in_the_way(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/run: cannot write: Not a directory; choose another place"):
        run_at(tmp_path / "file" / "run").create()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["workers=3", "threads=2", "device=cpu", "out=elsewhere", "data.root=/d", "overwrite=all"], []),
        (["boundary=true", "class_agnostic=true"], []),
        (["seed=1"], [("seed", 0, 1, "train")]),
        (["split=nonvoc2voc"], [("split", "voc2nonvoc", "nonvoc2voc", "train")]),
        (["box_jitter=0.1"], [("box_jitter", None, "0.1", "predict")]),
        (["mm.model.test_cfg.nms=0.5"], [("mm.model.test_cfg.nms", None, 0.5, "predict")]),
        (["+mm.model.x=1"], [("+mm.model.x", None, 1, "train")]),
        (
            ["data=coco", "mask_head=conv4"],
            [("mask_head", None, "conv4", "train"), ("data.name", "synthetic", "coco", "train")],
        ),
    ],
)
def test_differences(arguments: list[str], expected: list[tuple[object, ...]]):
    old = resolve_config(["split=voc2nonvoc"])
    found = differences(old, resolve_config(arguments, base=old))
    assert [(item.key, item.old, item.new, str(item.stage)) for item in found] == expected


def test_another_set_of_unseen_classes_costs_no_training(tmp_path: Path):
    for name, unseen in (("one", "dog"), ("two", "horse")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nversion: 1\nseen: [cat]\nunseen: [{unseen}]\n")
    old, new = (resolve_config([f"split={tmp_path}/{name}.yaml"]) for name in ("one", "two"))
    assert [item.stage for item in differences(old, new)] == [Stage.SCORE]
