"""From mask crops to what is shown and downloaded, at any threshold."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from psis_bench.demo.boxes import MOST, Box
from psis_bench.demo.pictures import Picture
from psis_bench.errors import UserError
from psis_bench.rle import encode_crop
from psis_bench.user_boxes.overlay import Mask, colour_of, draw_overlay

if TYPE_CHECKING:
    from psis_bench.models.paste import PlacedMask

_LARGEST_CROP = 256
_GRIDS = ("cells", "edges")
_FILL = 110  # of 255: how much of the picture a mask hides
_NO_LABEL = "object"


@dataclass(frozen=True, kw_only=True)
class Masks:
    """What a model says of every box of a picture, before a threshold.

    Attributes:
        crops: (N, S, S) float32 in [0, 1].
        frames: (N, 4) float32, x1, y1, x2, y2 in pixels of the working copy.
        grid: See `psis_bench.models.paste`.
    """

    crops: NDArray[np.float32]
    frames: NDArray[np.float32]
    grid: str

    def as_state(self) -> dict[str, Any]:
        """Return what the browser keeps."""
        return {
            "side": self.crops.shape[1],
            "crops": base64.b64encode(self.crops.astype("<f4").tobytes()).decode(),
            "frames": self.frames.tolist(),
            "grid": self.grid,
        }

    @classmethod
    def of_state(cls, state: Any, *, count: int) -> Masks:
        """Return the masks that the browser sends back.

        Args:
            state: From `as_state`.
            count: Number of boxes that there must be masks of.

        Raises:
            UserError: It is something else.
        """
        try:
            side = int(state["side"])
            if not 0 < side <= _LARGEST_CROP or count > MOST:
                raise ValueError
            crops = np.frombuffer(base64.b64decode(state["crops"], validate=True), "<f4").reshape(count, side, side)
            frames = np.asarray(state["frames"], np.float32).reshape(count, 4)
            if not (np.isfinite(crops).all() and np.isfinite(frames).all() and state["grid"] in _GRIDS):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise UserError("the masks are not those of the boxes", cure="draw a box again") from None
        return cls(crops=crops.clip(0, 1), frames=frames, grid=str(state["grid"]))

    def placed(
        self, *, height: int, width: int, threshold: float, scale: tuple[float, float] = (1, 1)
    ) -> Iterator[PlacedMask]:
        """Yield the mask of every box.

        Args:
            height: Of the picture, pixels.
            width: Likewise.
            threshold: Pixels above it are in the mask, in (0, 1). A mask never leaves the frame of its crop.
            scale: Pixels of that picture for one of the working copy.
        """
        from psis_bench.models.paste import paste_crop

        # Pasting wants a threshold of one half. Bilinear values grow with those of the crop, so that scaling both
        # marks the same pixels.
        factor = np.float32(0.5 / threshold)
        factors = np.array([*scale, *scale], np.float64)
        for crop, frame in zip(self.crops, self.frames, strict=True):
            x1, y1, x2, y2 = (float(value) for value in frame * factors)
            yield paste_crop(crop * factor, (x1, y1, x2, y2), height=height, width=width, grid=self.grid)


def checked_threshold(given: Any) -> float:
    """Return a threshold in [0.01, 0.99].

    Raises:
        UserError: It is no number.
    """
    try:
        threshold = float(given)
    except (TypeError, ValueError):
        threshold = math.nan
    if math.isnan(threshold):
        raise UserError("the threshold is no number", cure="move the slider")
    return min(max(threshold, 0.01), 0.99)


def layer(masks: Masks, picture: Picture, *, threshold: float) -> str:
    """Return a transparent picture with every mask in the colour of its box, as a ``data:`` address."""
    height, width = picture.pixels.shape[:2]
    painted = np.zeros((height, width, 4), np.uint8)
    for index, mask in enumerate(masks.placed(height=height, width=width, threshold=threshold)):
        colour = (*colour_of(index), 255)
        part = painted[mask.y : mask.y + mask.mask.shape[0], mask.x : mask.x + mask.mask.shape[1]]
        part[mask.mask] = (*colour[:3], _FILL)
        contours, _ = cv2.findContours(mask.mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        outlined = np.ascontiguousarray(part)
        cv2.drawContours(outlined, contours, -1, colour, 1 + max(height, width) // 700)
        part[...] = outlined
    return f"data:image/png;base64,{base64.b64encode(_png(painted)).decode()}"


def whole(masks: Masks, picture: Picture, *, threshold: float) -> list[Mask]:
    """Return each mask (H, W), 0 or 1, at the size of the working copy."""
    height, width = picture.pixels.shape[:2]
    return [_filled(mask, height, width) for mask in masks.placed(height=height, width=width, threshold=threshold)]


def ious(first: Sequence[Mask], second: Sequence[Mask]) -> list[float | None]:
    """Return the IoU of each pair of masks; None where both are empty."""
    return [
        float((a & b).sum() / union) if (union := int((a | b).sum())) else None
        for a, b in zip(first, second, strict=True)
    ]


def coco_json(
    picture: Picture, boxes: Sequence[Box], masks: Masks, *, threshold: float, made_by: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a COCO annotation file of the masks, in pixels of the original picture, as ``psis-bench predict`` does."""
    labels: dict[str, int] = {}
    annotations = []
    across, down = picture.scale
    placed = masks.placed(height=picture.height, width=picture.width, threshold=threshold, scale=picture.scale)
    for number, (box, mask) in enumerate(zip(boxes, placed, strict=True), start=1):
        x, y, w, h = box["xywh"]
        code = encode_crop(mask.mask, x=mask.x, y=mask.y, height=picture.height, width=picture.width)
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": labels.setdefault(box["label"] or _NO_LABEL, len(labels) + 1),
                "bbox": [x * across, y * down, w * across, h * down],
                "area": int(mask.mask.sum()),
                "iscrowd": 0,
                "segmentation": {"size": [picture.height, picture.width], "counts": code},
            }
        )
    return {
        "info": {"description": "Masks of given boxes", **made_by, "threshold": threshold},
        "images": [{"id": 1, "file_name": picture.name, "height": picture.height, "width": picture.width}],
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
    }


def numbered_png(picture: Picture, masks: Masks, *, threshold: float) -> bytes:
    """Return a PNG of the original's size whose value at a pixel is the number of its box, 0 where there is none.

    Its palette has the colours of the page. Where masks overlap the later box is in front.
    """
    from PIL import Image

    values = np.zeros((picture.height, picture.width), np.uint8)
    placed = masks.placed(height=picture.height, width=picture.width, threshold=threshold, scale=picture.scale)
    for number, mask in enumerate(placed, start=1):
        values[mask.y : mask.y + mask.mask.shape[0], mask.x : mask.x + mask.mask.shape[1]][mask.mask] = number
    image = Image.fromarray(values)
    image.putpalette([0, 0, 0] + [part for index in range(MOST) for part in colour_of(index)[::-1]])
    stored = io.BytesIO()
    image.save(stored, format="PNG")
    return stored.getvalue()


def overlay_png(picture: Picture, boxes: Sequence[Box], masks: Masks, *, threshold: float) -> bytes:
    """Return a PNG of the working copy with masks, boxes and their numbers drawn over it."""
    given = [(x, y, w, h) for x, y, w, h in (box["xywh"] for box in boxes)]
    return _png(draw_overlay(picture.pixels, whole(masks, picture, threshold=threshold), given))


def _filled(mask: PlacedMask, height: int, width: int) -> Mask:
    filled = np.zeros((height, width), np.uint8)
    filled[mask.y : mask.y + mask.mask.shape[0], mask.x : mask.x + mask.mask.shape[1]] = mask.mask
    return filled


def _png(pixels: NDArray[np.uint8]) -> bytes:
    done, stored = cv2.imencode(".png", pixels)
    if not done:
        raise RuntimeError("OpenCV could not encode a picture")
    return stored.tobytes()
