"""A student of a teacher sees no ground-truth mask of an unseen class, and the file that it learns from is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from changed_masks import change_masks, no_masks, random_masks, same
from mmengine.config import Config
from pycocotools import mask as coco_mask
from tiny_data import IDS, SEEN, UNSEEN, TinyData

from psis_bench.cli import main
from psis_bench.config import resolve_config
from psis_bench.engine.checkpoints import load_weights, weights_sha256
from psis_bench.engine.pseudo_label import pseudo_label
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import read_parts, write_part

MODEL = "detection_free/small"
LABELS = "pseudo_labels/train.json"


def arguments(tiny: TinyData, out: str, *more: str) -> list[str]:
    return tiny.arguments(MODEL, "mask_head=resnet4", "mm.test_images_per_part=3", *more, out=out, iterations=3)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> TinyData:
    """A set with a trained teacher in ``teacher`` and its student in ``student``."""
    tiny = TinyData(tmp_path_factory.mktemp("taught") / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        # Formatting configs takes longer than a tiny training.
        patch.setattr(Config, "pretty_text", property(lambda self: repr(self.to_dict())))
        assert main(["train", *arguments(tiny, "teacher")]) == 0
        assert main(["train", *arguments(tiny, "student", f"teacher={tiny.folder / 'teacher'}")]) == 0
    return tiny


def labels(tiny: TinyData, out: str = "student") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tiny.folder / out / LABELS).read_text())
    return content


def test_the_file_is_the_allowed_supervision_and_the_teachers_masks(taught: TinyData) -> None:
    found = {one["id"]: one for one in labels(taught)["annotations"]}
    assert list(found) == [one["id"] for one in taught.train["annotations"]]
    folder = taught.folder / "student" / "pseudo_labels" / "gt_box_masks"
    masks = {}
    for records in read_parts(folder, kind="gt_box_masks"):
        masks |= dict(zip(records.column("annotation_id").tolist(), records.mask_strings(), strict=True))
    withheld = {IDS[name] for name in UNSEEN}
    pseudo = 0
    for true in taught.train["annotations"]:
        mine = found[true["id"]]
        if true["category_id"] not in withheld:
            assert mine == true
            continue
        assert all(mine[key] == true[key] for key in ("image_id", "category_id", "bbox", "iscrowd"))
        assert mine.get("segmentation") != true["segmentation"]
        if true["iscrowd"]:
            assert true["id"] not in masks
            assert "segmentation" not in mine
        elif "segmentation" in mine:
            pseudo += 1
            assert mine["pseudo_label"] is True
            assert mine["segmentation"]["counts"] == masks[true["id"]]
            assert mine["area"] == float(coco_mask.area(mine["segmentation"])) > 0
    assert labels(taught)["info"]["labels"] == pseudo > 3
    assert set(masks) == {
        one["id"] for one in taught.train["annotations"] if one["category_id"] in withheld and not one["iscrowd"]
    }


def test_its_provenance_names_the_teacher(taught: TinyData) -> None:
    info = labels(taught)["info"]
    weights = load_weights(taught.folder / "teacher" / "checkpoints" / "final.safetensors").tensors
    assert info["teacher"]["weights_sha256"] == weights_sha256(weights)
    assert info["teacher"]["model"] == MODEL
    assert info["split"]["name"] == "tiny"
    assert json.loads((taught.folder / "student" / "pseudo_labels" / "provenance.json").read_text()) == info


def test_untrained_teachers_are_told_apart_by_their_settings(tiny: TinyData) -> None:
    places = (f"split={tiny.folder / 'split.yaml'}", f"data={tiny.folder / 'data.yaml'}", "device=cpu", "threads=1")
    said = {}
    for name, more in (("five", ()), ("one", ("mm.model.segmenter.iterations=1",)), ("again", ())):
        teacher = tiny.folder / f"cut-{name}"
        assert main(["train", *places, "model=grabcut/gt_boxes", *more, f"out={teacher}"]) == 0
        words = arguments(tiny, name, f"teacher={teacher}")
        run = RunDirectory.of(resolve_config(words))
        said[name] = json.loads(pseudo_label(run).read_text())["info"]["teacher"]
    assert all(who["weights_sha256"] is None for who in said.values())
    assert said["five"] == said["again"]
    assert len(said["five"]["settings_sha256"]) == 64
    assert said["five"]["settings_sha256"] != said["one"]["settings_sha256"]


def other_students(taught: TinyData) -> Iterator[str]:
    """Train a student each on other masks of the unseen classes, and yield their names."""
    for name, change in (("random", random_masks), ("none", no_masks)):
        change_masks(taught, UNSEEN, change)
        assert main(["train", *arguments(taught, name, f"teacher={taught.folder / 'teacher'}")]) == 0
        yield name
    taught.write()


def test_masks_of_unseen_classes_change_neither_labels_nor_student(taught: TinyData) -> None:
    true = load_weights(taught.folder / "student" / "checkpoints" / "final.safetensors")
    file = (taught.folder / "student" / LABELS).read_bytes()
    for name in other_students(taught):
        assert (taught.folder / name / LABELS).read_bytes() == file
        assert same(load_weights(taught.folder / name / "checkpoints" / "final.safetensors"), true)
    # The teacher is what the student would be without one.
    untaught = load_weights(taught.folder / "teacher" / "checkpoints" / "final.safetensors")
    assert not same(untaught, true), "the student has learned nothing from its teacher"


def stop_after_a_part(words: list[str]) -> None:
    """Begin a training, and stop it when the teacher's second part is to be written."""
    written = []

    def write_one_part(*args: Any, **kwargs: Any) -> Path:
        if written:
            raise KeyboardInterrupt
        written.append(write_part(*args, **kwargs))
        return written[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("psis_bench.engine.predict.write_part", write_one_part)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            raise SystemExit(main(["train", *words]))


def test_labelling_goes_on_where_it_was_stopped(taught: TinyData) -> None:
    words = arguments(taught, "stopped", f"teacher={taught.folder / 'teacher'}")
    folder = taught.folder / "stopped"
    stop_after_a_part(words)
    assert not (folder / LABELS).exists()
    (part,) = (folder / "pseudo_labels" / "gt_box_masks").iterdir()
    before = part.stat().st_mtime_ns
    assert main(["train", *words]) == 0
    assert part.stat().st_mtime_ns == before
    assert (folder / LABELS).read_bytes() == (taught.folder / "student" / LABELS).read_bytes()


def test_mistakes_are_one_line(taught: TinyData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = taught.folder
    other = json.loads((folder / "split.yaml").read_text()) | {"name": "other", "seen": UNSEEN, "unseen": SEEN}
    (tmp_path / "other.yaml").write_text(json.dumps(other))
    every = {**other, "name": "every", "seen": [*SEEN, *UNSEEN], "unseen": []}
    (tmp_path / "every.yaml").write_text(json.dumps(every))
    (tmp_path / "empty").mkdir()
    shutil.copytree(folder / "teacher", tmp_path / "begun")
    (tmp_path / "begun" / "stages" / "train.json").unlink()
    teacher = f"teacher={folder / 'teacher'}"
    mistakes = [
        ([f"teacher={tmp_path / 'nowhere'}"], "no such run to be the teacher; give the folder of a run"),
        ([f"teacher={tmp_path / 'empty'}"], "no such file; give the folder of a run"),
        ([f"teacher={tmp_path / 'begun'}"], "the teacher is not trained; train it first"),
        ([f"teacher={tmp_path / 'new'}"], "a run cannot be its own teacher"),
        ([teacher, f"split={tmp_path / 'other.yaml'}"], "the teacher has learned under split tiny, the student's"),
        ([teacher, f"split={tmp_path / 'every.yaml'}"], "split every has masks of all classes"),
    ]
    for words, message in mistakes:
        assert main(["run", *arguments(taught, "x"), *words, f"out={tmp_path / 'new'}"]) == 2, words
        said = capsys.readouterr().err.strip()
        assert message in said
        assert len(said.splitlines()) == 1
        assert not (tmp_path / "new").exists()
    # What learns from no mask is told so before the teacher goes to work.
    for model in ("grabcut/gt_boxes", "grabcut/small"):
        places = (f"split={folder / 'split.yaml'}", f"data={folder / 'data.yaml'}", f"out={tmp_path / 'cut'}")
        assert main(["train", *places, teacher, f"model={model}", "device=cpu", "threads=1"]) == 2
        assert "the model learns from no masks, and so from no teacher" in capsys.readouterr().err
        assert not (tmp_path / "cut" / "pseudo_labels").exists()
    # And a model that cannot be built, so that no labels stand in the way of the corrected command.
    assert main(["train", *arguments(taught, "x"), teacher, "mm.model.backbone.depth=19", f"out={tmp_path / 'x'}"]) == 2
    assert f"{tmp_path / 'x'}: cannot be built: " in capsys.readouterr().err
    assert not (tmp_path / "x" / "pseudo_labels").exists()
    # Another teacher is another run.
    shutil.copytree(folder / "teacher", tmp_path / "twin")
    assert main(["run", *arguments(taught, "student", f"teacher={tmp_path / 'twin'}")]) == 2
    assert "teacher (" in capsys.readouterr().err
