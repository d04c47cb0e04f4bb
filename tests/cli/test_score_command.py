"""``psis-bench score`` of predictions that no run of this package made."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from psis_bench.cli import main
from psis_bench.scoring.inputs.records import write_part

from .conftest import Workshop


def mask(*counts: int) -> dict[str, Any]:
    return {"size": [10, 20], "counts": list(counts)}


CAT = {"image_id": 1, "category_id": 1, "segmentation": mask(0, 60, 140)}
DOG = {"image_id": 1, "category_id": 2, "segmentation": mask(140, 60)}
TRUTH = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 10, "width": 20}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [{**CAT, "id": 1, "bbox": [0, 0, 6, 10]}, {**DOG, "id": 2, "bbox": [14, 0, 6, 10]}],
}
RESULTS = [{**CAT, "score": 0.9}, {**DOG, "score": 0.8, "segmentation": mask(160, 40)}]
"""The cat is found exactly, of the dog 40 of 60 pixels: above 4 of the 10 IoU thresholds."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Annotations, results, a prediction folder, a split and a data set; the current folder is theirs."""
    (tmp_path / "val.json").write_text(json.dumps(TRUTH))
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    (tmp_path / "pets.yaml").write_text("{name: pets, version: 1, seen: [cat], unseen: [dog], description: Pets.}")
    (tmp_path / "data.yaml").write_text("{name: two, val: {annotations: val.json, images: .}}")
    sizes = {"image_id": 1, "height": 10, "width": 20}
    boxes = [[0, 0, 6, 10], [16, 0, 4, 10]]
    strings = [encoded(result["segmentation"]) for result in RESULTS]
    rows = [
        {**sizes, "category_id": place + 1, "score": 0.9, "bbox": box, "mask": strings[place]}
        for place, box in enumerate(boxes)
    ]
    write_part(tmp_path / "found" / "detections", 0, rows, kind="detections")
    rows = [{**sizes, "annotation_id": place + 1, "category_id": place + 1, "mask": strings[place]} for place in (0, 1)]
    write_part(tmp_path / "found" / "gt_box_masks", 0, rows, kind="gt_box_masks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def encoded(rle: dict[str, Any]) -> str:
    from pycocotools import mask as coco_mask

    return coco_mask.frPyObjects(rle, *rle["size"])["counts"].decode()


def score(*arguments: str) -> int:
    return main(["score", *arguments])


def test_a_results_file_is_scored_as_json_table_markdown_and_csv(folder: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["results.json", "split=pets.yaml", "data=data.yaml"]
    assert score(*arguments, "--json") == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    for name, expected in (("seen", 1.0), ("unseen", 0.4), ("all", 0.7)):
        assert groups[name]["mask"]["AP"] == pytest.approx(expected, abs=1e-12)
        assert groups[name]["gt_box_miou"] is None
    assert score(*arguments) == 0
    shown = capsys.readouterr().out
    assert [cell.strip() for cell in line_with("mask AP ", shown).split("│")[2:5]] == ["100.0", "40.0", "70.0"]
    assert "full box" not in shown
    assert score("--markdown", *arguments) == 0
    assert "| mask AP | 100.0 | 40.0 | 70.0 |\n" in capsys.readouterr().out
    assert score(*arguments, "--csv") == 0
    rows = {row["score"]: row for row in csv.DictReader(capsys.readouterr().out.splitlines())}
    assert float(rows["mask.AP"]["unseen"]) == pytest.approx(0.4, abs=1e-12)
    assert {path.name for path in folder.iterdir()} == {"val.json", "results.json", "pets.yaml", "data.yaml", "found"}


def line_with(start: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.removeprefix("│ ").startswith(start))


def test_out_holds_the_files_and_an_annotation_file_may_stand_for_the_data(folder: Path):
    assert score("split=pets.yaml", "results.json", "data=val.json", "out=some/where") == 0
    names = {path.name for path in (folder / "some" / "where").iterdir()}
    assert names == {"scores.json", "per_class.csv", "per_instance.parquet", "predictions.json"}
    rows = list(csv.DictReader((folder / "some" / "where" / "per_class.csv").read_text().splitlines()))
    assert [(row["name"], row["group"], round(float(row["mask_AP"]), 6)) for row in rows] == [
        ("cat", "seen", 1.0),
        ("dog", "unseen", 0.4),
    ]


def test_a_prediction_folder_has_gt_box_miou_and_boundary_iou_when_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert score("found", "split=pets.yaml", "data=val.json", "--json") == 0
    unseen = json.loads(capsys.readouterr().out)["groups"]["unseen"]
    assert unseen["gt_box_miou"] == {"class_mean": pytest.approx(2 / 3), "instance_mean": pytest.approx(2 / 3)}
    assert "boundary_miou" not in unseen
    assert score("found/", "split=pets.yaml", "data=val.json", "boundary=true", "--json") == 0
    # One pixel wide: 28 and 24 pixels of outline, of which the two share the last column and two rows of three more.
    unseen = json.loads(capsys.readouterr().out)["groups"]["unseen"]
    assert unseen["boundary_miou"]["class_mean"] == pytest.approx(16 / 36)
    assert score("found", "split=pets.yaml", "data=val.json", "boundary=true") == 0
    assert "boundary IoU" in capsys.readouterr().out


def test_paths_may_have_an_equals_sign(folder: Path):
    (folder / "a=b").mkdir()
    (folder / "results.json").rename(folder / "a=b" / "results.json")
    assert score("./a=b/results.json", "split=pets.yaml", "data=val.json") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 7}, "results.json: row 1, image_id: val.json has no image 7"),
        ({"category_id": 3}, "results.json: row 1, category_id: val.json has no category 3; categories are given by"),
        ({"score": None}, "results.json: row 1, score: is missing"),
        ({"score": float("inf")}, "results.json: row 1, score: must be a finite number, not inf"),
        ({"score": 10**400}, "results.json: row 1, score: must be a number, not 1000"),
        ({"segmentation": mask(160, 41)}, "results.json: row 1, segmentation: the run lengths add up to 201, not to"),
        ({"segmentation": None}, "results.json: row 1: has neither bbox nor segmentation"),
        ({"bbox": [0, 0, -1, 5]}, "results.json: row 1, bbox: has a negative width or height"),
    ],
)
def test_a_faulty_detection_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
):
    (folder / "results.json").write_text(json.dumps([RESULTS[0], {**RESULTS[1], **change}]))
    assert score("results.json", "split=pets.yaml", "data=val.json", "out=out") == 2
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1].startswith(f"psis-bench: error: {message}")
    assert shown.out == ""
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.json", "split=pets.yaml"], "nothing.json: no such file; give a COCO results file"),
        (["results.json", "data=val.json"], "no split is given; add split="),
        (["results.json", "split=pets.yaml"], "no data set is given; add data=coco"),
        (["results.json", "split=pets.yaml", "data=two"], "unknown data set 'two'"),
        (["results.json", "split=pets.yaml", "data=no.json"], "no.json: no such annotation file"),
        (["results.json", "split=pets.yaml", "data=val.json", "data.root=."], "data.root= goes with the name"),
        (["results.json", "split=pets.yaml", "data=results.json"], "results.json: is a list of results (predictions)"),
        (["val.json", "split=pets.yaml", "data=val.json"], "val.json: not a COCO results file"),
        (["results.json", "split=voc2nonvoc", "data=val.json"], "val.json: has no class 'person' (and 77 more), which"),
        (["results.json", "split=pets.yaml", "data=val.json", "seed=1"], "unknown key 'seed'"),
        (["results.json", "split=pets.yaml", "data=val.json", "found"], "'found' is one word too many"),
        (["found", "split=pets.yaml", "data=val.json", "boundary=yes"], "boundary must be true or false, not 'yes'"),
        (["results.json", "split=pets.yaml", "data=val.json", "out=data.yaml"], "data.yaml: is a file; give out="),
        (["results.json", "split=pets.yaml", "data=val.json", "--csv", "--json"], "--json and --csv are two forms"),
        (["results.json", "split=pets.yaml", "data=val.json", "--dry-run"], "changes nothing but out="),
    ],
)
def test_mistakes_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str):
    assert score(*arguments) == 2
    shown = capsys.readouterr()
    told = shown.err.splitlines()[-1]
    assert told.startswith("psis-bench: error: ")
    assert message in told
    assert shown.out == ""


def test_the_folder_of_a_run_keeps_its_own_scores(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").touch()
    assert score("results.json", "split=pets.yaml", "data=val.json", "out=run") == 2
    assert "run: is the folder of a run; choose another out=" in capsys.readouterr().err


def test_a_run_is_scored_as_before_and_in_every_form(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    assert main(["run", *workshop.keys]) == 0
    capsys.readouterr()
    for arguments in (workshop.keys, [str(workshop.out)], [f"out={workshop.out}"]):
        assert score(*arguments, "--json") == 0
        assert json.loads(capsys.readouterr().out)["scores"]["groups"]["unseen"]["gt_box_miou"]["class_mean"] == 0.5
    assert score(str(workshop.out)) == 0
    shown = capsys.readouterr().out
    assert "GT-box mIoU, class mean" in shown
    assert shown.splitlines()[-1].endswith("run/scores.json")
    assert score(str(workshop.out), "--markdown") == 0
    assert "| GT-box mIoU, class mean | 50.0 | 50.0 | 50.0 |\n" in capsys.readouterr().out
    assert score(str(workshop.out), "--csv") == 0
    assert capsys.readouterr().out.startswith("score,seen,unseen,all\n")
    assert workshop.ran() == ["train", "predict", "score", "report"]


def test_it_imports_no_torch(folder: Path):
    program = (
        "import sys; from psis_bench.cli import main\n"
        "code = main(['score', 'results.json', 'split=pets.yaml', 'data=val.json', '--json'])\n"
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'mmengine', 'mmdet', 'mmcv', 'matplotlib')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, capture_output=True)
