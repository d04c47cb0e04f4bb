"""Results read as columns are those that are read row by row, and only files without a fault are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.errors import UserError
from psis_bench.scoring.inputs import records as reading
from psis_bench.scoring.inputs.detections import Detections, read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth
from psis_bench.scoring.inputs.records import read_results
from psis_bench.scoring.inputs.result_columns import columns_of_results

SIZES = {7: (10, 20), 3: (48, 31), 2**40: (5, 5)}
TRUTH = {
    "images": [{"id": image, "height": height, "width": width} for image, (height, width) in SIZES.items()],
    "categories": [{"id": 1, "name": "cat"}, {"id": 90, "name": "dog"}],
    "annotations": [],
}
COLUMNS = ("images", "categories", "scores", "boxes", "sizes", "has_mask", "mask_areas")
# A mask of 10 x 20 pixels: 60 outside, 60 inside, 80 outside; with a 60 in one group too many; with a run of no pixels.
PLAIN, PADDED, EMPTY_RUN = "l1l1`2", "l1lQ0`2", "l1n000`2"


def random_rows(count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(4)
    rows = []
    for _ in range(count):
        image = [7, 3, 2**40][random.integers(3)]
        height, width = SIZES[image]
        pixels = random.random((height, width)) < random.choice([0, 0.02, 0.5, 1])
        text = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
        score, box = float(random.random()), (random.random(4) * 9).tolist()
        rows.append({"image_id": image, "category_id": [1, 90][random.integers(2)], "score": score, "bbox": box})
        if random.random() < 0.8:
            rows[-1]["segmentation"] = {"size": [height, width], "counts": text}
            if random.random() < 0.3:
                del rows[-1]["bbox"]
    rows[5]["score"], rows[6]["bbox"] = 1, [0, 1, 2, 3]
    return rows


@pytest.fixture
def read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ground_truth: Callable[..., GroundTruth]
) -> Callable[..., Detections]:
    def written_and_read(rows: list[Any], *, by_row: bool) -> Detections:
        path = tmp_path / "results.json"
        path.write_text(json.dumps(rows))
        truth = ground_truth(TRUTH)
        with monkeypatch.context() as patched:
            if by_row:
                patched.setattr(reading, "columns_of_results", lambda results, sizes: None)
            return read_detections(read_results(path, sizes=truth.sizes), truth)

    return written_and_read


def test_columns_are_the_rows(read: Callable[..., Detections], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(5000)
    monkeypatch.setattr(reading, "_ROWS_AT_A_TIME", 2048)
    by_row = read(rows, by_row=True)
    monkeypatch.delattr(reading, "row_of_result")  # the columns do without it
    found = read(rows, by_row=False)
    for column in COLUMNS:
        one, other = getattr(found, column), getattr(by_row, column)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert list(found.strings) == list(by_row.strings)
    assert found.place_of(4999) == by_row.place_of(4999)
    # And they are what was written.
    assert found.images.tolist() == [row["image_id"] for row in rows]
    assert found.scores.tolist() == [row["score"] for row in rows]
    masks = [row["segmentation"] for row in rows if "segmentation" in row]
    assert list(found.strings) == [mask["counts"] for mask in masks]
    assert found.mask_areas.tolist() == [coco_mask.decode(mask).sum() for mask in masks]
    with_box = np.array(["bbox" in row for row in rows])
    assert found.boxes[with_box].tolist() == [row["bbox"] for row in rows if "bbox" in row]
    around = coco_mask.toBbox([row["segmentation"] for row in rows if "bbox" not in row])
    np.testing.assert_array_equal(found.boxes[~with_box], around)


ROW = {"image_id": 7, "category_id": 1, "score": 0.5, "bbox": [0, 0, 6, 10]}


def mask(counts: Any, **changes: Any) -> dict[str, Any]:
    return {**ROW, "segmentation": {"size": [10, 20], "counts": counts, **changes}}


@pytest.mark.parametrize("counts", [PLAIN, PADDED, EMPTY_RUN])
def test_masks_are_written_as_an_encoder_does(read: Callable[..., Detections], counts: str) -> None:
    results = [mask(counts), {**mask(counts), "score": 0.25, "bbox": None}]
    columns = columns_of_results(results, SIZES)
    assert columns is not None
    assert columns.columns["mask"] == [PLAIN, PLAIN]
    found = read(results, by_row=False)
    assert list(found.strings) == list(read(results, by_row=True).strings) == [PLAIN, PLAIN]
    assert found.mask_areas.tolist() == [60, 60]
    assert found.boxes[1].tolist() == [6, 0, 6, 10]


def test_bytes_and_no_masks_at_all() -> None:
    columns = columns_of_results([mask(PLAIN.encode())], SIZES)
    assert columns is not None
    assert columns.columns["mask"] == [PLAIN]
    columns = columns_of_results([ROW, ROW], SIZES)
    assert columns is not None
    assert columns.columns["mask"] == [None, None]
    assert columns.measured.areas.tolist() == []


SIDES = [None, [20, 10], [10.0, 20.0], [True, 200], [10], [10, 20, 1], "10", [-1, -200]]
VALUES = [None, True, "1", 1.5, -1, 10**400, 2**63, -(2**63), float("nan"), float("inf"), [], [1], {}, 1e300]
FAULTS: list[Any] = [
    *(None, 3, [ROW], "row"),
    *({**ROW, field: value} for field in ("image_id", "category_id", "score", "bbox") for value in VALUES),
    *({name: value for name, value in ROW.items() if name != field} for field in ROW),
    *({**ROW, "bbox": [0, 0, value, 10]} for value in VALUES),
    *({**ROW, "bbox": box} for box in ([0, 0, 6], [0, 0, 6, 10, 1], [[0, 0, 6, 10]], "0000", {"0": 1})),
    *({**ROW, "segmentation": value} for value in (3, "l1", [], [[0, 0, 6, 0, 6, 6]], {}, {"counts": PLAIN})),
    *(mask(value) for value in (None, 3, "", "l1", "l", "o" * 50 + "0", "l1ñ", "l1 ", "\ud800", [0, 60], [0, 60, 140])),
    *(mask(PLAIN, size=value) for value in SIDES),
    *({**mask(PLAIN), "bbox": value} for value in (False, 0, [], [0, 0, -6, 10])),
    {**ROW, "score": 0.75},
]  # fmt: skip


@pytest.mark.parametrize("masks", [False, True])
def test_each_fault_is_told_in_the_words_of_the_rows(read: Callable[..., Detections], masks: bool) -> None:
    before = mask(PLAIN) if masks else ROW
    refused = 0
    for fault in FAULTS:
        told = []
        for by_row in (True, False):
            rows = [before, {**before, "score": 0.25, "category_id": 90}, copy.deepcopy(fault), {**ROW, "score": "x"}]
            for given in (rows, rows[:3]):
                try:
                    found = read(given, by_row=by_row)
                    told.append([getattr(found, column).tolist() for column in COLUMNS] + [list(found.strings)])
                except UserError as error:
                    told.append(str(error))
        assert told[:2] == told[2:], fault
        refused += isinstance(told[1], str)
    assert 60 < refused < len(FAULTS)
