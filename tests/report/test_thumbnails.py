from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from psis_bench.report import thumbnails
from psis_bench.report.pictures import decode_rle
from psis_bench.report.thumbnails import GAP, PANEL, window_around


def test_window_has_the_box_in_it_and_stays_inside_the_picture_where_it_fits() -> None:
    for box in [(0.0, 0.0, 30.0, 20.0), (290.0, 200.0, 30.0, 40.0), (100.0, 80.0, 60.0, 10.0)]:
        window = window_around(box, height=240, width=320)
        assert window.left >= 0
        assert window.top >= 0
        assert window.left + window.side <= 320
        assert window.top + window.side <= 240
        assert window.left <= box[0]
        assert window.left + window.side >= box[0] + box[2]
        assert window.top + window.side >= box[1] + box[3]


def test_window_of_a_box_as_large_as_the_picture_is_the_picture() -> None:
    window = window_around((0, 0, 320, 240), height=240, width=320)
    assert (window.left, window.top, window.side) == (0, -40, 320)


@pytest.mark.parametrize("size", [60, 240, 480])
def test_mask_and_picture_are_cut_alike(size: int) -> None:
    """A white square on black is cut as a picture and as a mask: the two agree but for a pixel at the edge."""
    mask = np.zeros((size, size), np.uint8)
    mask[size // 4 : size // 2, size // 3 : 2 * size // 3] = 1
    window = thumbnails.Window(left=size * 0.1, top=size * 0.05, side=size * 0.8)
    picture = thumbnails.cut(np.repeat(mask[..., None] * 255, 3, axis=2).astype(np.uint8), window)
    inside = picture[..., 0] > 127
    shown = thumbnails.cut_mask(mask, window) > 0
    assert np.logical_and(inside, shown).sum() / np.logical_or(inside, shown).sum() > 0.97
    scale = PANEL / window.side
    assert shown.sum() == pytest.approx(mask.sum() * scale**2, rel=0.04)


def test_tile_has_the_outline_at_the_left_and_the_filled_mask_at_the_right() -> None:
    picture = np.full((100, 100, 3), (10, 200, 30), np.uint8)
    truth, prediction = np.zeros((2, 100, 100), np.uint8)
    truth[20:80, 20:80] = 1
    prediction[20:80, 20:50] = 1
    tile = thumbnails.draw_tile(picture, box=(20, 20, 60, 60), truth=truth, prediction=prediction, colour=(255, 0, 0))
    assert tile.shape == (PANEL, 2 * PANEL + GAP, 3)
    left, right = tile[:, :PANEL].astype(int), tile[:, PANEL + GAP :].astype(int)
    white, black = (left > 240).all(axis=2), (left < 15).all(axis=2)
    assert white.sum() > 200
    assert black.sum() > 200
    assert 0.5 < white.sum() / black.sum() < 2
    assert (left[PANEL // 2, PANEL // 2] == (10, 200, 30)).all()
    red = right[..., 0] - right[..., 1] > 100
    # The window is 81 pixels wide (the box times 1.35); the prediction covers 30 x 60 of them.
    assert red.mean() == pytest.approx(30 * 60 / 81**2, rel=0.05)


def test_hole_of_a_mask_gets_an_outline_too() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[10:90, 10:90] = 1
    solid = thumbnails.draw_outline(np.full((100, 100, 3), 128, np.uint8), mask)
    mask[40:60, 40:60] = 0
    holed = thumbnails.draw_outline(np.full((100, 100, 3), 128, np.uint8), mask)
    assert (solid[30:70, 30:70] == 128).all()
    assert not (holed[30:70, 30:70] == 128).all()


@pytest.mark.parametrize("counts", [[0, 6], [6], [1, 2, 3], [2, 1, 1, 1, 1]])
def test_run_lengths_are_decoded_column_by_column(counts: list[int]) -> None:
    expected = np.zeros(6, np.uint8)
    place = 0
    for index, length in enumerate(counts):
        expected[place : place + length] = index % 2
        place += length
    mask = decode_rle({"size": [2, 3], "counts": counts})
    assert mask.tolist() == expected.reshape((2, 3), order="F").tolist()


def test_pictures_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("empty.jpg", "text.jpg", "missing.jpg"):
        assert thumbnails.read_picture(tmp_path / name) is None
    assert thumbnails.read_picture(tmp_path) is None


def test_data_uri_holds_the_picture_in_its_colours() -> None:
    picture = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    head, _, body = thumbnails.data_uri(picture, quality=95).partition(",")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_COLOR)
    assert head == "data:image/jpeg;base64"
    assert decoded is not None
    assert np.abs(decoded[8, 8, ::-1].astype(int) - (200, 30, 60)).max() <= 6
