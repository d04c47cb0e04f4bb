"""Draws one instance as a tile: the picture with the ground truth's outline, and the same with the predicted mask.

Colours in this module are RGB, arrays are (H, W, 3) uint8 in RGB order.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]

PANEL: Final = 240
"""Side of one panel in pixels; a tile is two panels beside each other."""

GAP: Final = 4
CONTEXT: Final = 1.35
OUTSIDE: Final = (128, 128, 128)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square of the picture: left and top edge and side, in pixels of the picture (may reach over its edge)."""

    left: float
    top: float
    side: float


def window_around(box: tuple[float, float, float, float], *, height: int, width: int) -> Window:
    """Return the square to be shown for a box: the box with context, moved inside the picture where it fits.

    Args:
        box: x, y, width, height in pixels of the picture.
        height: Height of the picture, pixels.
        width: Width of the picture, pixels.
    """
    x, y, w, h = box
    longest = max(w, h)
    side = min(max(longest * CONTEXT, 16.0), max(longest, height, width))

    def place(middle: float, length: int) -> float:
        if side >= length:
            return (length - side) / 2
        return float(np.clip(middle - side / 2, 0, length - side))

    return Window(left=place(x + w / 2, width), top=place(y + h / 2, height), side=side)


def cut(picture: Picture, window: Window) -> Picture:
    """Return the window of a picture, (PANEL, PANEL, 3); what lies outside the picture is grey."""
    shrink = window.side > PANEL
    if shrink:
        # Averaging by area first: warpAffine alone samples single pixels and would alias.
        factor = PANEL / window.side
        size = (max(round(picture.shape[1] * factor), 1), max(round(picture.shape[0] * factor), 1))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        window = Window(left=window.left * factor, top=window.top * factor, side=window.side * factor)
    return _warp(picture, window, interpolation=cv2.INTER_LINEAR if shrink else cv2.INTER_CUBIC, border=OUTSIDE)


def cut_mask(mask: Mask, window: Window) -> Mask:
    """Return the window of a 0/1 mask of the whole picture, (PANEL, PANEL), 0 or 1."""
    shown = _warp((mask > 0).astype(np.uint8) * 255, window, interpolation=cv2.INTER_LINEAR, border=(0,))
    return (shown > 127).astype(np.uint8)


def _warp(pixels: Picture, window: Window, *, interpolation: int, border: tuple[int, ...]) -> Picture:
    scale = PANEL / window.side
    # Pixel centres lie at +0.5 in the frame of the boxes.
    matrix = np.array(
        [[scale, 0, -window.left * scale + 0.5 * scale - 0.5], [0, scale, -window.top * scale + 0.5 * scale - 0.5]]
    )
    return np.asarray(
        cv2.warpAffine(
            pixels, matrix, (PANEL, PANEL), flags=interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=border
        ),
        dtype=np.uint8,
    )


def draw_outline(picture: Picture, mask: Mask, *, dash: float = 7.0) -> Picture:
    """Return the picture with the mask's outline as a line of white and black dashes, seen on any background."""
    drawn = picture.copy()
    for contour in _contours(mask):
        points = np.vstack([contour, contour[:1]]).astype(float)
        steps = np.hypot(*np.diff(points, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        if along[-1] < 2:
            continue
        count = max(2 * round(along[-1] / (2 * dash)), 2)
        bounds = np.linspace(0, along[-1], count + 1)
        for index in range(count):
            inner = along[(along > bounds[index]) & (along < bounds[index + 1])]
            places = np.concatenate([[bounds[index]], inner, [bounds[index + 1]]])
            xy = np.stack([np.interp(places, along, points[:, axis]) for axis in (0, 1)], axis=1)
            colour = (255, 255, 255) if index % 2 == 0 else (0, 0, 0)
            line = np.round(xy * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(drawn, [line], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA, shift=4)
    return drawn


def draw_fill(picture: Picture, mask: Mask, colour: tuple[int, int, int], *, strength: float = 0.6) -> Picture:
    """Return the picture with the mask filled in a colour that lets the picture show through, and a solid edge."""
    drawn = picture.astype(np.float32)
    inside = mask > 0
    drawn[inside] = (1 - strength) * drawn[inside] + strength * np.asarray(colour, dtype=np.float32)
    result = np.round(drawn).astype(np.uint8)
    lines = [contour.reshape(-1, 1, 2) for contour in _contours(mask)]
    cv2.polylines(result, lines, isClosed=True, color=colour, thickness=1, lineType=cv2.LINE_AA)
    return result


def draw_box(picture: Picture, box: Sequence[float], colour: tuple[int, int, int], *, scale: float) -> Picture:
    """Return the picture with a thin frame.

    Args:
        picture: (H, W, 3).
        box: x, y, width, height before ``scale`` is applied, pixels.
        colour: Of the frame.
        scale: Size of this picture relative to the one in which the box was measured.
    """
    x, y, w, h = (16 * scale * side for side in box)
    corners = (round(x), round(y)), (round(x + w), round(y + h))
    return np.asarray(cv2.rectangle(picture.copy(), *corners, colour, 1, cv2.LINE_AA, 4), dtype=np.uint8)


def in_grey(picture: Picture) -> Picture:
    """Return the picture without its colours, since a colour laid over colours looks different in every picture."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _contours(mask: Mask) -> list[npt.NDArray[np.int32]]:
    found, _ = cv2.findContours(np.ascontiguousarray(mask), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour, dtype=np.int32).reshape(-1, 2) for contour in found]


def resize_mask(mask: Mask, *, height: int, width: int) -> Mask:
    """Return a 0/1 mask at another size: a pixel is inside when at least half of it was."""
    resized = cv2.resize((mask > 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return (resized >= 0.5).astype(np.uint8)


def shrunk(picture: Picture, *, longest: int) -> Picture:
    """Return a picture whose longer side is at most ``longest`` pixels."""
    factor = longest / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (max(round(picture.shape[1] * factor), 1), max(round(picture.shape[0] * factor), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_tile(
    picture: Picture,
    *,
    box: tuple[float, float, float, float],
    truth: Mask,
    prediction: Mask,
    colour: tuple[int, int, int],
) -> Picture:
    """Return a tile: left the picture with the outline of the ground truth, right with the predicted mask filled.

    Args:
        picture: The whole picture.
        box: x, y, width, height in pixels of the picture.
        truth: (H, W) ground-truth mask, 0 or 1.
        prediction: (H, W) predicted mask, 0 or 1.
        colour: Of the prediction.

    Returns:
        (PANEL, 2 * PANEL + GAP, 3).
    """
    window = window_around(box, height=picture.shape[0], width=picture.shape[1])
    crop, outline = cut(picture, window), cut_mask(truth, window)
    left = draw_outline(crop, outline)
    right = draw_fill(in_grey(crop), cut_mask(prediction, window), colour)
    return np.hstack([left, np.full((PANEL, GAP, 3), 255, dtype=np.uint8), right])


def read_picture(path: Path) -> Picture | None:
    """Return a picture as RGB, unrotated like COCO's annotations; None when it is missing or damaged."""
    try:
        stored = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(stored, flags) if stored.size else None
    return None if decoded is None else np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def data_uri(picture: Picture, *, quality: int) -> str:
    """Return a picture as a ``data:image/jpeg`` address.

    Args:
        picture: (H, W, 3) uint8, RGB.
        quality: Of the JPEG, 1 to 100.
    """
    done, stored = cv2.imencode(
        ".jpg",
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    )
    if not done:
        raise RuntimeError("OpenCV could not encode a thumbnail")
    return "data:image/jpeg;base64," + base64.b64encode(stored.tobytes()).decode()
