"""What a library call is given: other types are told by name, and results in memory may hold NumPy's."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_results import GOOD, OTHER, TRUTH

from psis_bench.errors import UserError
from psis_bench.scoring import Scores, score_predictions
from psis_bench.scoring.inputs.records import part_path, write_part
from psis_bench.splits.protocol import SplitProtocol

PETS = SplitProtocol(name="pets", version=1, seen=("cat",), unseen=("dog",), description="")
LIST = "give a list of detections, or the path of a results file or prediction folder"


def scored(predictions: Any, **changes: Any) -> Scores:
    return score_predictions(predictions, **{"annotations": TRUTH, "split": PETS, **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "pycocotool"}, "engine: unknown value 'pycocotool'; did you mean 'pycocotools'?"),
        ({"engine": None}, "engine: unknown value None; choose one of: auto, hotcoco, pycocotools"),
        ({"on_bad_boxes": "foo"}, "on_bad_boxes: unknown value 'foo'; choose one of: error, drop"),
        ({"on_bad_boxes": True}, "on_bad_boxes: unknown value True; choose one of: error, drop"),
        ({"predictions": None}, f"predictions: has the type NoneType; {LIST}"),
        ({"predictions": iter([GOOD])}, f"predictions: has the type list_iterator; {LIST}"),
        ({"predictions": np.zeros(3)}, f"predictions: has the type ndarray; {LIST}"),
        ({"predictions": b"results.json"}, f"predictions: has the type bytes; {LIST}"),
        ({"predictions": TRUTH}, "predictions: not a COCO results file but an annotation file; give the detections"),
        ({"predictions": GOOD}, "predictions: not a COCO results file but a single detection; put it into a list"),
        ({"predictions": {}}, "predictions: not a COCO results file: a list of detections is needed; write the"),
        ({"predictions": "nix.json"}, "nix.json: no such file; give a COCO results file, or a prediction folder"),
        ({"annotations": None}, "annotations: has the type NoneType; give the path of an annotation file, or its"),
        ({"annotations": [GOOD]}, "annotations: has the type list; give the path of an annotation file"),
        ({"split": None}, "split: has the type NoneType; give the name of a split, its YAML file, or a SplitProtocol"),
        ({"split": Path("no.yaml")}, "no.yaml: "),
    ],
)
def test_arguments_of_another_kind_are_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        scored(**{"predictions": [GOOD], **change})
    assert str(caught.value).startswith(message)


def test_a_part_is_written_to_a_path_as_text_and_of_a_known_kind(tmp_path: Path) -> None:
    path = write_part(str(tmp_path / "detections"), 3, [], kind="detections")
    assert path == part_path(tmp_path / "detections", 3)
    with pytest.raises(UserError, match="kind: unknown value 'detection'; did you mean 'detections'"):
        write_part(tmp_path, 0, [], kind="detection")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {**row, "image_id": np.int64(1), "category_id": np.uint8(1)},
        lambda row: {**row, "score": np.float64(row["score"])},
        lambda row: {**row, "score": Fraction(row["score"])},
        lambda row: {**row, "bbox": tuple(row["bbox"])},
        lambda row: {**row, "bbox": np.array(row["bbox"], np.int32)},
        lambda row: {**row, "bbox": [np.float32(value) for value in row["bbox"]]},
        lambda row: {
            **row,
            "segmentation": {"size": (10, np.int64(20)), "counts": tuple(row["segmentation"]["counts"])},
        },
        UserDict,
    ],
)
def test_results_in_memory_may_hold_other_numbers(change: Callable[[dict[str, Any]], Any]) -> None:
    rows = [GOOD, {**OTHER, "bbox": [1.5, 0, 6, 10]}]
    assert scored(tuple(map(change, rows))) == scored(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": np.bool_(True)}, "image_id: must be a whole number, not "),
        ({"image_id": np.float64(1)}, "image_id: must be a whole number, not "),
        ({"category_id": 10**5000}, "category_id: must be a whole number, not one of type int that cannot be shown"),
        ({"score": np.float32("nan")}, "score: must be a finite number, not nan"),
        ({"score": np.zeros(1)}, "score: must be a number, not array([0.])"),
        ({"bbox": np.zeros((1, 4))}, "bbox: must be four numbers"),
        ({"bbox": np.zeros(4, bool)}, "bbox: must be four numbers"),
        ({"bbox": iter([0, 0, 6, 10])}, "bbox: must be four numbers"),
        ({"bbox": {0: 0, 1: 0, 2: 6, 3: 10}}, "bbox: must be four numbers"),
    ],
)
def test_what_is_no_number_there_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        scored([GOOD, {**OTHER, **change}])
    assert str(caught.value).startswith(f"results: row 1, {message}")
