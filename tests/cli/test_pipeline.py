from __future__ import annotations

import errno
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from psis_bench.cli import main
from psis_bench.files import sha256_of_file
from psis_bench.run import RunDirectory, Stage

from .conftest import Workshop

ALL = [str(stage) for stage in Stage]


def run(workshop: Workshop, *more: str, command: str = "run", code: int = 0) -> list[str]:
    """Run a command and return the stages that ran."""
    assert main([command, *workshop.keys, *more]) == code
    return workshop.ran()


def test_all_stages_then_none(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    assert run(workshop) == ALL
    shown = capsys.readouterr()
    assert "split   pets (version 1): 1 seen, 1 unseen classes" in shown.err
    assert "GT-box mIoU, class mean" in shown.out
    assert shown.out.endswith(f"report: {workshop.out}/report.html\n")
    marker = json.loads((workshop.out / "stages" / "train.json").read_text())
    assert set(marker) >= {"inputs", "finished", "seconds"}
    assert len(marker["inputs"]) == 64
    assert run(workshop) == []
    told = capsys.readouterr().err
    assert told.count("inputs unchanged; skipped") == 4


def test_stages_alone_talk_through_files(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    for stage, cure in (("predict", "train"), ("score", "predict"), ("report", "score")):
        assert run(workshop, command=stage, code=2) == []
        assert f"no such file; {cure} first: psis-bench {cure}" in capsys.readouterr().err
    for stage in ALL:
        assert run(workshop, command=stage) == [stage]


def test_the_folder_of_a_run_stands_for_its_keys(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    run(workshop, "seed=7")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["run", str(workshop.out)]) == 0
    assert main(["score", f"out={workshop.out}", "workers=2"]) == 0
    assert workshop.ran() == []
    assert RunDirectory.load(workshop.out).config.seed == 7


def test_scores_beyond_the_usual_are_asked_of_a_run_that_is_done(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
):
    def asked() -> object:
        return json.loads((workshop.out / "scores.json").read_text())["asked"]

    run(workshop)
    assert asked() == []
    capsys.readouterr()
    for _ in range(2):
        assert main(["score", str(workshop.out), "boundary=true", "details=true"]) == 0
    assert workshop.ran() == ["score"]
    assert "score: scores that are asked for changed; runs again" in capsys.readouterr().err
    assert asked() == ["boundary"]
    # The run remembers what was asked for.
    assert main(["run", str(workshop.out)]) == 0
    assert workshop.ran() == ["report"]
    assert main(["score", str(workshop.out), "class_agnostic=true"]) == 0
    assert (workshop.ran(), asked()) == (["score"], ["boundary", "class_agnostic"])
    # The same keys without them are of the run without them.
    assert run(workshop) == ["score", "report"]
    assert asked() == []
    assert run(workshop, "boundary=false") == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda shop: shop.write_annotations("val", note="other"), ["predict", "score", "report"]),
        (lambda shop: shop.write_split(unseen="cow"), ["score", "report"]),
        (lambda shop: (shop.out / "scores.json").unlink(), ["score"]),
        (lambda shop: (shop.out / "report.html").unlink(), ["report"]),
        (lambda shop: (shop.out / "train_log.jsonl").write_text('{"iteration": 2}\n'), ["report"]),
        (lambda shop: (shop.out / "predictions" / "manifest.json").write_text("{}"), ["score", "report"]),
    ],
)
def test_only_what_depends_on_a_change_runs_again(workshop: Workshop, change, expected: list[str]):
    run(workshop)
    change(workshop)
    assert run(workshop) == expected
    assert run(workshop) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda shop: shop.write_annotations("train", note="other"),
        lambda shop: shop.write_split(seen="cow"),
    ],
)
def test_training_is_never_thrown_away_unasked(workshop: Workshop, change, capsys: pytest.CaptureFixture[str]):
    run(workshop)
    before = sha256_of_file(workshop.out / "scores.json")
    change(workshop)
    assert run(workshop, code=2) == []
    assert "add overwrite=train to train again from the start" in capsys.readouterr().err
    assert sha256_of_file(workshop.out / "scores.json") == before
    assert run(workshop, "overwrite=train") == ALL


def test_given_shape_priors_count_by_their_content(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    file = workshop.folder / "shapes.npz"
    key = f"mm.model.mask_branch.priors={file}"
    assert run(workshop, key, code=2) == []
    assert f"{file}: no such file; make it with psis-bench data priors" in capsys.readouterr().err
    file.write_bytes(b"one")
    assert run(workshop, key) == ALL
    file.write_bytes(b"one")
    assert run(workshop, key) == []
    file.write_bytes(b"other")
    assert run(workshop, key, code=2) == []
    assert "trained from something else: shape priors changed; add overwrite=train" in capsys.readouterr().err


def test_another_configuration_is_refused_by_its_keys(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    run(workshop)
    capsys.readouterr()
    assert run(workshop, "seed=1", "mm.optim_wrapper.optimizer.lr=0.5", code=2) == []
    told = capsys.readouterr().err
    assert "seed (0 -> 1), mm.optim_wrapper.optimizer.lr (none -> 0.5); add overwrite=train" in told
    assert told.count("\n") == 1
    assert run(workshop, "seed=1", "overwrite=score", code=2) == []
    assert run(workshop, "seed=1", command="score", code=2) == []
    assert "use `psis-bench run ... overwrite=train`" in capsys.readouterr().err
    assert run(workshop, "seed=1", "overwrite=train") == ALL
    assert (workshop.out / "checkpoints" / "final.safetensors").read_text().startswith("weights of seed 1")
    assert RunDirectory.load(workshop.out).config.overwrite == "none"


def test_nothing_is_refused_before_anything_is_computed(workshop: Workshop):
    workshop.before["train"] = lambda run: (run.checkpoints / "last.json").unlink() or fail(KeyboardInterrupt())
    assert run(workshop, code=130) == ["train"]
    del workshop.before["train"]
    assert run(workshop, "seed=1") == ALL


def test_missing_annotations_are_told_before_anything_is_made(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    (workshop.folder / "val.json").unlink()
    assert run(workshop, code=2) == []
    assert f"{workshop.folder}/val.json: no such file; give the folder of the data set" in capsys.readouterr().err
    assert not workshop.out.exists()


def test_overwrite_belongs_to_the_command(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    run(workshop)
    assert run(workshop, "overwrite=train", command="score", code=2) == []
    assert "overwrite=train does not fit: this command does not train" in capsys.readouterr().err
    assert run(workshop, "overwrite=all", command="score") == ["score"]
    assert run(workshop, "overwrite=predict") == ["predict", "score", "report"]
    assert run(workshop, "overwrite=predict") == ["predict", "score", "report"]


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.parametrize("overwrite", [(), ("overwrite=all",)])
def test_an_interrupted_stage_is_continued(
    workshop: Workshop, stage: str, overwrite: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    if overwrite:
        run(workshop)
    workshop.before[stage] = lambda run: fail(KeyboardInterrupt())
    done = ALL[: ALL.index(stage) + 1]
    assert run(workshop, *overwrite, code=130) == done
    assert capsys.readouterr().err.endswith("psis-bench: interrupted; the same command continues where it stopped\n")
    del workshop.before[stage]
    # Also with overwrite: what the interrupted command had already made is not thrown away again.
    assert run(workshop, *overwrite) == ALL[ALL.index(stage) :]
    sessions = json.loads((workshop.out / "checkpoints" / "last.json").read_text())["iteration"]
    assert sessions == (2 if stage == "train" else 1)
    assert run(workshop) == []


def test_a_stage_interrupted_before_its_inputs_changed_starts_anew(workshop: Workshop):
    workshop.before["predict"] = lambda run: fail(KeyboardInterrupt())
    run(workshop, code=130)
    part = workshop.out / "predictions" / "gt_box_masks" / "part-00000.parquet"
    stale = part.with_name("part-00009.parquet")
    stale.touch()
    workshop.write_annotations("val", note="other")
    del workshop.before["predict"]
    assert run(workshop) == ["predict", "score", "report"]
    assert part.is_file()
    assert not stale.exists()


def test_a_dry_run_touches_nothing(workshop: Workshop, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    assert run(workshop, "--dry-run") == []
    assert sorted(tmp_path.rglob("*")) == before
    shown = capsys.readouterr().out
    assert "train        run       not done yet" in shown
    assert "predict      run       follows train" in shown
    run(workshop)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    assert run(workshop, "--dry-run", "--json", "overwrite=score") == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == files
    told = json.loads(capsys.readouterr().out)
    assert [stage["action"] for stage in told["stages"]] == ["skip", "skip", "run", "run"]
    assert told["config"]["data"]["name"].endswith("data.yaml")


def test_json_is_alone_on_standard_output(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    workshop.before["train"] = lambda run: sys.stdout.write("loading annotations into memory...")
    run(workshop, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == str(workshop.out)
    assert told["scores"]["groups"]["unseen"]["gt_box_miou"]["class_mean"] == 0.5
    assert told["report"] == f"{workshop.out}/report.html"


@pytest.mark.parametrize("stage", ["train", "predict", "report"])
def test_a_full_disk_is_one_line_and_loses_nothing(workshop: Workshop, stage: str, capsys: pytest.CaptureFixture[str]):
    workshop.before[stage] = lambda run: fail(OSError(errno.ENOSPC, "No space left on device"))
    run(workshop, code=2)
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == (
        "psis-bench: error: cannot write: No space left on device; free some disk space and run the same command again"
    )
    del workshop.before[stage]
    assert run(workshop) == ALL[ALL.index(stage) :]


def test_a_full_disk_under_our_own_files(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: fail(OSError(errno.ENOSPC, "No space left on device")))
        run(workshop, code=2)
    told = capsys.readouterr().err.splitlines()[-1]
    assert "cannot write: No space left on device; free some disk space" in told
    assert run(workshop) == ALL


def test_a_stage_that_leaves_no_result_is_a_defect(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    vars(sys.modules["psis_bench.engine.predict"])["predict"] = lambda run: None
    run(workshop, code=1)
    assert "defect: RuntimeError: predict ended without" in capsys.readouterr().err
    assert not (workshop.out / "stages" / "predict.json").exists()


def test_a_missing_torch_names_the_extra(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["run", *workshop.keys]) == 2
    told = capsys.readouterr().err
    assert "needs torch, torchvision, mmengine, mmcv, mmdet, which are not installed" in told
    assert "in the checkout: pip install -e '.[train]'" in told
    assert not workshop.out.exists()


def test_kill_is_survived(workshop: Workshop, tmp_path: Path):
    """A real SIGKILL while predictions are written; the same command continues."""
    child = os.fork()
    if child == 0:
        workshop.before["predict"] = lambda run: os.kill(os.getpid(), signal.SIGKILL)
        main(["run", *workshop.keys])
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not list(tmp_path.rglob("*.partial"))
    assert run(workshop) == ["predict", "score", "report"]
