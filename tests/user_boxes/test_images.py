"""Which images are meant, which boxes are theirs, and what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from psis_bench.errors import UserError
from psis_bench.user_boxes.boxes import GivenBox
from psis_bench.user_boxes.images import find_images, gather, measure

from .conftest import Draw


def box(image: str | None, *xywh: float, where: str = "here") -> GivenBox:
    return GivenBox(image=image, xywh=xywh or (1, 2, 3, 4), label=None, where=where)  # type: ignore[arg-type]


def test_words_for_images(draw: Draw, tmp_path: Path) -> None:
    a, b, odd = draw("in/a.png"), draw("in/b.jpg"), draw("one, two.png")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    assert find_images([str(a)]) == {a: True}
    assert find_images([str(odd)]) == {odd: True}  # a comma in a file's name is no separator
    assert find_images([f"{b},{a}"]) == {b: True, a: True}
    assert find_images([str(tmp_path / "in")]) == {a: False, b: False}
    assert find_images([str(tmp_path / "in" / "*.jpg"), str(b)]) == {b: True}


def test_words_for_no_images(draw: Draw, tmp_path: Path) -> None:
    draw("photo.png")
    (tmp_path / "empty").mkdir()
    for word, message in (
        ("photos.png", "did you mean 'photo.png'?"),
        ("x/y.png", "no such image; check the path"),
        ("empty", "holds no images"),
        ("*.gif", "no image matches"),
    ):
        with pytest.raises(UserError) as caught:
            find_images([str(tmp_path / word)])
        assert message in str(caught.value)


def test_boxes_find_their_images(draw: Draw) -> None:
    a, b, other = draw("x/a.png"), draw("x/b.png"), draw("y/a.png")
    gathered = gather(
        {a: True, b: False, other: True}, [box("x/a.png", 1, 1, 5, 5), box(str(other)), box("z.png"), box("x/a.png")]
    )
    assert [(request.path, len(request.boxes)) for request in gathered.requests] == [(a, 2), (other, 1)]
    assert gathered.notes == [
        "1 images have no boxes and are left out",
        "1 boxes are of 1 other images and are left out",
    ]


def test_what_is_not_clear_is_refused(draw: Draw) -> None:
    a, other = draw("x/a.png"), draw("y/a.png")
    for images, boxes, message in (
        ({a: True, other: True}, [box("a.png")], "may be"),
        ({a: True, other: True}, [box(None, where="boxes=: box 1")], "boxes=: box 1: the box does not say which"),
        ({a: True}, [box("A.png")], "no boxes are given for this image; did you mean 'A.png'?"),
        ({a: False, other: False}, [box("b.png")], "the boxes are of none of these images; they name b.png"),
    ):
        with pytest.raises(UserError) as caught:
            gather(images, boxes)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("xywh", "message"),
    [
        ((60, 0, 5, 5), "outside of a.png, which has 60 x 40 pixels"),
        ((0, -9, 5, 9), "outside of a.png"),
        ((1e8, 1e8, 5, 5), "outside of a.png"),
        ((0.1, 0.2, 0.5, 0.5), "give pixels of the image, not fractions"),
    ],
)
def test_boxes_that_are_not_in_the_image(xywh: tuple[float, ...], message: str, draw: Draw) -> None:
    with pytest.raises(UserError) as caught:
        gather({draw(): True}, [box(None, *xywh, where="boxes.csv: line 9")])
    assert str(caught.value).startswith("boxes.csv: line 9: ")
    assert message in str(caught.value)


def test_boxes_are_cut_off_at_the_edges(draw: Draw) -> None:
    gathered = gather({draw(): True}, [box(None, -5, 10, 20, 300), box(None, 1, 2, 3, 4)])
    assert gathered.requests[0].cut == ((0, 10, 15, 30), (1, 2, 3, 4))
    assert gathered.requests[0].boxes[0].xywh == (-5, 10, 20, 300)
    assert gathered.notes[0].startswith("1 boxes reach beyond their image")


def test_too_many_boxes(draw: Draw) -> None:
    with pytest.raises(UserError, match="10001 boxes are too many"):
        gather({draw(): True}, [box(None)] * 10_001)


def test_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    image = Image.new("RGB", (60, 40))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert measure(tmp_path / "turned.jpg") == (60, 40)


def test_broken_images(draw: Draw, tmp_path: Path) -> None:
    whole = draw("whole.jpg", 300, 300).read_bytes()
    contents = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not an image", "noise": os.urandom(999)}
    for name, content in contents.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            measure(path)
        assert str(path) in str(caught.value)
        assert "give a" in str(caught.value)


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    # A bitmap of 2**31 pixels that its header announces and its content does not hold.
    header = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    size = (40).to_bytes(4, "little") + (65536).to_bytes(4, "little") + (32768).to_bytes(4, "little")
    path = tmp_path / "bomb.bmp"
    path.write_bytes(header + size + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24))
    with pytest.raises(UserError, match="cannot be decoded"):
        measure(path)
