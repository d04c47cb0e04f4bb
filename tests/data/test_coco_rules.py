"""Every fault of a record is one line with file, place and cure, whether it is raised or collected."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_content import HEIGHT, TRIANGLE, WIDTH, compressed, content, write
from hypothesis import given
from hypothesis import strategies as st

from psis_bench.data.coco_format import check_content, read_coco
from psis_bench.data.problems import Collector
from psis_bench.errors import UserError

Change = Callable[[dict[str, Any]], None]


def setting(*path: str | int, to: Any) -> Change:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to

    return change


def removing(*path: str | int) -> Change:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return change


def on(index: int, key: str, to: Any) -> Change:
    return setting("annotations", index, key, to=to)


def polygon(points: Any) -> Change:
    return setting("annotations", 0, "segmentation", 0, to=points)


def counts(index: int, to: Any) -> Change:
    return setting("annotations", index, "segmentation", "counts", to=to)


def size(index: int, to: Any) -> Change:
    return setting("annotations", index, "segmentation", "size", to=to)


FAULTS: list[tuple[Change, str, str]] = [
    # sections
    (removing("categories"), "", "has no categories"),
    (setting("annotations", to={}), "annotations", "is not a list"),
    (setting("images", to=[]), "images", "is empty"),
    (setting("categories", to=[]), "categories", "is empty"),
    # images
    (setting("images", 1, to=5), "images[1]", "5 is not an object"),
    (removing("images", 1, "id"), "images[1].id", "is missing"),
    (setting("images", 1, "id", to="9"), "images[1].id", "'9' is not a whole number"),
    (setting("images", 1, "id", to=True), "images[1].id", "True is not a whole number"),
    (setting("images", 1, "id", to=2**63), "images[1].id", "is not a whole number"),
    (setting("images", 1, "id", to=7), "images[1].id", "7 is also the id of images[0]"),
    (removing("images", 0, "file_name"), "images[0].file_name", "is missing"),
    (setting("images", 0, "file_name", to="a\0b"), "images[0].file_name", "is not a file name"),
    (setting("images", 0, "height", to=8.5), "images[0].height", "8.5 is not a positive whole number"),
    (setting("images", 0, "width", to=0), "images[0].width", "0 is not a positive whole number"),
    (setting("images", 0, "width", to=2**40), "images[0]", "pixels are too many"),
    # categories
    (setting("categories", 1, "id", to=3), "categories[1].id", "3 is also the id of categories[0]"),
    (setting("categories", 1, "name", to="cat"), "categories[1].name", "'cat' is also categories[0]"),
    (setting("categories", 1, "name", to=None), "categories[1].name", "None is not a class name"),
    (setting("categories", 1, to=[]), "categories[1]", "[] is not an object"),
    # annotations
    (setting("annotations", 1, to=None), "annotations[1]", "None is not an object"),
    (on(1, "id", 1), "annotations[1].id", "1 is also the id of annotations[0]"),
    (on(1, "id", 1.0), "annotations[1].id", "1.0 is not a whole number"),
    (on(1, "image_id", 8), "annotations[1].image_id", "there is no image 8"),
    (on(1, "image_id", [7]), "annotations[1].image_id", "[7] is not a whole number"),
    (removing("annotations", 1, "image_id"), "annotations[1].image_id", "is missing"),
    (on(1, "category_id", 5), "annotations[1].category_id", "there is no category 5"),
    (on(1, "category_id", "cat"), "annotations[1].category_id", "'cat' is not a whole number"),
    (on(1, "iscrowd", 2), "annotations[1].iscrowd", "2 is not 0 or 1"),
    (on(1, "area", -1), "annotations[1].area", "-1 is not an area"),
    (on(1, "area", float("nan")), "annotations[1].area", "nan is not an area"),
    (on(1, "area", None), "annotations[1].area", "None is not an area"),
    # boxes
    (removing("annotations", 1, "bbox"), "annotations[1].bbox", "is missing"),
    (on(1, "bbox", [1, 2, 3]), "annotations[1].bbox", "[1, 2, 3] is not a list of four numbers"),
    (on(1, "bbox", [1, 2, "3", 4]), "annotations[1].bbox", "is not a list of four numbers"),
    (on(1, "bbox", [1, 2, True, 4]), "annotations[1].bbox", "is not a list of four numbers"),
    (on(1, "bbox", [1, 2, float("inf"), 4]), "annotations[1].bbox", "is not finite"),
    (on(1, "bbox", [float("-inf"), 2, float("inf"), 4]), "annotations[1].bbox", "is not finite"),
    (on(1, "bbox", [1, 2, 10**400, 4]), "annotations[1].bbox", "is not finite"),
    (on(1, "bbox", [1, 2, 0, 4]), "annotations[1].bbox", "has no area"),
    (on(1, "bbox", [1, 2, 3, -4.0]), "annotations[1].bbox", "has no area"),
    (on(1, "bbox", [10, 2, 3, 4]), "annotations[1].bbox", "lies outside the image of 10 x 8 pixels"),
    (on(1, "bbox", [1, -4, 3, 4]), "annotations[1].bbox", "lies outside the image"),
    (on(1, "bbox", [1, 2, 1e12, 4]), "annotations[1].bbox", "reaches far outside the image"),
    # polygons
    (polygon([1, 1, 5, 5]), "annotations[0].segmentation[0]", "a polygon of 2 points"),
    (polygon([]), "annotations[0].segmentation[0]", "a polygon of 0 points"),
    (polygon([1, 1, 5, 5, 6, 6, 7]), "annotations[0].segmentation[0]", "a polygon of 7 numbers"),
    (polygon([1, 1, 5, 5, 6, "6"]), "annotations[0].segmentation[0]", "'6' is not a number"),
    (polygon([1, 1, 5, 5, 6, None]), "annotations[0].segmentation[0]", "None is not a number"),
    (polygon([1, 1, 5, 5, 6, float("nan")]), "annotations[0].segmentation[0]", "is not finite"),
    (polygon([1, 1, 5, 5, 6, 10**400]), "annotations[0].segmentation[0]", "is not finite"),
    (polygon([1, 1, 5, 5, 6, 1e9]), "annotations[0].segmentation[0]", "far outside the image"),
    (polygon("RLE"), "annotations[0].segmentation[0]", "'RLE' is not a polygon"),
    (on(0, "segmentation", TRIANGLE), "annotations[0].segmentation", "is one list of numbers"),
    (on(0, "segmentation", "abc"), "annotations[0].segmentation", "'abc' is not a mask"),
    # run lengths: 1 is compressed, 2 is not
    (size(1, [WIDTH, HEIGHT]), "annotations[1].segmentation", "size [10, 8] is not the image's [8, 10]"),
    (size(2, [HEIGHT, WIDTH + 1]), "annotations[2].segmentation", "size [8, 11] is not the image's [8, 10]"),
    (size(1, "8x10"), "annotations[1].segmentation", "size must be two"),
    (counts(1, compressed()["counts"] + "1"), "annotations[1].segmentation", "RLE"),
    (counts(1, compressed()["counts"][:-1]), "annotations[1].segmentation", "RLE"),
    (counts(1, ""), "annotations[1].segmentation", "RLE"),
    (counts(1, "é"), "annotations[1].segmentation", "RLE"),
    (counts(1, "~~~"), "annotations[1].segmentation", "RLE"),
    (counts(1, "o" * 50), "annotations[1].segmentation", "RLE"),
    (counts(2, [HEIGHT * WIDTH + 1]), "annotations[2].segmentation", "RLE"),
    (counts(2, [HEIGHT * WIDTH - 1]), "annotations[2].segmentation", "RLE"),
    (counts(2, [-1, HEIGHT * WIDTH + 1]), "annotations[2].segmentation", "RLE"),
    (counts(2, [40.0, 40.0]), "annotations[2].segmentation", "RLE"),
    (counts(2, None), "annotations[2].segmentation", "RLE"),
    (removing("annotations", 2, "segmentation", "size"), "annotations[2].segmentation", "RLE"),
]


@pytest.mark.parametrize(("change", "place", "expected"), FAULTS, ids=[f"{place}: {what}" for _, place, what in FAULTS])
def test_fault_is_one_line_with_file_place_and_cure(tmp_path: Path, change: Change, place: str, expected: str) -> None:
    value = content()
    change(value)
    path = write(tmp_path, value)
    with pytest.raises(UserError) as caught:
        read_coco(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {place}")
    assert caught.value.where == (f"{path}: {place}" if place else str(path))
    assert expected in message
    assert caught.value.cure
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))


@pytest.mark.parametrize(("change", "place", "expected"), FAULTS, ids=[f"{place}: {what}" for _, place, what in FAULTS])
def test_collecting_reports_the_same_fault_and_goes_on(change: Change, place: str, expected: str) -> None:
    value = content()
    change(value)
    if isinstance(value.get("annotations"), list):
        value["annotations"].append({"id": "last"})
    collector = Collector(limit=50)
    check_content(value, report=collector.report_for("f"), masks=True, drop_bad_boxes=False)
    lines = [str(problem) for problem in collector.problems()]
    assert any(line.startswith(f"f: {place}") and expected in line for line in lines)
    if place:
        assert isinstance(value["annotations"], dict) or any("'last' is not a whole number" in line for line in lines)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data(), replacement=JSON_VALUES)
def test_any_value_anywhere_is_accepted_or_reported_and_never_a_crash(data: st.DataObject, replacement: Any) -> None:
    value: Any = copy.deepcopy(content())
    node, steps = value, 0
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        steps += 1
        if not isinstance(node[key], dict | list) or not node[key] or (steps > 1 and data.draw(st.booleans())):
            node[key] = replacement
            break
        node = node[key]
    collector = Collector(limit=5)
    for drop in (True, False):
        check_content(value, report=collector.report_for("f"), masks=True, drop_bad_boxes=drop)
    assert all("\n" not in str(problem) for problem in collector.problems())


@given(
    runs=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_run_lengths_pass_if_and_only_if_they_add_up(runs: list[int], height: int, width: int) -> None:
    value = content()
    value["images"][0].update(height=height, width=width)
    rle = {"size": [height, width], "counts": runs}
    value["annotations"] = [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 1, 1], "segmentation": rle}]
    collector = Collector(limit=5)
    check_content(value, report=collector.report_for("f"), masks=True, drop_bad_boxes=False)
    assert (collector.count == 0) == (sum(runs) == height * width)


def test_one_broken_mask_among_many_is_found_at_its_place(tmp_path: Path) -> None:
    value = content()
    template = value["annotations"][1]
    value["annotations"] = [copy.deepcopy(template) | {"id": place} for place in range(5000)]
    value["annotations"][4500]["segmentation"]["counts"] = "~"
    with pytest.raises(UserError, match=r"annotations\[4500\]\.segmentation: RLE"):
        read_coco(write(tmp_path, value))
