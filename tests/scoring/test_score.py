from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file
from psis_bench.run_length_strings import encode_string
from psis_bench.scoring import boundary_iou, score_predictions
from psis_bench.scoring.inputs.records import write_part
from psis_bench.scoring.results.scores import Scores

AP_NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl"]


def test_scores_json_holds_the_scores_of_all_groups(scored, reference):
    scores = scored()
    content = json.loads((scored.folder / "out" / "scores.json").read_text())
    assert Scores.from_dict(content) == scores
    assert content["schema"] == 1
    assert content["split"] == {"name": "halves", "version": 1, "hash": scored.split_of(scored.truth).hash()}
    instances = [a for a in scored.truth["annotations"] if not a["iscrowd"]]
    assert content["dataset"]["images"] == len(scored.truth["images"])
    assert content["dataset"]["instances"] == len(instances)
    assert content["notes"] == []
    ids = [category["id"] for category in scored.truth["categories"]]
    for name, group in (("all", ids), ("seen", ids[::2]), ("unseen", ids[1::2])):
        found = content["groups"][name]
        assert found["classes"] == len(group)
        assert found["instances"] == sum(a["category_id"] in group for a in instances)
        for kind, iou_type in (("box", "bbox"), ("mask", "segm")):
            stats = reference(scored.truth, scored.results, iou_type, group).stats
            expected = [None if value == -1 else value for value in stats]
            assert [found[kind][key] for key in AP_NAMES] == expected[:6]
            assert found[kind]["AR100"] == expected[8]
        assert found["gt_box_miou"] == {"class_mean": 1.0, "instance_mean": 1.0}
        assert set(found["full_box"]) == set(found["ellipse"]) == {"class_mean", "instance_mean"}


def test_the_files_beside_it_hold_classes_and_instances(scored):
    scores = scored()
    rows = list(csv.DictReader((scored.folder / "out" / "per_class.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [category["name"] for category in scored.truth["categories"]]
    assert [row["group"] for row in rows] == [("seen", "unseen")[place % 2] for place in range(len(rows))]
    for key, value in (
        ("box_AP", scores.groups["all"].box.ap),
        ("mask_AP", scores.groups["all"].mask.ap),
        ("gt_box_miou", scores.groups["all"].gt_box_miou.class_mean),
        ("full_box_miou", scores.groups["all"].full_box.class_mean),
        ("ellipse_miou", scores.groups["all"].ellipse.class_mean),
    ):
        assert np.mean([float(row[key]) for row in rows if row[key]]) == pytest.approx(value, abs=1e-12)
    instances = pq.read_table(scored.folder / "out" / "per_instance.parquet").to_pylist()
    drawn = [a for a in scored.truth["annotations"] if not a["iscrowd"]]
    assert [row["annotation_id"] for row in instances] == [a["id"] for a in drawn]
    assert [row["area"] for row in instances] == [a["area"] for a in drawn]
    assert {row["iou"] for row in instances} == {1.0}
    full_box = np.mean([row["full_box_iou"] for row in instances])
    assert full_box == pytest.approx(scores.groups["all"].full_box.instance_mean, abs=1e-12)
    assert sum(int(row["instances"]) for row in rows) == len(instances)


def test_scores_of_each_class_are_those_of_pycocotools_in_the_file_and_in_the_library(scored, reference):
    scores = scored()
    rows = list(csv.DictReader((scored.folder / "out" / "per_class.csv").read_text().splitlines()))
    keys = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
    for row, item in zip(rows, scores.per_class, strict=True):
        assert (int(row["category_id"]), row["name"], row["group"]) == (item.category_id, item.name, item.group)
        for kind, iou_type in (("box", "bbox"), ("mask", "segm")):
            stats = reference(scored.truth, scored.results, iou_type, [item.category_id]).stats
            expected = [None if value == -1 else value for value in stats]
            assert [float(row[f"{kind}_{key}"]) if row[f"{kind}_{key}"] else None for key in keys] == expected
            assert [getattr(scores.of_class(item.name), kind).to_dict()[key] for key in keys] == expected
        assert row["gt_box_miou"] == repr(item.scores.gt_box_miou.class_mean)
        assert item.scores.gt_box_miou.class_mean == item.scores.gt_box_miou.instance_mean
    with pytest.raises(UserError, match=r"there is no class 'class_0'; did you mean 'class 0'"):
        scores.of_class("class_0")
    content = json.loads((scored.folder / "out" / "scores.json").read_text())
    assert set(content) == {"schema", "split", "dataset", "groups", "notes"}
    with pytest.raises(UserError, match=r"hold groups of classes alone; read per_class\.csv"):
        Scores.from_dict(content).of_class("class 0")


def test_the_same_predictions_give_the_same_bytes(scored):
    first, second = scored.folder / "first", scored.folder / "second"
    scored(out=first)
    scored(out=second, engine="pycocotools")
    names = sorted(path.name for path in first.iterdir())
    assert names == ["per_class.csv", "per_instance.parquet", "scores.json"]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_without_a_detector_detection_ap_is_left_out_and_said_so(scored):
    (scored.folder / "predictions" / "detections" / "part-00000.parquet").unlink()
    (scored.folder / "predictions" / "detections").rmdir()
    scores = scored()
    assert scores.notes == ("detection AP left out: there are no detections",)
    assert scores.groups["seen"].box is None
    assert scores.groups["seen"].mask is None
    assert scores.groups["all"].gt_box_miou.class_mean == 1.0
    manifest = {"schema": 1, "complete": True, "detection_free": True}
    (scored.folder / "predictions" / "manifest.json").write_text(json.dumps(manifest))
    assert scored().notes == ("detection AP left out: the model has no detector",)
    manifest = {"schema": 1, "complete": True, "detection_free": False}
    (scored.folder / "predictions" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="detections: no such folder"):
        scored()


def test_a_results_file_is_scored_without_masks_on_boxes(scored):
    path = scored.folder / "results.json"
    path.write_text(json.dumps(scored.results))
    scores, from_parts = scored(predictions=path), scored()
    assert scores.groups["unseen"].mask == from_parts.groups["unseen"].mask
    assert scores.groups["unseen"].gt_box_miou is None
    assert scores.groups["unseen"].boundary_miou is None
    assert scores.notes == ("GT-box mIoU left out: there are no masks predicted on ground-truth boxes",)
    path.write_text(json.dumps([{k: r[k] for k in r if k != "segmentation"} for r in scored.results]))
    scores = scored(predictions=path)
    assert scores.groups["all"].box == from_parts.groups["all"].box
    assert scores.groups["all"].mask is None
    assert "mask AP left out: the detections have no masks" in scores.notes
    path.write_text("[]")
    assert scored(predictions=path).groups["all"].mask.ap == 0


def test_detections_beyond_the_limit_of_the_split_do_not_count(scored):
    scores = scored(split=scored.split_of(scored.truth, max_detections=2))
    path = scored.folder / "results.json"
    kept = []
    for image in scored.truth["images"]:
        own = [result for result in scored.results if result["image_id"] == image["id"]]
        kept += sorted(own, key=lambda result: -result["score"])[:2]
    path.write_text(json.dumps(kept))
    expected = scored(predictions=path)
    assert scores.groups["all"].mask == expected.groups["all"].mask
    dropped = len(scored.results) - len(kept)
    assert scores.notes == (f"{dropped} detections left out: only the 2 highest scored of an image count",)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "not a manifest of predictions"),
        ("[]", "not a manifest of predictions"),
        ('{"complete": false}', "the predictions are not complete; run predict again"),
    ],
)
def test_predictions_that_are_not_complete_are_refused(scored, manifest, message):
    (scored.folder / "predictions" / "manifest.json").write_text(manifest)
    with pytest.raises(UserError, match=rf"manifest\.json: {message}"):
        scored()
    assert not (scored.folder / "out" / "scores.json").exists()


def test_a_place_without_predictions_is_refused(scored):
    with pytest.raises(UserError, match="elsewhere: no such folder"):
        scored(predictions=scored.folder / "elsewhere")
    with pytest.raises(UserError, match=r"nix\.json: no such file; give a COCO results file"):
        scored(predictions=scored.folder / "nix.json")
    (scored.folder / "elsewhere").mkdir()
    with pytest.raises(UserError, match="elsewhere: no predictions here"):
        scored(predictions=scored.folder / "elsewhere")


def test_boundary_iou_is_averaged_like_iou_and_there_only_when_asked_for(scored):
    rows = pq.read_table(scored.folder / "predictions" / "gt_box_masks" / "part-00000.parquet").to_pylist()
    for row in rows[::2]:
        row["mask"] = next(r for r in scored.results if r["image_id"] == row["image_id"])["segmentation"]["counts"]
    write_part(scored.folder / "predictions" / "gt_box_masks", 0, rows, kind="gt_box_masks")
    plain, scores = scored(out=scored.folder / "plain"), scored(boundary=True)
    assert {
        name: replace(group, boundary_miou=None, boundary=None) for name, group in scores.groups.items()
    } == plain.groups
    content = json.loads((scored.folder / "out" / "scores.json").read_text())
    assert Scores.from_dict(content) == scores
    drawn = {a["id"]: a for a in scored.truth["annotations"] if not a["iscrowd"]}
    by_class: dict[int, list[float]] = {}
    for row in rows:
        if row["annotation_id"] in drawn:
            predicted = {"size": [row["height"], row["width"]], "counts": row["mask"]}
            iou = boundary_iou(predicted, drawn[row["annotation_id"]]["segmentation"])
            by_class.setdefault(row["category_id"], []).append(iou)
    every = [iou for values in by_class.values() for iou in values]
    found = scores.groups["all"].boundary_miou
    assert found.class_mean == pytest.approx(np.mean([np.mean(values) for values in by_class.values()]), abs=1e-12)
    assert found.instance_mean == pytest.approx(np.mean(every), abs=1e-12)
    assert found.class_mean < scores.groups["all"].gt_box_miou.class_mean < 1
    instances = pq.read_table(scored.folder / "out" / "per_instance.parquet").to_pydict()
    assert sorted(instances["boundary_iou"]) == sorted(every)
    table = list(csv.DictReader((scored.folder / "out" / "per_class.csv").read_text().splitlines()))
    means = {int(row["category_id"]): float(row["boundary_miou"]) for row in table if row["boundary_miou"]}
    assert means == {category: pytest.approx(np.mean(values), abs=1e-12) for category, values in by_class.items()}
    assert "boundary" not in (scored.folder / "plain" / "scores.json").read_text()
    assert "boundary" not in (scored.folder / "plain" / "per_class.csv").read_text()


def test_what_is_in_memory_scores_as_what_is_on_disk(scored):
    path = scored.folder / "results.json"
    path.write_text(json.dumps(scored.results))
    split = scored.split_of(scored.truth)
    options = {"annotations": str(scored.folder / "instances.json"), "split": split}
    on_disk = score_predictions(str(path), **options)
    in_memory = score_predictions(scored.results, annotations=scored.truth, split=split)
    assert in_memory.groups == on_disk.groups
    assert in_memory.notes == on_disk.notes
    assert on_disk.dataset.annotations_sha256 == sha256_of_file(scored.folder / "instances.json")
    assert not (scored.folder / "out").exists()
    folder = score_predictions(scored.folder / "predictions", out=scored.folder / "written", **options)
    assert Scores.from_dict(json.loads((scored.folder / "written" / "scores.json").read_text())) == folder
    wrong = [*scored.results, {**scored.results[0], "score": float("nan")}]
    with pytest.raises(UserError, match=f"results: row {len(scored.results)}, score: must be a finite number"):
        score_predictions(wrong, **options)
    with pytest.raises(UserError, match="annotations: is not COCO format: has no images"):
        score_predictions([], annotations={"annotations": [], "categories": []}, split=split)
    with pytest.raises(UserError, match=r"annotations: has no class 'person' .*, which split 'voc2nonvoc' needs"):
        score_predictions([], annotations=scored.truth, split="voc2nonvoc")


def test_scoring_imports_no_torch(repository):
    code = (
        "import psis_bench.scoring, sys\n"
        "light = 'numpy' not in sys.modules and 'rich' not in sys.modules\n"
        "for name in psis_bench.scoring.__all__: assert getattr(psis_bench.scoring, name)\n"
        "print(light, set(psis_bench.scoring.__all__) <= set(dir(psis_bench.scoring)))\n"
        "print([name for name in ('torch', 'mmdet', 'pandas', 'hotcoco', 'pycocotools', 'cv2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert found.stdout.splitlines() == ["True True", "[]"]


def test_equal_detections_in_memory_are_scored_as_pycocotools_does_and_refused_in_a_file(scored, reference):
    """A model may fill its list up with boxes of zeros; each is a false positive."""
    found = [
        {**{key: row[key] for key in ("image_id", "category_id", "bbox", "segmentation")}, "score": 0.5 + place / 1000}
        for place, row in enumerate(scored.truth["annotations"])
    ]
    height, width = found[0]["segmentation"]["size"]
    empty = {"size": [height, width], "counts": encode_string(np.array([height * width]))}
    zeros = {**found[0], "score": 1.0, "bbox": [0.0] * 4, "segmentation": empty}
    results = [dict(row) for row in (zeros, zeros, *found, found[0], zeros)]
    options = {"annotations": scored.truth, "split": scored.split_of(scored.truth)}
    for engine in ("auto", "pycocotools"):
        scores = score_predictions(results, **options, engine=engine)
        for kind, iou_type in (("box", "bbox"), ("mask", "segm")):
            stats = reference(scored.truth, results, iou_type).stats
            average = getattr(scores.groups["all"], kind).to_dict()
            assert [average[key] for key in AP_NAMES] == [None if value == -1 else value for value in stats[:6]]
            assert average["AP"] < 1 == getattr(score_predictions(found, **options).groups["all"], kind).ap
        assert "3 detections repeat others in image, class, score, box and mask; each of them counts" in scores.notes
    path = scored.folder / "results.json"
    path.write_text(json.dumps(results))
    with pytest.raises(UserError, match=r"row 1: repeats .*results\.json: row 0: .*and 2 more repeat others"):
        score_predictions(path, **options)


def test_detections_without_a_mask_among_others_are_counted(scored, reference):
    results = [
        {key: value for key, value in result.items() if key != "segmentation" or place % 3}
        for place, result in enumerate(scored.results)
    ]
    scores = score_predictions(results, annotations=scored.truth, split=scored.split_of(scored.truth))
    without, count = len(results[::3]), len(results)
    assert f"{without} of {count} detections have no mask and do not count in mask AP" in scores.notes
    with_masks = [result for result in scored.results if "segmentation" in results[scored.results.index(result)]]
    assert scores.groups["all"].mask.ap == reference(scored.truth, with_masks, "segm").stats[0]
    assert scores.groups["all"].box.ap == reference(scored.truth, scored.results, "bbox").stats[0]


def test_a_file_that_covers_few_images_says_so(scored):
    path = scored.folder / "results.json"
    path.write_text("[]")
    images = len({row["image_id"] for row in scored.truth["annotations"] if not row["iscrowd"]})
    assert f"{images} of the {images} images that have objects have no detection" in scored(predictions=path).notes


def test_pycocotools_leaves_the_output_of_the_process_alone(scored, capsys):
    options = {"annotations": scored.truth, "split": scored.split_of(scored.truth), "engine": "pycocotools"}
    before = sys.stdout
    for _ in range(20):
        score_predictions(scored.results, **options)
        assert sys.stdout is before
    assert capsys.readouterr().out == ""
