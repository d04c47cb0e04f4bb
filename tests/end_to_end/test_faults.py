"""What can go wrong in a whole run: one line that names file, place and cure, exit code 2, and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from tiny_data import TinyData

from psis_bench.cli import main
from psis_bench.engine.checkpoints import load_weights, weights_sha256
from psis_bench.engine.stream import derived_seed

MODEL = "detection_free/small"


class Command:
    """The command line on a tiny data set, in this process."""

    def __init__(self, tiny: TinyData, capsys: pytest.CaptureFixture[str]) -> None:
        self.tiny = tiny
        self.capsys = capsys
        self.folder = tiny.folder / "run"

    def arguments(self, *more: str) -> list[str]:
        few = ("mask_head=resnet4", "mm.checkpoint_interval=1", "mm.test_images_per_part=2", *more)
        return self.tiny.arguments(MODEL, *few)

    def does(self, command: str, *more: str) -> str:
        """Run a command that must succeed and on whose terminal only our own lines may stand; return what it says."""
        assert main([command, *self.arguments(*more)]) == 0
        told = self.capsys.readouterr()
        for foreign in ("mmengine", "WARNING", "loading annotations", "Loads checkpoint", "warn("):
            assert foreign not in told.out + told.err
        return told.err

    def fails(self, command: str, *more: str) -> str:
        """Run a command that must fail; return its one line. What was there before is there after."""
        before = {path: path.read_bytes() for path in self.results()}
        code = main([command, *self.arguments(*more)])
        told = self.capsys.readouterr()
        assert code == 2, told.err
        assert "Traceback" not in told.err
        assert told.out == ""
        (line,) = [line for line in told.err.splitlines() if line.startswith("psis-bench:")]
        assert line == told.err.splitlines()[-1]
        for path, content in before.items():
            assert path.read_bytes() == content, f"{path} was lost or changed"
        assert not list(self.folder.rglob("*.partial"))
        return line.removeprefix("psis-bench: error: ")

    def results(self) -> list[Path]:
        """Return weights, predictions and scores that are there; a newer checkpoint may follow an older one."""
        names = ("checkpoints/final.safetensors", "predictions/*/*.parquet", "*.json", "*.csv", "*.parquet", "*.html")
        return [path for name in names for path in self.folder.glob(name)]


@pytest.fixture
def command(tiny: TinyData, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tiny, capsys)


def image_at(position: int, images: int = 8) -> int:
    """Return the id of the image that comes at a position of the first epoch of seed 0."""
    import numpy as np

    return int(np.random.default_rng(derived_seed(0, "order", 0)).permutation(images)[position]) + 1


def iterations_of(folder: Path) -> list[int]:
    return [json.loads(line)["iteration"] for line in (folder / "train_log.jsonl").read_text().splitlines()]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def enlarge(path: Path) -> None:
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (100, 50)))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(truncate, "the image cannot be decoded; restore the file"), (enlarge, "the image has 100 x 50 pixels")],
    ids=["corrupt", "another size"],
)
def test_an_image_that_is_wrong(command: Command, spoil: Callable[[Path], None], told: str) -> None:
    path = command.tiny.folder / "train" / f"{image_at(5)}.jpg"  # in the third batch of two
    whole = path.read_bytes()
    spoil(path)
    line = command.fails("train")
    assert line.startswith(f"{path}: ")
    assert told in line
    assert json.loads((command.folder / "checkpoints" / "last.json").read_text())["iteration"] == 2
    path.write_bytes(whole)
    command.does("train")
    assert iterations_of(command.folder) == [1, 2, 3, 4]


def test_no_image_folder(command: Command) -> None:
    (command.tiny.folder / "train").rename(command.tiny.folder / "elsewhere")
    line = command.fails("run")
    assert f"there is no image folder {command.tiny.folder / 'train'}" in line
    assert "data.root" in line


def test_an_image_is_missing_in_prediction(command: Command) -> None:
    command.does("train")
    (command.tiny.folder / "val" / "3.jpg").unlink()
    line = command.fails("run")
    assert line.startswith(f"{command.tiny.folder / 'val.json'}: images[2].file_name: ")


def test_a_corrupt_image_in_prediction_keeps_whole_parts(command: Command) -> None:
    path = command.tiny.folder / "val" / "4.jpg"
    whole = path.read_bytes()
    truncate(path)
    line = command.fails("run")
    assert line.startswith(f"{path}: the image cannot be decoded")
    part = command.folder / "predictions" / "gt_box_masks" / "part-00000.parquet"
    written = part.stat().st_mtime_ns
    path.write_bytes(whole)
    said = command.does("run")
    assert "train: done" in said
    assert part.stat().st_mtime_ns == written


def test_a_loss_that_is_not_a_number(command: Command) -> None:
    line = command.fails("train", "mm.optim_wrapper.optimizer.lr=1e30")
    assert "at iteration" in line or "after iteration" in line
    assert "lower the learning rate (mm.optim_wrapper.optimizer.lr=...) with overwrite=train" in line
    again = command.fails("train", "mm.optim_wrapper.optimizer.lr=1e-3")
    assert "mm.optim_wrapper.optimizer.lr (1e+30 -> 0.001)" in again
    command.does("train", "mm.optim_wrapper.optimizer.lr=1e-3", "overwrite=train")


@pytest.mark.parametrize("damage", ["truncated", "with code in it", "gone", "record"])
def test_a_damaged_checkpoint(command: Command, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = command.tiny.folder / "train" / f"{image_at(5)}.jpg"
    whole = path.read_bytes()
    truncate(path)
    command.fails("train")
    path.write_bytes(whole)
    checkpoints = command.folder / "checkpoints"
    (checkpoint,) = checkpoints.glob("*.pth")
    if damage == "truncated":
        truncate(checkpoint)
    elif damage == "with code in it":
        checkpoint.write_bytes(pickle.dumps(print, protocol=2))
    elif damage == "gone":
        checkpoint.unlink()
    else:
        (checkpoints / "last.json").write_text("{")
    line = command.fails("train")
    assert line.startswith(f"{checkpoints}/")
    assert line.endswith(f"; delete {checkpoints} to train from the start")
    for left in checkpoints.iterdir():
        left.unlink()
    command.does("train")


def test_damaged_final_weights(command: Command) -> None:
    command.does("train")
    final = command.folder / "checkpoints" / "final.safetensors"
    truncate(final)
    line = command.fails("predict")
    assert line.startswith(f"{final}: not a readable checkpoint")


def test_a_run_directory_of_another_configuration(command: Command) -> None:
    command.does("run")
    for change, told in (
        ("seed=1", "seed (0 -> 1)"),
        ("mask_head=hourglass10", "mask_head (resnet4 -> hourglass10)"),
        ("mm.batch_size=1", "mm.batch_size (2 -> 1)"),
    ):
        line = command.fails("run", change)
        assert line.startswith(f"{command.folder}: the run has another configuration: ")
        assert told in line
        assert "overwrite=train" in line
        assert "out=" in line
    said = command.does("run")
    assert [stage for stage in ("train", "predict", "score", "report") if f"{stage}: done" in said] == [
        "train",
        "predict",
        "score",
        "report",
    ]


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_for_torch(*_: Any, **__: Any) -> None:
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 3746816 vs 3746712")


@pytest.mark.parametrize("writer", ["os.fsync", "torch.save"])
def test_a_full_disk(command: Command, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    """The third of four checkpoints does not fit any more."""
    where, _, name = writer.partition(".")
    owner: Any = {"os": os, "torch": torch}[where]
    write = getattr(owner, name)
    failure = full if owner is os else full_for_torch

    def fills_up(*arguments: Any, **keywords: Any) -> Any:
        last = command.folder / "checkpoints" / "last.json"
        reached = last.is_file() and json.loads(last.read_text())["iteration"] == 2
        return (failure if reached else write)(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fills_up)
        line = command.fails("train")
    assert line.startswith(f"{command.folder / 'checkpoints' / 'iter_3.pth'}: cannot write: No space left on device")
    assert "free some disk space and run the same command again" in line
    command.does("train")
    stopped = weights_sha256(load_weights(command.folder / "checkpoints" / "final.safetensors").tensors)
    command.does("train", f"out={command.tiny.folder / 'whole'}")
    whole = load_weights(command.tiny.folder / "whole" / "checkpoints" / "final.safetensors")
    assert weights_sha256(whole.tensors) == stopped


@pytest.mark.parametrize("part", ["train", "val"])
def test_run_lengths_that_do_not_add_up(command: Command, part: str) -> None:
    content = getattr(command.tiny, part)
    place, annotation = next(
        (place, annotation)
        for place, annotation in enumerate(content["annotations"])
        if isinstance(annotation["segmentation"], dict)
    )
    height, width = annotation["segmentation"]["size"]
    annotation["segmentation"] = {"size": [height, width], "counts": [5, height * width]}
    command.tiny.write()
    line = command.fails("run")
    assert line.startswith(f"{command.tiny.folder / f'{part}.json'}: annotations[{place}].segmentation")
    assert str(height * width) in line


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("split=voc2novoc", "unknown split 'voc2novoc'; did you mean 'voc2nonvoc'"),
        ("model=detection_free/smallx", "unknown model 'detection_free/smallx'; did you mean 'detection_free/small'"),
        ("iteration=3", "unknown key 'iteration'; did you mean 'iterations'?"),
        ("iterations=many", "iterations must be a whole number"),
        ("crop_source=gt", "the model has no crop_source"),
        ("mm.modl.x=1", "no 'modl' in mm.<top>; did you mean 'model'?"),
        ("mm.model.type=3", "mm.model.type is str ('DetectionFree'), not int (3)"),
        ("device=cuda:0", "no CUDA device is usable here"),
    ],
)
def test_wrong_arguments(command: Command, monkeypatch: pytest.MonkeyPatch, argument: str, told: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    # The last of equal keys counts.
    assert told in command.fails("run", argument)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("mm.model.backbone.depth=19", "cannot be built: invalid depth 19 for resnet; correct the config or the mm."),
        ("+mm.model.backbone.foo=1", "unexpected keyword argument 'foo'"),
        ("mm.optim_wrapper.optimizer.type=Adamm", "cannot be built: "),
        ("mm.param_scheduler.0.type=Lin", "cannot be built: Lin is not in the mmdet::parameter scheduler registry;"),
        ("mm.train_pipeline.0.type=LoadImage", "cannot be built: LoadImage is not in the mmdet::transform registry;"),
    ],
)
def test_values_from_which_nothing_can_be_built(command: Command, argument: str, told: str) -> None:
    line = command.fails("train", argument)
    assert line.startswith(f"{command.folder / 'mm_config.py'}: cannot be built: ")
    assert told in line


def test_the_corrected_command_runs_in_the_same_folder(command: Command) -> None:
    assert "cannot be built" in command.fails("train", "mm.model.backbone.depth=19", "iterations=2")
    command.does("train", "iterations=2")
    assert iterations_of(command.folder) == [1, 2]
    # Now there is something to lose.
    assert "add overwrite=train" in command.fails("train", "iterations=3")
