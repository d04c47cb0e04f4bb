"""``psis-bench compare``: what is shown, in every form, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psis_bench.cli import main
from psis_bench.files import write_json
from psis_bench.rle import encode_crop
from psis_bench.scoring.inputs.records import write_part

HEIGHT, WIDTH, IMAGES = 24, 60, 30
SPLIT = "{name: pets, version: 1, seen: [cat], unseen: [dog], description: Pets.}"


def square(place: int, *, cut: int = 0) -> str:
    """Return a square of 12 pixels, or of fewer columns."""
    return encode_crop(np.ones((12, 12 - cut), bool), x=10 * place + 5, y=6, height=HEIGHT, width=WIDTH)


def write_predictions(folder: Path, *, cats: int, dogs: int) -> None:
    """Write masks that lack so many columns of 12: one cat and one dog an image, on boxes and as detections."""
    sizes = {"height": HEIGHT, "width": WIDTH}
    rows, found = [], []
    for image in range(1, IMAGES + 1):
        for place, (category, cut) in enumerate(((1, cats), (2, dogs))):
            # Images differ a little, so that draws of them do.
            mask = square(2 * place, cut=cut + image % 2)
            row = {"image_id": image, "category_id": category, "mask": mask, **sizes}
            rows.append({**row, "annotation_id": 2 * image + place})
            box = [20.0 * place + 5, 6.0, 12.0 - cut - image % 2, 12.0]
            found.append({**row, "score": 1 / (image + category), "bbox": box})
    write_part(folder / "gt_box_masks", 0, rows, kind="gt_box_masks")
    write_part(folder / "detections", 0, found, kind="detections")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations, three prediction folders, and the scores of the first two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("made"))
        make()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, which is the current folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make() -> None:
    Path("pets.yaml").write_text(SPLIT)
    annotations = [
        {
            "id": 2 * image + place,
            "image_id": image,
            "category_id": place + 1,
            "bbox": [20 * place + 5, 6, 12, 12],
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": square(2 * place)},
        }
        for image in range(1, IMAGES + 1)
        for place in (0, 1)
    ]
    images = [
        {"id": image, "file_name": f"{image}.jpg", "height": HEIGHT, "width": WIDTH} for image in range(1, IMAGES + 1)
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    truth = {"images": images, "categories": categories, "annotations": annotations}
    Path("val.json").write_text(json.dumps(truth))
    for name, cats, dogs in (("a", 2, 4), ("b", 2, 1), ("c", 1, 2)):
        write_predictions(Path(name), cats=cats, dogs=dogs)
    for name in "ab":
        assert main(["score", name, "split=pets.yaml", "data=val.json", f"out=scores_{name}"]) == 0


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["compare", *arguments]) == 0
    return capsys.readouterr().out


def test_two_score_folders_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(shown(capsys, "scores_a", "scores_b", "--json"))
    # Half the images lack one column more: IoU of dogs (8 + 7) / 24 against (11 + 10) / 24.
    first, second = (entry["scores"]["gt_box_miou.class_mean"]["unseen"]["value"] for entry in content["entries"])
    assert (first, second) == (pytest.approx(15 / 24), pytest.approx(21 / 24))
    found = content["differences"]["gt_box_miou.class_mean"]
    assert [found["unseen"][name] for name in ("value", "low", "high")] == pytest.approx([6 / 24] * 3)
    assert found["seen"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    # The folders say where the predictions are, so that AP has its interval too.
    assert content["differences"]["mask.AP"]["unseen"]["low"] > 0
    assert content["notes"] == []
    assert content["trivial"]["full_box"]["unseen"] == 1.0
    text = shown(capsys, "scores_a", "scores_b")
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["A"][-2:] == ["79.2", "62.5"]
    assert rows["B"][-2:] == ["79.2", "87.5"]
    assert rows["full box"][-2:] == ["100.0", "100.0"]
    assert rows["GT-box mIoU, unseen"] == ["+25.0", "[+25.0, +25.0]", "yes"]
    assert text.splitlines()[-2:] == ["A: scores_a", "B: scores_b"]


def test_results_are_scored_first_and_ap_has_intervals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "a", "b", "split=pets.yaml", "data=val.json", "draws=200", "--csv")
    rows = {(row["what"], row["score"], row["group"]): row for row in csv.DictReader(text.splitlines())}
    difference = rows["difference", "mask.AP", "unseen"]
    assert float(difference["low"]) <= float(difference["value"]) <= float(difference["high"])
    assert float(difference["low"]) > 0
    assert {row["class"] for row in csv.DictReader(text.splitlines()) if row["what"] == "class difference"} == {
        "cat",
        "dog",
    }
    markdown = shown(capsys, "a", "b", "split=pets.yaml", "data=val.json", "draws=200", "--markdown")
    assert "| GT-box mIoU, seen | +0.0 | [+0.0, +0.0] | no |" in markdown
    assert "* A: a\n* B: b\n" in markdown


def without_record(folder: Path) -> None:
    (folder / "predictions.json").unlink()


def changed(folder: Path) -> None:
    """Leave the file of the same name but not of the same content."""
    write_predictions(folder.parent / "a", cats=3, dogs=4)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (without_record, "its predictions are not on record; give the predictions themselves, with split= and data="),
        (lambda folder: shutil.rmtree(folder.parent / "a"), "a is gone"),
        (changed, "a is no longer what was scored; score it again"),
        (lambda folder: (folder / "predictions.json").write_text("[]"), "its predictions are not on record; give the"),
    ],
)
def test_a_note_says_whose_ap_has_no_interval_and_why(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], note: str
) -> None:
    record = json.loads((folder / "scores_a" / "predictions.json").read_text())
    for name in ("predictions", "annotations"):  # where the copies are
        record[name] = str(folder / Path(record[name]).name)
    write_json(folder / "scores_a" / "predictions.json", record)
    change(folder / "scores_a")
    arguments = ("scores_a", "b", "split=pets.yaml", "data=val.json", "draws=200", "--json")
    content = json.loads(shown(capsys, *arguments))
    (found,) = content["notes"]
    assert found.startswith("A: AP of scores_a has no interval: ")
    assert note in found
    assert content["differences"]["mask.AP"]["unseen"]["low"] is None
    assert content["differences"]["gt_box_miou.class_mean"]["unseen"]["low"] is not None
    first, second = (entry["scores"]["mask.AP"]["unseen"] for entry in content["entries"])
    assert (first["low"], second["low"] is None) == (None, False)


def test_without_annotations_no_ap_has_an_interval(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        without_record(Path(f"scores_{name}"))
    notes = json.loads(shown(capsys, "scores_a", "scores_b", "draws=200", "--json"))["notes"]
    assert "no intervals of AP: the annotation file is not found; score again, or give the predictions" in notes


def test_groups_of_lvis_are_compared_and_their_ap_says_why_it_has_no_interval(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = json.loads(Path("val.json").read_text())
    for category, frequency, synset in zip(truth["categories"], "fr", ("cat.n.01", "aardvark.n.01"), strict=True):
        category |= {"frequency": frequency, "synset": synset}
    for image in truth["images"]:
        image |= {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    write_json(Path("lvis.json"), truth)
    arguments = ("a", "b", "split=pets.yaml", "data=lvis.json", "draws=200", "--json")
    content = json.loads(shown(capsys, *arguments))
    (note,) = content["notes"]
    assert note.startswith("AP has no interval: it is taken by LVIS's rules")
    found = content["differences"]["gt_box_miou.class_mean"]
    # The rare class is the unseen one.
    assert found["rare"] == found["unseen"]
    assert found["rare"]["value"] == pytest.approx(6 / 24)
    assert found["frequent"] == found["seen"]
    assert content["differences"]["mask.AP"]["rare"]["low"] is None
    assert content["differences"]["mask.AP"]["rare"] == content["differences"]["mask.AP"]["unseen"]


def test_three_are_ranked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "scores_a", "scores_b", "c", "split=pets.yaml", "data=val.json")
    # Eight numbers of an entry are too wide for 80 columns: each has a row.
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in text.splitlines()
        if "│" in line
    }
    assert (rows["GT-box mIoU, seen"][2], rows["GT-box mIoU, unseen"][2]) == ("87.5  #1", "79.2  #2")
    assert max(map(len, text.splitlines())) <= 80
    assert "Difference" not in text


def test_a_run_brings_its_seed_its_times_and_its_detections(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.yaml").write_text("{name: two, val: {annotations: val.json, images: .}}")
    for seed, name in enumerate("ab"):
        run = Path(f"run{seed}")
        shutil.copytree(f"scores_{name}", run)
        shutil.copytree(name, run / "predictions")
        config = {"split": str(folder / "pets.yaml"), "data": {"name": str(folder / "data.yaml"), "root": None}}
        write_json(run / "config.yaml", {**config, "seed": seed, "out": str(run)})
        write_json(run / "stages" / "train.json", {"seconds": 90.0 + seed, "peak_memory": 3 * 2**30})
    content: dict[str, Any] = json.loads(shown(capsys, "run0", "run1", "draws=200", "--json"))
    # Two seeds of one model are held against each other.
    assert [len(entry["runs"]) for entry in content["entries"]] == [1, 1]
    assert content["entries"][1]["runs"][0]["seconds"] == {"train": 91.0}
    assert content["differences"]["mask.AP"]["unseen"]["low"] > 0
    assert content["notes"] == []
    text = shown(capsys, "run0", "run1", "scores_a", "draws=200")
    assert "A (2 seeds)" in text
    assert "1.5 min" in text
    assert "3.0 GiB" in text
    assert "they cannot be paired" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to compare; give two or more folders"),
        (["scores_a"], "one run alone; give two or more"),
        (["scores_a", "scores_a"], "scores_a: the same folder is given twice"),
        (["scores_a", "nowhere"], "nowhere: no such file or folder"),
        (["scores_a", "."], ".: there are no scores here; give the folder of a run that is scored"),
        (["scores_a", "b"], "b: is not scored, and no split is given; add split=... and data=..."),
        (["scores_a", "scores_b", "draws=3"], "draws=3 is no number of draws"),
        (["scores_a", "scores_b", "split=pets.yaml", "data=x.json"], "split= is for predictions that are scored first"),
        (["scores_a", "scores_b", "boundary=true"], "boundary= is for predictions that are scored first, and all of"),
        (
            ["scores_a", "b", "split=pets.yaml", "data=val.json", "boundary=maybe"],
            "boundary must be true or false, not",
        ),
        (["scores_a", "b", "split=pets.yaml", "data=x.json"], "x.json: "),
        (["scores_a", "scores_b", "seed=3"], "unknown key 'seed'"),
        (["scores_a", "scores_b", "--json", "--csv"], "--json and --csv are two forms of one result"),
        (["scores_a", "other_split"], "other_split: is scored under split pets version 2"),
        (["scores_a", "other_data"], "other_data: is scored on other annotations (30 images, 60 instances, 00000000)"),
        (["scores_a", "damaged"], "damaged/scores.json: cannot be read"),
        (["scores_a", "no_instances"], "no_instances/per_instance.parquet: cannot be read"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    for name in ("other_split", "other_data", "damaged", "no_instances"):
        shutil.copytree("scores_a", name)
    scores = json.loads(Path("scores_a/scores.json").read_text())
    write_json(Path("other_split/scores.json"), {**scores, "split": {"name": "pets", "version": 2, "hash": "0" * 64}})
    changed = {**scores, "dataset": {**scores["dataset"], "annotations_sha256": "0" * 64}}
    write_json(Path("other_data/scores.json"), changed)
    Path("damaged/scores.json").write_text("{")
    Path("no_instances/per_instance.parquet").unlink()
    capsys.readouterr()
    assert main(["compare", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err.splitlines()[-1]
    assert told.err.splitlines()[-1].startswith("psis-bench: error: ")


def test_it_imports_no_torch(folder: Path) -> None:
    program = (
        "import sys; from psis_bench.cli import main\n"
        "code = main(['compare', 'scores_a', 'scores_b'])\n"
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'mmengine', 'mmdet', 'mmcv', 'matplotlib')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, capture_output=True)
