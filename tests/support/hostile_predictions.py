"""Predictions that are refused in the process that opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hostile_cases import HOSTILE, OPENED, PICKLE, case
from small_world import CAT, World, all_detections, all_on_boxes, counts, detection, on_box

_BEFORE = frozenset(HOSTILE)


def _boxes(row: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.write_rows("detections", [*all_detections()[1:], row])


def _masks(**changes: Any) -> Callable[[World], object]:
    return lambda world: world.write_rows("gt_box_masks", [*all_on_boxes()[:3], on_box(4, **changes)])


case("mask_that_overflows", "row 3, mask: ", _masks(mask="oooooooooooo0" * 40))
case("mask_larger_than_its_image", "row 3, mask: run length 1 is larger", _masks(mask=counts([0, 2**31])))
case("mask_of_other_characters", "row 3, mask: character", _masks(mask="\x01\x7f" * 10))
case("mask_without_end", "unpacks to 1,048,", _masks(mask="0" * 2**20))
case("mask_of_one_pixel_too_many", "row 3, mask: the run lengths add up to 201", _masks(mask=counts([160, 41])))
case("mask_of_an_image_of_terapixels", "row 3, height: ", _masks(height=2**31 - 1, width=2**31 - 1))
case("annotation_that_does_not_exist", "annotation", _masks(annotation_id=99))
case("image_that_does_not_exist", "row 3, image_id: val.json has no image 77", _boxes(detection(77)))
case("category_that_does_not_exist", "row 3, category_id: val.json has no category", _boxes(detection(category_id=-5)))
case("score_of_a_detection_nan", "row 3, score: must be a finite number", _boxes(detection(score=float("nan"))))
case("box_without_end", "row 3, bbox: must be four finite", _boxes(detection(bbox=[0.0, 0.0, float("inf"), 1.0])))


def _parquet(content: Callable[[bytes], bytes]) -> Callable[[World], object]:
    def make(world: World) -> None:
        path = world.submission / "predictions" / "gt_box_masks" / "part-00000.parquet"
        path.write_bytes(content(path.read_bytes()))
        world.hash_predictions()

    return make


def _table(make_table: Callable[[], Any], **options: Any) -> Callable[[World], object]:
    def make(world: World) -> None:
        import pyarrow.parquet as pq

        path = world.submission / "predictions" / "gt_box_masks" / "part-00000.parquet"
        pq.write_table(make_table(), path, store_schema=False, **options)
        world.hash_predictions()

    return make


def _rows(count: int, mask: str) -> Any:
    """A table whose bytes do not grow with its rows: every column is one value, many times."""
    import pyarrow as pa

    row = on_box(1)
    columns = {name: pa.array([row[name]] * count, pa.int64()) for name in ("image_id", "annotation_id", "category_id")}
    columns |= {name: pa.array([row[name]] * count, pa.int32()) for name in ("height", "width")}
    columns["mask"] = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [mask])
    return pa.table(columns)


def _named() -> Any:
    """A table whose mask is of a type with a name that a terminal would obey."""
    import pyarrow as pa

    table = _rows(1, counts(CAT))
    odd = pa.array([{"\x1b[2J<script>": 1}])
    return table.set_column(table.column_names.index("mask"), "mask", odd)


case("parquet_with_names_for_a_terminal", "column mask: the column holds struct<", _table(_named))
case("parquet_that_is_a_pickle", "is no Parquet file", _parquet(lambda _: PICKLE))
case("parquet_cut_short", "is no Parquet file", _parquet(lambda content: content[:-50]))
case("parquet_scrambled", "gt_box_masks", _parquet(lambda content: content[:40] + bytes(60) + content[100:]))
case("parquet_of_many_rows", "has 100,000 rows or more", _table(lambda: _rows(100_000, counts(CAT))))
case("parquet_of_a_long_text", "unpacks to", _table(lambda: _rows(1, "0" * 2**23), compression="zstd"))
# Eight megabytes in its file and by its own words, which become a gigabyte and a half when they are read.
case("parquet_of_one_text_many_times", "gt_box_masks", _table(lambda: _rows(200, "0" * 2**23), compression="none"))

OPENED.update(name for name in HOSTILE if name not in _BEFORE)
