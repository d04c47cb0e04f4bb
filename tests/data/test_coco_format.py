"""What is sound is read unchanged; a file that is not COCO format, or lacks its images, is one line with the cure."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from coco_content import content, write
from pycocotools.coco import COCO

from psis_bench.data.coco_format import read_coco
from psis_bench.errors import UserError


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


def test_segmentations_are_not_looked_at_without_masks(tmp_path: Path) -> None:
    value = content()
    value["annotations"][1]["segmentation"]["counts"] = "~~~"
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
