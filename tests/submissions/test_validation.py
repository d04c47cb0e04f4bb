"""A submission in which anything was changed is refused, and the field is named."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_world import CAT, WIDTH, World, all_detections, all_on_boxes, counts, detection, on_box

from psis_bench.submissions.annotations import AnnotationSource
from psis_bench.submissions.bundle import pack
from psis_bench.submissions.schema import Tier, load_submission
from psis_bench.submissions.validation import Report, validate


def told(report: Report) -> str:
    return "\n".join(map(str, report.problems))


def test_what_bundle_writes_is_valid_as_folder_and_as_archive(world: World) -> None:
    for path in (world.submission, pack(world.submission)):
        report = world.check(path)
        assert not report.problems
        assert report.tier is Tier.RECOMPUTED
        assert report.largest_difference == 0
    loaded = load_submission(world.submission)
    assert loaded.tier is Tier.REPORTED  # nobody has put on record that it was checked
    assert pytest.approx(0.4, abs=1e-12) == loaded.metrics.groups["unseen"].mask.AP
    assert [item.name for item in loaded.per_class] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("group", "part", "score"),
    [
        ("unseen", "mask", "AP"),
        ("all", "box", "AP"),
        ("seen", "gt_box_miou", "class_mean"),
        ("all", "ellipse", "class_mean"),
    ],
)
@pytest.mark.parametrize("by", [1e-4, -1e-4, 2e-6])
def test_a_changed_score_is_named(world: World, group: str, part: str, score: str, by: float) -> None:
    value = json.loads((world.submission / "metrics.json").read_text())["groups"][group][part][score]
    changed = value - abs(by) if value == 1 else value + by
    world.set("metrics.json", f"groups.{group}.{part}.{score}", changed)
    report = validate_without_process(world)
    assert told(report).startswith(f"metrics.json: groups.{group}.{part}.{score}: is {changed!r}, the predictions give")
    assert len(report.problems) == 1
    assert report.tier is Tier.REPORTED
    assert report.largest_difference == pytest.approx(abs(by), rel=1e-6)


def validate_without_process(world: World) -> Report:
    """Check with the scores of the untouched world, which spares the process that computes them again."""
    from psis_bench.submissions import rescoring, validation

    loaded = load_submission(world.untouched)
    found = rescoring.Rescored(metrics=loaded.metrics, per_class=loaded.per_class)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation.rescoring, "rescore", lambda *_, **__: found)
        return world.check()


def test_a_difference_below_the_tolerance_is_none(world: World) -> None:
    world.set("metrics.json", "groups.unseen.mask.AP", 0.4 + 9e-7)
    report = validate_without_process(world)
    assert not report.problems
    assert report.largest_difference == pytest.approx(9e-7, rel=1e-3)


def test_one_mask_changed_by_one_run_is_named_by_its_file(world: World) -> None:
    rows = all_on_boxes()
    rows[1]["mask"] = counts([160, 39, 1])
    before = json.loads((world.submission / "submission.json").read_text())
    world.write_rows("gt_box_masks", rows)
    (world.submission / "submission.json").write_text(json.dumps(before))
    report = world.check()
    assert "submission.json: predictions.files[1].bytes: is not that of predictions/gt_box_masks/part-0" in told(report)
    # Its scores are other ones too, and told in the same breath: 39 of 60 pixels in one of two dogs.
    assert "metrics.json: groups.unseen.gt_box_miou.class_mean: is 0.666" in told(report)
    assert "per_class.csv: row 2, gt_box_miou: is 0.666" in told(report)


def test_a_changed_mask_with_its_hash_is_found_by_its_score(quick: World) -> None:
    rows = all_on_boxes()
    rows[1]["mask"] = counts([160, 39, 1])
    quick.write_rows("gt_box_masks", rows)
    report = quick.check()
    assert {problem.where.partition(":")[0] for problem in report.problems} == {"metrics.json", "per_class.csv"}
    assert report.largest_difference == pytest.approx(1 / 120)  # one pixel of 60 in one of two dogs


def rewrite_classes(world: World, change: Any) -> None:
    path = world.submission / "per_class.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def test_a_changed_class_name_is_named(world: World) -> None:
    rewrite_classes(world, lambda rows: rows[2].__setitem__(1, "wolf"))
    report = validate_without_process(world)
    assert "per_class.csv: row 2, name: is 'wolf', the predictions give 'dog'" in told(report)
    assert "per_class.csv: name: has no class dog, which is unseen in pets" in told(report)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"split.version": 2}, "metrics.json: split.version: is 1, submission.json says 2"),
        ({"split.version": 2}, "submission.json: split.definition: the split has the hash"),
        ({"split.hash": "0" * 64}, "submission.json: split.definition: the split has the hash"),
        ({"split.definition.seen": ["cat", "wolf"]}, "submission.json: split.definition: the split has the hash"),
        ({"split.definition.seen": ["cat", "dog"]}, "split.definition: class 'dog' is both seen and unseen"),
        ({"split.definition": None}, "submission.json: split.name: 'pets' does not come with the package"),
        ({"split.name": "voc2nonvoc"}, "submission.json: split.definition: the split comes with the package"),
        ({"split.name": "voc2nonvoc", "split.definition": None}, "split.hash: the split has the hash 1b08"),
        (
            {"split.name": "voc2nonvoc", "split.definition": None, "split.version": 2},
            "submission.json: split.version: is 2, but the package has version 1 of voc2nonvoc",
        ),
        ({"split.name": "random/99/0", "split.definition": None}, "split.name: split 'random/99/0' asks for 99"),
        ({"dataset.annotations_sha256": "0" * 64}, "dataset.annotations_sha256: is not that of val.json here"),
        ({"training.seeds": [1, 2]}, "training.seeds: does not have the seed 0"),
        ({"training.seeds": [0, 1]}, "training.seeds: seed 1 of this row is neither given nor in the model zoo"),
        ({"training.seeds": [0, 0]}, "training.seeds: has a seed twice"),
        ({"predictions.files.0.bytes": 1}, "predictions.files[0].bytes: is not that of predictions/detections"),
        ({"model.name": "Über"}, "submission.json: model.name: must match pattern"),
        ({"licence": ""}, "submission.json: licence: must have at least 1 character"),
        ({"unknown": 1}, "submission.json: unknown: is no field of this file; leave it out"),
    ],
)
def test_a_changed_description_is_named(world: World, changes: dict[str, Any], expected: str) -> None:
    for place, value in changes.items():
        world.set("submission.json", place, value)
    assert expected in told(validate_without_process(world))


def test_a_missing_group_is_named(world: World) -> None:
    world.change("metrics.json", lambda content: content["groups"].pop("unseen"))
    assert "metrics.json: groups.unseen: is missing" in told(validate_without_process(world))


def test_missing_files_and_fields_are_all_told_at_once(quick: World) -> None:
    quick.change("submission.json", lambda content: [content.pop("licence"), content["model"].pop("title")])
    quick.change("metrics.json", lambda content: content["groups"]["all"].pop("full_box"))
    rewrite_classes(quick, lambda rows: rows[1].__setitem__(6, "1.5x"))
    lines = told(quick.check()).splitlines()
    assert [line.partition(": is ")[0] for line in lines[:3]] == [
        "submission.json: model.title",
        "submission.json: licence",
        "metrics.json: groups.all.full_box",
    ]
    assert lines[3].startswith("per_class.csv: row 1, box_AP75: '1.5x' is no number")
    (quick.submission / "metrics.json").unlink()
    assert told(quick.check()) == "metrics.json: is missing; make the submission with psis-bench bundle"


def test_a_wrong_text_does_not_hide_a_wrong_number(world: World) -> None:
    world.set("submission.json", "authors.1", "<b>B</b>")
    world.set("submission.json", "model.name", "../x")
    world.set("metrics.json", "groups.unseen.mask.AP", 0.5)
    world.set("submission.json", "predictions.files.0.bytes", 7)
    lines = told(validate_without_process(world)).splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        "model.name",
        "authors[1]",
        "predictions.files[0].bytes",
        "groups.unseen.mask.AP",
    ]


def test_a_part_that_is_gone_or_one_too_many_is_named(world: World) -> None:
    folder = world.submission / "predictions" / "detections"
    shutil.copyfile(folder / "part-00000.parquet", folder / "part-00001.parquet")
    (world.submission / "predictions" / "gt_box_masks" / "part-00000.parquet").unlink()
    report = validate_without_process(world)
    assert "predictions/detections/part-00001.parquet: is not in predictions.files" in told(report)
    assert "predictions/gt_box_masks/part-00000.parquet: is missing" in told(report)


def test_more_detections_of_an_image_than_are_scored_are_refused(quick: World) -> None:
    rows = [detection(1, score=0.001 * place) for place in range(101)]
    quick.write_rows("detections", [*rows, *all_detections()[2:]])
    assert "predictions: 1 detections left out" in told(quick.check())


def test_the_annotations_are_found_here_or_asked_for(world: World) -> None:
    nothing = dataclasses.replace(world.options, source=AnnotationSource())
    report = validate([world.submission], nothing)[0]
    assert "submission.json: dataset.name: data set 'pets' is not known here; give it with data=" in told(report)
    # A name that looks like a file must not be read as one.
    (world.folder / "evil.yaml").write_text("{name: evil, val: {annotations: val.json, images: .}}")
    world.set("submission.json", "dataset.name", "evil.yaml")
    assert "data set 'evil.yaml' is not known here" in told(validate([world.submission], nothing)[0])
    gone = dataclasses.replace(world.options, source=AnnotationSource(data=str(world.folder / "gone.json")))
    assert "no such annotation file" in told(validate([world.submission], gone)[0])


def test_predictions_may_be_elsewhere(quick: World, tmp_path: Path) -> None:
    shutil.move(quick.submission / "predictions", tmp_path / "elsewhere")
    assert "predictions: is missing" in told(quick.check())
    quick.set("submission.json", "predictions.url", "https://example.org/predictions.zip")
    report = quick.check()
    assert not report.problems
    assert report.tier is Tier.REPORTED
    assert report.notes[0].startswith("not recomputed: the predictions are at https://example.org/predictions.zip")
    options = dataclasses.replace(quick.options, predictions=tmp_path / "elsewhere")
    assert validate([quick.submission], options)[0].tier is Tier.RECOMPUTED


def test_an_older_version_with_fewer_scores_stays_valid(quick: World) -> None:
    def forget(content: Any) -> None:
        for group in content["groups"].values():
            for part in ("box", "mask"):
                group[part] = {key: group[part][key] for key in ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")}

    quick.change("metrics.json", forget)
    kept = (
        "category_id",
        "name",
        "group",
        "instances",
        "box_AP",
        "mask_AP",
        "gt_box_miou",
        "full_box_miou",
        "ellipse_miou",
    )

    def forget_columns(rows: list[list[str]]) -> None:
        places = [rows[0].index(name) for name in kept]
        rows[:] = [[row[place] for place in places] for row in rows]

    rewrite_classes(quick, forget_columns)
    assert not quick.check().problems


def test_a_score_of_no_later_version_either_is_refused(world: World) -> None:
    world.set("metrics.json", "groups.all.mask.AP_of_dreams", 0.9)
    assert "groups.all.mask.AP_of_dreams: is 0.9, the predictions give nothing" in told(validate_without_process(world))


def test_boundary_scores_are_computed_when_they_are_claimed(quick: World) -> None:
    quick.set("metrics.json", "groups.unseen.boundary_miou", {"class_mean": 0.5, "instance_mean": 0.5})
    report = quick.check()
    # Outlines of 28 and 24 pixels, of which 16 of 36 are shared.
    assert "groups.unseen.boundary_miou.class_mean: is 0.5, the predictions give 0.444" in told(report)


def test_masks_of_another_image_are_named(quick: World) -> None:
    quick.write_rows("gt_box_masks", [on_box(1), on_box(2), on_box(3), on_box(4, width=WIDTH + 1)])
    assert "row 3, width: is 21, but val.json has 20 for this image" in told(quick.check())
    quick.write_rows("gt_box_masks", [on_box(1), on_box(2), on_box(3)])
    assert "annotation 4" in told(quick.check())
    assert CAT[1] == 60
