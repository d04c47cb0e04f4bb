"""Results on LVIS annotations, by the ways that a user has: the command and the library."""

from __future__ import annotations

import copy
import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from exactness import definitions, problems
from pycocotools.mask import encode
from rich.console import Console

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.scoring import Scores, score_predictions
from psis_bench.scoring.inputs.records import write_part
from psis_bench.scoring.results.table import score_table
from psis_bench.splits import SplitProtocol
from psis_bench.splits.categories import COCO_NAMES

SIZE = {"height": 20, "width": 60}
IMAGES = [
    {"id": 1, "file_name": "1.jpg", **SIZE, "neg_category_ids": [2], "not_exhaustive_category_ids": []},
    {"id": 2, "file_name": "2.jpg", **SIZE, "neg_category_ids": [], "not_exhaustive_category_ids": [1]},
]
CATEGORIES = [
    {"id": 1, "name": "cat", "synset": "cat.n.01", "frequency": "f"},
    {"id": 2, "name": "sausage", "synset": "sausage.n.01", "frequency": "r"},
]


def row(image: int, category: int, x: int, score: float | None = None) -> dict[str, object]:
    box = {"image_id": image, "category_id": category, "bbox": [x, 0, 10, 10]}
    return box | ({"area": 100.0} if score is None else {"score": score})


@pytest.fixture
def truth() -> dict[str, object]:
    drawn = [{**row(1, 1, 0), "id": 1}, {**row(2, 1, 0), "id": 2}, {**row(2, 2, 20), "id": 3}]
    return copy.deepcopy({"images": IMAGES, "categories": CATEGORIES, "annotations": drawn})


def box_scores(results, truth, **options):
    return score_predictions(results, annotations=truth, split="coco2lvis", **options).groups


def test_a_wrong_detection_counts_only_where_its_class_is_known_to_be_absent_or_drawn_in_full(truth):
    right = [row(1, 1, 0, 0.5), row(2, 1, 0, 0.5), row(2, 2, 20, 0.5)]
    assert box_scores(right, truth)["all"].box.ap == pytest.approx(1)
    # Image 2: not every cat is drawn, so that another cat may well be right. Image 1 says nothing on class 2 but that
    # it is absent; a sausage there is wrong, and comes first.
    assert box_scores([*right, row(2, 1, 40, 0.9)], truth)["seen"].box.ap == pytest.approx(1)
    assert box_scores([*right, row(1, 2, 40, 0.9)], truth)["unseen"].box.ap == pytest.approx(0.5)
    truth["images"][0]["neg_category_ids"] = []
    assert box_scores([*right, row(1, 2, 40, 0.9)], truth)["unseen"].box.ap == pytest.approx(1)


def test_groups_by_frequency_and_by_coco(truth):
    groups = box_scores([row(1, 1, 0, 0.5)], truth)
    assert list(groups) == ["all", "seen", "unseen", "frequent", "rare"]
    assert groups["frequent"] == groups["seen"]
    mine = SplitProtocol(name="mine", version=1, seen=("sausage",), unseen=("cat",), description="", max_detections=300)
    scores = score_predictions([row(1, 1, 0, 0.5)], annotations=truth, split=mine)
    assert list(scores.groups) == ["all", "seen", "unseen", "frequent", "rare", "coco", "not_coco"]
    assert scores.groups["coco"] == scores.groups["unseen"]
    assert Scores.from_dict(json.loads(json.dumps(scores.to_dict()))) == scores


def test_what_is_not_lvis_s_own_and_which_classes_of_coco_are_not_there_is_noted(truth):
    few = SplitProtocol(name="few", version=1, seen=("cat",), unseen=("sausage",), description="", max_detections=100)
    notes = score_predictions([row(1, 1, 0, 0.5)], annotations=truth, split=few).notes
    assert any(note.startswith("not LVIS's own number: 100 detections of an image count, 300 there") for note in notes)
    notes = score_predictions([row(1, 1, 0, 0.5)], annotations=truth, split="coco2lvis").notes
    assert not any("not LVIS's own" in note for note in notes)
    (note,) = [note for note in notes if "COCO's 80" in note]
    assert note.startswith("79 of COCO's 80 classes have no category of that synset here: person (person.n.01), ")


def test_a_split_of_coco_s_names_is_refused_with_the_way_to_lvis(truth):
    with pytest.raises(UserError, match=r"has no class 'person'.*split=coco2lvis"):
        score_predictions([row(1, 1, 0, 0.5)], annotations=truth, split="voc2nonvoc")


def test_the_split_from_coco_is_refused_on_annotations_without_synsets(truth):
    for entry in truth["categories"]:
        del entry["synset"]
    with pytest.raises(UserError, match=r"the categories have no synset, by which split 'coco2lvis' .*LVIS's own"):
        score_predictions([row(1, 1, 0, 0.5)], annotations=truth, split="coco2lvis")
    coco = {"images": [{"id": 1, "file_name": "1.jpg", **SIZE}], "annotations": []}
    coco["categories"] = [{"id": place, "name": name} for place, name in enumerate(COCO_NAMES, 1)]
    with pytest.raises(UserError, match=r"no synset, .* split=fully_supervised"):
        score_predictions([row(1, 1, 0, 0.5)], annotations=coco, split="coco2lvis")


def test_images_that_coco_trains_on_are_told_apart(truth, tmp_path):
    """A cat and a sausage of each folder; masks on boxes have all of the columns in train2017, half in val2017."""
    masks, annotations = [], []
    for image, share in ((1, 10), (2, 5)):
        folder = "train2017" if image == 1 else "val2017"
        truth["images"][image - 1]["coco_url"] = f"http://images.cocodataset.org/{folder}/{image}.jpg"
        for category in (1, 2):
            number = len(annotations) + 1
            drawn, found = np.zeros((20, 60), np.uint8), np.zeros((20, 60), np.uint8)
            drawn[:10, :10], found[:10, :share] = 1, 1
            strings = [encode(np.asfortranarray(mask))["counts"].decode() for mask in (drawn, found)]
            segmentation = {"size": [20, 60], "counts": strings[0]}
            annotations.append({**row(image, category, 0), "id": number, "segmentation": segmentation})
            one = {"image_id": image, "annotation_id": number, "category_id": category, "mask": strings[1]}
            masks.append({**one, **SIZE})
    truth["annotations"] = annotations
    write_part(tmp_path / "gt_box_masks", 0, masks, kind="gt_box_masks")
    scores = score_predictions(tmp_path, annotations=truth, split="coco2lvis", details=True)
    assert scores.groups["seen"].gt_box_miou.class_mean == 0.75
    (note,) = [note for note in scores.notes if "train2017" in note]
    assert note.startswith("1 of 2 images are of COCO's train2017: objects of seen classes there had masks")
    assert note.endswith("GT-box mIoU of the 1 others: 50.0 on seen classes, 50.0 on unseen classes")
    parts = {(part.part, part.group): part.means["gt_box_miou"][0] for part in scores.mask_quality
             if part.axis == "coco_folder"}  # fmt: skip
    assert (parts["train2017", "unseen"], parts["val2017", "unseen"]) == (1, 0.5)
    by_name = SplitProtocol(name="mine", version=1, seen=("cat",), unseen=("sausage",), description="")
    assert not any("train2017" in note for note in score_predictions(tmp_path, annotations=truth, split=by_name).notes)
    for image in truth["images"]:
        image["coco_url"] = image["coco_url"].replace("train", "val")
    scores = score_predictions(tmp_path, annotations=truth, split="coco2lvis", details=True)
    assert "coco_folder" not in {part.axis for part in scores.mask_quality}


@pytest.fixture(scope="module")
def mini(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """lvis_mini's classes of a dozen images, so that the lvis package takes a second, as files."""
    folder = tmp_path_factory.mktemp("lvis")
    truth = problems.read(shared_data / "lvis_mini" / "lvis_v0.5_val_mini.json")
    truth["images"] = truth["images"][:12]
    kept = {image["id"] for image in truth["images"]}
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in kept]
    named = {entry["category_id"] for entry in truth["annotations"]}
    for image in truth["images"]:
        named |= {*image["neg_category_ids"], *image["not_exhaustive_category_ids"]}
    truth["categories"] = [category for category in truth["categories"] if category["id"] in named]
    results = problems.crowded(problems.perturbed(truth), truth["annotations"][0]["image_id"], 320)
    for result in results:
        result["bbox"] = [max(0.0, side) for side in result["bbox"]]
    (folder / "lvis.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    part = {"annotations": "lvis.json", "images": str(shared_data / "lvis_mini" / "images")}
    (folder / "data.yaml").write_text(json.dumps({"name": "mini", "val": part}))
    return SimpleNamespace(folder=folder, truth=truth, results=results)


def test_the_command_prints_the_numbers_of_the_lvis_package(mini, capsys):
    arguments = [str(mini.folder / "results.json"), "split=coco2lvis", f"data={mini.folder / 'data.yaml'}"]
    assert main(["score", *arguments, f"out={mini.folder / 'out'}", "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    for part, measure in (("box", "bbox"), ("mask", "segm")):
        expected = definitions.lvis_on(mini.truth, mini.results, measure).results
        found = {f"AP{name[0]}": groups[name][part]["AP"] for name in ("rare", "common", "frequent") if name in groups}
        found |= {key: groups["all"][part][key] for key in ("AP", "AP50", "AP75", "APs", "APm", "APl")}
        found |= {"AR@300": groups["all"][part]["AR300"], "ARs@300": groups["all"][part]["ARs"]}
        assert found == {name: None if expected[name] == -1 else expected[name] for name in found}
        assert 0.05 < found["AP"] < 0.95
        assert found.keys() >= {"APc", "APf"}
        assert groups["all"][part]["AR100"] is None
    rows = list(csv.DictReader((mini.folder / "out" / "per_class.csv").read_text().splitlines()))
    assert len(rows) == len(mini.truth["categories"])
    assert {row["group"] for row in rows} == {"seen", "unseen"}
    recalls = [float(row["mask_AR300"]) for row in rows if row["mask_AR300"]]
    assert sum(recalls) / len(recalls) == pytest.approx(groups["all"]["mask"]["AR300"], abs=1e-12)
    assert not {"box_AR1", "mask_AR10", "mask_AR100"} & set(rows[0])  # LVIS has no such numbers


@pytest.mark.parametrize("width", [80, 100])
def test_the_tables_of_eight_groups_fit_a_terminal(mini, width):
    names = [category["name"] for category in mini.truth["categories"]]
    split = SplitProtocol(
        name="mine", version=1, seen=tuple(names[::2]), unseen=(), description="", max_detections=300,
        unseen_is_rest=True,
    )  # fmt: skip
    scores = score_predictions(mini.results, annotations=mini.truth, split=split)
    assert len(scores.groups) == 8
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(score_table(scores))
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    heads = [[cell.strip() for cell in line.split("┃")[1:-1]] for line in text.splitlines() if line.startswith("┃")]
    assert heads[0] == ["", "seen", "unseen", "all"]
    assert heads[2:4] == [["", "", "", "", "", "not"], ["", "freq.", "comm.", "rare", "coco", "coco"]]
    counts = [str(scores.groups[name].classes) for name in ("frequent", "common", "rare", "coco", "not_coco")]
    assert heads[4] == ["score x 100", *counts]


def test_the_table_has_a_column_for_each_group(mini, capsys):
    arguments = [str(mini.folder / "results.json"), "split=coco2lvis", f"data={mini.folder / 'data.yaml'}"]
    assert main(["score", *arguments, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [cell.split("(")[0].strip() for cell in lines[0].split("|")[2:-1]][:5] == [
        "seen", "unseen", "all", "frequent", "common",
    ]  # fmt: skip
    assert any(line.startswith("| mask AR with 300 |") for line in lines)
    assert not any(line.startswith("| mask AR with 100 |") for line in lines)
    assert any("hot dog (frank.n.02)" in line for line in lines)
    assert main(["score", *arguments, "--csv"]) == 0
    assert "mask.AR300," in capsys.readouterr().out
