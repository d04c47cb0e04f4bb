"""Boxes as people write them, and every way to write them wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psis_bench.errors import UserError
from psis_bench.user_boxes.boxes import read_boxes


def told(given_text: str | Path) -> list[tuple[str | None, tuple[float, ...], str | None]]:
    return [(box.image, box.xywh, box.label) for box in read_boxes(str(given_text))]


def written(folder: Path, content: Any, name: str = "boxes.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["1,2,30,40.5;5,6,7,8", " 1, 2, 30, 40.5 ; 5,6,7,8;", "1,2,3e1,40.5;5,6,7,8"])
def test_inline(text: str) -> None:
    assert told(text) == [(None, (1, 2, 30, 40.5), None), (None, (5, 6, 7, 8), None)]


ALL = [("a.jpg", (1.0, 2.0, 30.0, 40.5), "cat"), ("b.jpg", (5.0, 6.0, 7.0, 8.0), None)]


@pytest.mark.parametrize(
    "content",
    [
        "image,x,y,w,h,label\na.jpg,1,2,30,40.5,cat\nb.jpg,5,6,7,8,\n",
        "\ufefflabel, image, H,w,y,x\r\ncat,a.jpg,40.5,30,2,1\r\n,b.jpg,8,7,6,5\r\n",
    ],
)
def test_csv(content: str, tmp_path: Path) -> None:
    assert told(written(tmp_path, content, "boxes.csv")) == ALL


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": [{"bbox": [1, 2, 30, 40.5], "label": "cat"}], "b.jpg": [[5, 6, 7, 8]]},
        [{"image": "a.jpg", "bbox": [1, 2, 30, 40.5], "label": "cat"}, {"file_name": "b.jpg", "bbox": [5, 6, 7, 8]}],
        {
            "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}],
            "categories": [{"id": 18, "name": "cat"}],
            "annotations": [
                {"image_id": 3, "bbox": [1, 2, 30, 40.5], "category_id": 18},
                {"image_id": 3, "bbox": [0, 0, 99, 99], "category_id": 18, "iscrowd": 1},
                {"image_id": 7, "bbox": [5, 6, 7, 8]},
            ],
        },
    ],
)
def test_json(content: Any, tmp_path: Path) -> None:
    assert told(written(tmp_path, content)) == ALL


def test_json_of_one_image(tmp_path: Path) -> None:
    assert told(written(tmp_path, [[1, 2, 3, 4]])) == [(None, (1, 2, 3, 4), None)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "box 1: a box is four numbers x, y, width, height, not [1.0, 2.0, 3.0]"),
        ("1,2,3,4;1,2,3,4,5", "boxes=: box 2"),
        ("1,2,3,0", "width 3 and height 0"),
        ("1,2,-3,4", "both sizes are positive"),
        ("1,2,3,1e999", "no place in an image"),
        ("1,2,3,", "'' is not a number"),
        (";", "holds no box"),
        ("photo.jpg", "neither a .csv or .json file nor numbers"),
        ("nowhere.csv", "nowhere.csv: no such file of boxes"),
        ("nowhere.json", "nowhere.json: no such file of boxes"),
        ("nul\0.json", "no such file of boxes"),
    ],
)
def test_mistakes_on_the_command_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_boxes(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column 'x'"),
        ("10,20,30,40\n", "start the file with the line image,x,y,w,h"),
        ("image,x,y,width,h\n", "unknown column 'width'"),
        ("x,y,w,h,x\n", "a column is there twice"),
        ("x,y,w\n1,2,3\n", "there is no column 'h'"),
        ("x,y,w,h\n1,2,3\n", "line 2: has not the 4 columns"),
        ("x,y,w,h\n1,2,3,4\n1,2,3,4,5\n", "line 3: has not the 4 columns"),
        ("x,y,w,h\n1,2,3,nan\n", "line 2: nan is no place"),
        ("x,y,w,h\n1,2,3,four\n", "line 2: 'four' is not a number"),
        ("x,y,w,h\n", "holds no boxes"),
        ('x,y,w,h\n"1,2,3,4\n', "is not CSV"),
        (f"x,y,w,h,label\n1,2,3,4,{'a' * 101}\n", "is no short text"),
    ],
)
def test_broken_csv(content: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, "boxes.csv")
    with pytest.raises(UserError) as caught:
        read_boxes(str(path))
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="is not text"):
        read_boxes(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("[[1, 2", "is truncated"),
        ("{,}", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("7", "7 is no list of boxes"),
        ("[]", "holds no boxes"),
        ([[1, 2, 3, "4"]], "[0]: '4' is not a number"),
        ([[1, 2, 3, True]], "[0]: True is not a number"),
        ([[1, 2, 3, 10**400]], "no place in an image"),
        ("[[1, 2, 3, NaN]]", "nan is no place"),
        ([None], "a box is four numbers"),
        (["1234"], "a box is four numbers"),
        ({"a.jpg": 5}, "'a.jpg': 5 is no list of boxes"),
        ({"a.jpg": [[1, 2, 0, 4]]}, "a.jpg[0]: the box has width 0"),
        ([{"box": [1, 2, 3, 4]}], "unknown key 'box'; did you mean 'bbox'?"),
        ([{"image": "a.jpg"}], "has no 'bbox'"),
        ([{"image": 3, "bbox": [1, 2, 3, 4]}], "3 is no file name"),
        ([{"image_id": 3, "bbox": [1, 2, 3, 4]}], "image_id does not tell the file"),
        ([{"bbox": [1, 2, 3, 4], "label": ["cat"]}], "is no short text"),
        ({"annotations": []}, "images: is no list"),
        ({"images": [], "annotations": {}}, "annotations is no list"),
        ({"images": [], "annotations": [{"image_id": 1}]}, "annotations[0]: there is no image of id 1"),
        ({"images": [], "annotations": [{"image_id": [1]}]}, "there is no image of id [1]"),
        ({"images": [{"id": 1}], "annotations": []}, "images[0]: has no id or no file_name"),
        (
            {"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": [1, 2, 3]}]},
            "annotations[0].bbox: a box is four numbers",
        ),
    ],
)
def test_broken_json(content: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UserError) as caught:
        read_boxes(str(path))
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["images", "annotations", "bbox", "image", "image_id", "id", "label"]), inner)
    ),
    max_leaves=12,
)


@given(content=NESTED)
def test_no_json_gets_through_that_is_not_boxes(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    try:
        boxes = read_boxes(str(path))
    except UserError:
        return
    for box in boxes:
        x, y, w, h = box.xywh
        assert abs(x) < 1e9
        assert abs(y) < 1e9
        assert 0 < w < 1e9
        assert 0 < h < 1e9
