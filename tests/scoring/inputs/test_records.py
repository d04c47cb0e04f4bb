from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.detections import read_detections
from psis_bench.scoring.inputs.records import read_parts, read_results, schema_of, write_part

ROW = {
    "image_id": 1, "category_id": 2, "score": 0.5, "bbox": [1, 2, 3, 4.5], "height": 4, "width": 5, "mask": "d0"
}  # fmt: skip
TRUTH = {
    "images": [{"id": 1, "height": 4, "width": 5}],
    "categories": [{"id": 2, "name": "thing"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [0, 0, 2, 2], "segmentation": []}],
}
RLE = {"size": [4, 5], "counts": "04`0"}  # 0, 4, 16
RESULT = {"image_id": 1, "category_id": 2, "score": 0.5, "bbox": [0, 0, 1, 4], "segmentation": RLE}


def rows_of(folder, kind):
    return [row for records in read_parts(folder, kind=kind) for row in records.table.to_pylist()]


def test_what_is_written_is_read(tmp_path):
    rows = [ROW, {**ROW, "image_id": 2**62, "score": 1 / 3, "mask": None}]
    write_part(tmp_path, 0, rows, kind="detections")
    write_part(tmp_path, 1, [], kind="detections")
    columns = {name: [row[name] for row in rows] for name in ROW} | {"bbox": np.array([row["bbox"] for row in rows])}
    path = write_part(tmp_path, 2, columns, kind="detections")
    assert path.name == "part-00002.parquet"
    assert rows_of(tmp_path, "detections") == [*rows, *rows]
    assert pq.read_schema(path).equals(schema_of("detections"))
    assert sorted(child.name for child in tmp_path.iterdir()) == [f"part-{i:05d}.parquet" for i in range(3)]


def test_a_part_is_replaced_whole_or_not_at_all(tmp_path):
    write_part(tmp_path, 0, [ROW], kind="detections")
    with pytest.raises((pa.ArrowException, TypeError, ValueError)):
        write_part(tmp_path, 0, [{**ROW, "image_id": "one"}], kind="detections")
    assert rows_of(tmp_path, "detections") == [ROW]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_part_that_is_cut_short_is_named(tmp_path):
    path = write_part(tmp_path, 0, [ROW], kind="detections")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        UserError, match=r"part-00000\.parquet: not a whole Parquet file .*; write the predictions again"
    ):
        rows_of(tmp_path, "detections")


def test_a_missing_part_is_named(tmp_path):
    write_part(tmp_path, 0, [ROW], kind="detections")
    write_part(tmp_path, 2, [ROW], kind="detections")
    with pytest.raises(UserError, match=r"part-00001\.parquet: this part of the predictions is missing"):
        rows_of(tmp_path, "detections")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        rows_of(tmp_path / "nowhere", "detections")


def test_columns_that_are_missing_or_of_another_type_are_named(tmp_path):
    path = write_part(tmp_path, 0, [ROW], kind="detections")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns("score"), path)
    with pytest.raises(UserError, match="column score: the column is missing"):
        rows_of(tmp_path, "detections")
    for name, values in (("score", ["0.5"]), ("image_id", [1.0]), ("bbox", [["1"]]), ("mask", [3])):
        place = table.column_names.index(name)
        pq.write_table(table.set_column(place, name, pa.array(values)), path)
        with pytest.raises(UserError, match=f"column {name}: the column holds"):
            rows_of(tmp_path, "detections")


def test_missing_values_are_named_with_their_row(tmp_path):
    path = write_part(tmp_path, 0, [ROW, ROW, ROW], kind="detections")
    table = pq.read_table(path)
    for name in ("image_id", "category_id", "score", "bbox", "height", "width"):
        place = table.column_names.index(name)
        column = pa.array([ROW[name], ROW[name], None], table.schema.field(name).type)
        pq.write_table(table.set_column(place, name, column), path)
        with pytest.raises(UserError, match=rf"part-00000\.parquet: row 2, {name}: the value is missing"):
            rows_of(tmp_path, "detections")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 7}, "row 1, image_id: instances.json has no image 7"),
        ({"category_id": 7}, "row 1, category_id: instances.json has no category 7"),
        ({"height": 5}, "row 1, height: is 5, but instances.json has 4 for this image"),
        ({"width": 4}, "row 1, width: is 4, but instances.json has 5 for this image"),
        ({"score": float("nan")}, "row 1, score: must be a finite number, not nan"),
        ({"score": float("-inf")}, "row 1, score: must be a finite number, not -inf"),
        ({"bbox": [0, 0, float("nan"), 1]}, "row 1, bbox: must be four finite numbers"),
        ({"bbox": [0, 0, -1, 1]}, "row 1, bbox: has a negative width or height"),
        ({"mask": "c0"}, "row 1, mask: the run lengths add up to 19, not to 20 pixels"),
        ({"mask": ""}, "row 1, mask: the run lengths are empty"),
        ({"mask": "d"}, "row 1, mask: the run lengths stop in the middle of a number"),
        ({"mask": "d0 "}, "row 1, mask: character 2 of the run lengths"),
        ({"mask": "oooooooooooo0"}, "row 1, mask: run length 0 is larger than any image"),
    ],
)
def test_a_faulty_detection_is_named_with_file_row_and_field(tmp_path, ground_truth, change, message):
    # The row without a mask must not shift the count of rows.
    write_part(tmp_path, 0, [{**ROW, "mask": None}, {**ROW, **change}, ROW], kind="detections")
    with pytest.raises(UserError) as caught:
        read_detections(read_parts(tmp_path, kind="detections"), ground_truth(TRUTH))
    assert f"part-00000.parquet: {message}" in str(caught.value)


def test_rows_are_counted_over_batches(tmp_path, ground_truth):
    columns = {name: [ROW[name]] * 20_000 for name in ROW}
    columns["score"][17_003] = float("inf")
    write_part(tmp_path, 0, columns, kind="detections")
    with pytest.raises(UserError, match="row 17003, score"):
        read_detections(read_parts(tmp_path, kind="detections"), ground_truth(TRUTH))


def test_a_results_file_gives_the_same_detections(tmp_path, world, ground_truth, gathered):
    for seed in range(8):
        truth, results = world(seed)
        arrays = ground_truth(truth)
        expected = gathered(arrays, results)
        without_boxes = [{key: result[key] for key in result if key != "bbox"} for result in results]
        for name, written in (("both.json", results), ("masks.json", without_boxes)):
            (tmp_path / name).write_text(json.dumps(written))
            found = read_detections(read_results(tmp_path / name, sizes=arrays.sizes), arrays)
            assert found.strings == expected.strings
            for column in ("images", "categories", "scores", "sizes", "has_mask", "mask_areas"):
                np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
        # The worlds' boxes are wider than the masks by at most one pixel on each side.
        assert (np.abs(found.boxes - expected.boxes) <= 1).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is cut short after 1 characters: no row is whole"),
        ("{}", "not a COCO results file"),
        ([3], "row 0: a result must be an object"),
        ([RESULT, {**RESULT, "image_id": "1"}], "row 1, image_id: must be a whole number"),
        ([RESULT, {**RESULT, "image_id": 9}], "row 1, image_id: the annotation file has no image 9"),
        ([RESULT, {**RESULT, "category_id": None}], "row 1, category_id: is missing"),
        ([RESULT, {**RESULT, "category_id": 9}], "row 1, category_id: instances.json has no category 9"),
        ([RESULT, {**RESULT, "score": "high"}], "row 1, score: must be a number"),
        ([RESULT, {**RESULT, "score": float("nan")}], "row 1, score: must be a finite number"),
        ([RESULT, {**RESULT, "bbox": [1, 2, 3]}], "row 1, bbox: must be four numbers"),
        ([RESULT, {"image_id": 1, "category_id": 2, "score": 1}], "row 1: has neither bbox nor segmentation"),
        ([RESULT, {**RESULT, "segmentation": {"size": [5, 4], "counts": "d0"}}], "row 1, segmentation: size [5, 4]"),
        ([RESULT, {**RESULT, "segmentation": {"size": [4, 5], "counts": [1]}}], "row 1, segmentation: the run lengths"),
        ([RESULT, {**RESULT, "segmentation": [[0, 0, 4, 4, 4, 0]]}], "row 1, segmentation: an RLE is an object"),
    ],
)
def test_a_faulty_results_file_is_named_with_row_and_field(tmp_path, ground_truth, content, message):
    path = tmp_path / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    truth = ground_truth(TRUTH)
    with pytest.raises(UserError) as caught:
        read_detections(read_results(path, sizes=truth.sizes), truth)
    assert f"results.json: {message}" in str(caught.value)
