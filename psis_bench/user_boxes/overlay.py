"""One picture of an image with its masks laid over it, for a person to look at.

Pictures are (H, W, 3) uint8 in BGR order, as OpenCV reads and writes them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from psis_bench.user_boxes.boxes import XYWH

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_STRENGTH = 0.5
_GOLDEN = 0.618034  # steps of the golden ratio around the circle of hues keep neighbours apart


def colour_of(index: int) -> Colour:
    """Return the BGR colour of the ``index``-th mask, counted from 0: bright, and unlike those before it."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + index * _GOLDEN) % 1, 0.85, 1.0 - 0.2 * (index % 2))
    return round(255 * blue), round(255 * green), round(255 * red)


def draw_overlay(picture: Picture, masks: Sequence[Mask], boxes: Sequence[XYWH]) -> Picture:
    """Return the picture with each mask filled in a colour, its box framed, and its number at the box's corner.

    Args:
        picture: (H, W, 3).
        masks: (H, W) each, 0 or 1.
        boxes: x, y, width, height of each in pixels.
    """
    drawn = picture.copy()
    line = max(1, round(max(picture.shape[:2]) / 500))
    for index, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
        _fill(drawn, mask, box, colour_of(index), line)
    # Frames and numbers come last: no mask hides another's.
    for index, box in enumerate(boxes):
        x, y, w, h = box
        corners = (round(x), round(y)), (round(x + w) - 1, round(y + h) - 1)
        cv2.rectangle(drawn, *corners, colour_of(index), line, cv2.LINE_AA)
    for index, box in enumerate(boxes):
        _number(drawn, str(index + 1), box, colour_of(index), line)
    return drawn


def _fill(picture: Picture, mask: Mask, box: XYWH, colour: Colour, line: int) -> None:
    """Blend the colour into the mask's pixels; only the box's part of the picture is touched."""
    x, y = max(int(box[0]) - 1, 0), max(int(box[1]) - 1, 0)
    rows, columns = slice(y, int(box[1] + box[3]) + 2), slice(x, int(box[0] + box[2]) + 2)
    part, inside = picture[rows, columns], np.ascontiguousarray(mask[rows, columns])
    blended = (1 - _STRENGTH) * part[inside > 0].astype(np.float32) + _STRENGTH * np.asarray(colour, np.float32)
    part[inside > 0] = np.round(blended).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outlined = np.ascontiguousarray(part)
    cv2.drawContours(outlined, contours, -1, colour, line, cv2.LINE_AA)
    picture[rows, columns] = outlined


def _number(picture: Picture, text: str, box: XYWH, colour: Colour, line: int) -> None:
    """Write a number on a plate at the box's top left corner, moved inside the picture where it would leave it."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.42 + 0.18 * line
    (width, height), _ = cv2.getTextSize(text, font, scale, line)
    margin = 2 + line
    left = min(max(round(box[0]), 0), max(picture.shape[1] - width - 2 * margin, 0))
    bottom = min(max(round(box[1]), height + 2 * margin), picture.shape[0])
    top = bottom - height - 2 * margin
    cv2.rectangle(picture, (left, top), (left + width + 2 * margin, bottom), colour, cv2.FILLED)
    dark = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] < 140
    ink = (255, 255, 255) if dark else (0, 0, 0)
    cv2.putText(picture, text, (left + margin, bottom - margin), font, scale, ink, line, cv2.LINE_AA)
