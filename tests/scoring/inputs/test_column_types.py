"""Prediction folders of other writers: what converts without loss is read, all else is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.records import read_parts, schema_of, write_part

ROWS = [
    {"image_id": 1, "category_id": 2, "score": 0.5, "bbox": [1, 2, 3, 4.5], "height": 4, "width": 5, "mask": "d0"},
    {"image_id": 1, "category_id": 3, "score": 0.25, "bbox": [0, 0, 1, 2], "height": 4, "width": 5, "mask": None},
]
BOXES = pa.list_(pa.float64())


def written(folder: Path, **columns: pa.Array) -> Path:
    path = write_part(folder, 0, ROWS, kind="detections")
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, path)
    return folder


def of_type(name: str, kind: pa.DataType) -> pa.Array:
    return pa.array([row[name] for row in ROWS]).cast(kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("image_id", kind) for kind in (pa.int8(), pa.int32(), pa.uint8(), pa.uint64())),
        ("category_id", pa.int16()),
        *(("score", kind) for kind in (pa.float16(), pa.float32())),
        *(("height", kind) for kind in (pa.int64(), pa.uint16())),
        *(("mask", kind) for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))),
        *(("bbox", kind) for kind in (BOXES, pa.large_list(pa.float64()), pa.list_(pa.float32()))),
        *(("bbox", kind) for kind in (pa.list_(pa.float32(), 4), pa.list_(pa.field("x", pa.float64()), 4))),
    ],
    ids=str,
)
def test_the_same_values_in_another_type_are_read(tmp_path: Path, name: str, kind: pa.DataType) -> None:
    (records,) = read_parts(written(tmp_path, **{name: of_type(name, kind)}), kind="detections")
    assert records.table.to_pylist() == ROWS
    assert records.table.schema.field(name).type.equals(schema_of("detections").field(name).type) or name == "bbox"
    assert records.column("bbox").tolist() == [row["bbox"] for row in ROWS]
    assert records.has_mask().tolist() == [True, False]
    assert records.mask_strings() == ["d0"]


def test_single_precision_is_widened_and_not_rounded(tmp_path: Path) -> None:
    scores = np.array([0.1, 1 / 3], np.float32)
    (records,) = read_parts(written(tmp_path, score=pa.array(scores)), kind="detections")
    assert records.column("score").tolist() == [float(score) for score in scores]


def test_all_at_once_over_many_batches(tmp_path: Path) -> None:
    count = 20_000
    write_part(tmp_path, 0, {name: [ROWS[0][name]] * count for name in ROWS[0]}, kind="detections")
    path = tmp_path / "part-00000.parquet"
    table = pq.read_table(path)
    table = table.set_column(0, "image_id", pa.array(np.arange(count, dtype=np.int32)))
    table = table.set_column(6, "mask", pa.array([None, "d0"] * (count // 2), pa.large_string()))
    pq.write_table(table, path)
    parts = list(read_parts(tmp_path, kind="detections"))
    assert len(parts) > 1
    assert np.concatenate([records.column("image_id") for records in parts]).tolist() == list(range(count))
    assert [string for records in parts for string in records.mask_strings()] == ["d0"] * (count // 2)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image_id": pa.array([1, 2**64 - 1], pa.uint64())}, "row 1, image_id: is no int64 (18446744073709551615)"),
        ({"height": pa.array([4, 2**40])}, "row 1, height: is no int32 (1099511627776)"),
        ({"score": pa.array([1, 2**60 + 1])}, "row 1, score: is no double (1152921504606846977)"),
        ({"bbox": pa.array([[1, 2, 3, 4], [1, 2, 3]], BOXES)}, "row 1, bbox: must be four numbers x, y, width, height"),
        ({"bbox": pa.array([[1, 2, 3, 4], None], BOXES)}, "row 1, bbox: the value is missing"),
        ({"bbox": pa.array([[1, 2, 3, 4], [1, 2, 3, None]], BOXES)}, "row 1, bbox: the value is missing"),
        ({"image_id": pa.array([None, 1], pa.int32())}, "row 0, image_id: the value is missing"),
        ({"image_id": pa.array([1.0, 1.0])}, "column image_id: the column holds double, not int64; write it as int64"),
        ({"score": pa.array(["1", "2"])}, "column score: the column holds string, not double; write it as double, as"),
        ({"mask": pa.array([b"d0", None])}, "column mask: the column holds binary, not string; write it as string"),
        ({"bbox": pa.array([[["1"]]] * 2)}, "column bbox: the column holds list<"),
        ({"score": pa.array([True, False])}, "column score: the column holds bool, not double"),
    ],
)
def test_what_does_not_convert_is_named(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        list(read_parts(written(tmp_path, **columns), kind="detections"))
    assert f"part-00000.parquet: {message}" in str(caught.value)
