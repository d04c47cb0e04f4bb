"""Every fault of an annotation file is one line with file, place and cure; what is sound is read unchanged."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from psis_bench.data.coco_format import check_content, read_coco
from psis_bench.data.problems import Collector
from psis_bench.errors import UserError

HEIGHT, WIDTH = 8, 10
TRIANGLE = [1.0, 1.0, 6.0, 1.0, 6.0, 5.0]
BOX = [1.0, 1.0, 5.0, 4.0]


def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[1:5, 1:6] = 1
    return mask


def compressed() -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(pixels()))
    return {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}


def uncompressed() -> dict[str, Any]:
    edges = np.flatnonzero(np.diff(pixels().ravel(order="F"), prepend=0)).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, HEIGHT * WIDTH]).tolist()}


def content() -> dict[str, Any]:
    """One of each that COCO format allows: polygon, both kinds of RLE, crowd, no mask, image without annotations."""
    segmentations: list[Any] = [[TRIANGLE], compressed(), uncompressed(), []]
    return {
        "info": {"year": 2017},
        "images": [
            {"id": 7, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH},
            {"id": 9, "file_name": "b.jpg", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": place + 1,
                "image_id": 7,
                "category_id": 3,
                "bbox": list(BOX),
                "area": 20.0,
                "iscrowd": int(place == 2),
            }
            | {"segmentation": segmentation}
            for place, segmentation in enumerate(segmentations)
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    }


def write(folder: Path, value: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_sound_file_is_read_unchanged(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    coco = read_coco(path)
    assert coco.path == path
    assert {key: getattr(coco, key) for key in ("images", "annotations", "categories")} == {
        key: value for key, value in content().items() if key != "info"
    }
    assert coco.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert coco.dropped == 0


def test_what_may_be_missing(tmp_path: Path) -> None:
    value = content()
    for annotation in value["annotations"]:
        del annotation["iscrowd"], annotation["area"], annotation["segmentation"]
    assert read_coco(write(tmp_path, value)).annotations == value["annotations"]


@pytest.mark.parametrize("box", [[-3, -2, 5, 4], [8, 6, 30, 30.5], [0, 0, 1e-3, 1e-3]])
def test_box_partly_outside_or_small_is_fine(tmp_path: Path, box: list[float]) -> None:
    value = content()
    value["annotations"][0]["bbox"] = box
    assert read_coco(write(tmp_path, value)).annotations[0]["bbox"] == box


@pytest.mark.parametrize("name", ["coco_mini", "coco_tiny"])
@pytest.mark.parametrize("part", ["train", "val"])
def test_real_files_are_read_as_pycocotools_reads_them(
    shared_data: Path, name: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared_data / name / "annotations" / f"instances_{part}.json"
    coco = read_coco(path, images=shared_data / name / part)
    reference = COCO(str(path))
    capsys.readouterr()
    assert coco.annotations == reference.dataset["annotations"]
    assert coco.images == reference.dataset["images"]


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


def test_segmentations_are_not_looked_at_without_masks(tmp_path: Path) -> None:
    value = content()
    counts(1, "~~~")(value)
    assert len(read_coco(write(tmp_path, value), masks=False).annotations) == 4


@pytest.mark.parametrize("box", [[1, 1, 0, 4], [20, 1, 3, 4], [1, 1, 1e12, 4]])
def test_bad_boxes_are_dropped_on_request_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], box: list[float]
) -> None:
    value = content()
    value["annotations"][1]["bbox"] = box
    coco = read_coco(write(tmp_path, value), on_bad_boxes="drop")
    assert [annotation["id"] for annotation in coco.annotations] == [1, 3, 4]
    assert coco.dropped == 1
    assert "left out 1 annotations" in capsys.readouterr().err


def test_a_box_that_is_none_is_an_error_also_when_bad_ones_are_dropped(tmp_path: Path) -> None:
    value = content()
    value["annotations"][1]["bbox"] = [1, 1, None, 4]
    with pytest.raises(UserError, match="not a list of four numbers"):
        read_coco(write(tmp_path, value), on_bad_boxes="drop")


def test_error_for_a_bad_box_tells_how_to_drop_it(tmp_path: Path) -> None:
    value = content()
    value["annotations"][1]["bbox"] = [1, 1, 0, 4]
    with pytest.raises(UserError, match="on_bad_boxes: drop"):
        read_coco(write(tmp_path, value))


SOUND = json.dumps(content())
BROKEN: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b" \n", "is empty"),
    (SOUND[:-1].encode(), "is truncated"),
    (SOUND[: len(SOUND) // 2].encode(), "is truncated"),
    (SOUND[: SOUND.index("cat")].encode(), "is truncated"),
    (b"[1, 2", "is truncated"),
    (SOUND.replace(":", ";", 1).encode(), "is not JSON: Expecting ':' delimiter (line 1, column 8)"),
    (SOUND.encode() + SOUND.encode(), "is not JSON: Extra data"),
    (b"hello", "is not JSON"),
    (b"[]", "is a list, not COCO format"),
    (b'[{"image_id": 1, "score": 0.5}]', "is a list of results (predictions)"),
    (b"3", "is a single value"),
    (b"null", "is a single value"),
    (b"{}", "is not COCO format: has no images and no annotations and no categories (it has nothing)"),
    (b'{"a": 1, "images": []}', "is not COCO format: has no annotations and no categories (it has a, images)"),
    (gzip.compress(SOUND.encode()), "is gzip-compressed; unpack it"),
    (b"PK\x03\x04abc", "is a zip archive"),
    (b"<!DOCTYPE html>", "is a web page"),
    (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    (b'{"images": "\xff\xfe"}', "is not text"),
    (b"[" * 200_000, "is nested too deeply"),
    (b'{"images":' * 200_000, "is nested too deeply"),
    (b'{"images": ' + b"9" * 5000 + b"}", "has a number that cannot be read"),
]


@pytest.mark.parametrize(("data", "expected"), BROKEN, ids=[expected for _, expected in BROKEN])
def test_what_is_not_coco_json(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_coco(path)
    assert str(caught.value).startswith(f"{path}: {expected}")
    assert caught.value.cure
    assert "\n" not in str(caught.value)


def test_missing_file_folder_and_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, expected in (
        (tmp_path / "no.json", "no such"),
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "x", "cannot"),
    ):
        with pytest.raises(UserError, match=expected):
            read_coco(path)


def test_byte_order_mark_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.encode())
    assert len(read_coco(path).annotations) == 4


def test_missing_images_and_folder(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    with pytest.raises(UserError, match="there is no image folder"):
        read_coco(path, images=tmp_path / "nowhere")
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.jpg").touch()
    with pytest.raises(UserError, match=r"images\[1\]\.file_name: there is no image .*b\.jpg"):
        read_coco(path, images=folder)
    (folder / "b.jpg").touch()
    assert len(read_coco(path, images=folder).images) == 2


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
