"""What becomes of the masks: PNG files, one COCO annotation file, and one overlay an image, in a folder of their own.

The folder must be new or empty: nothing that is there is ever changed. ``masks.json`` is written last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from psis_bench.errors import UserError
from psis_bench.files import atomic_path, write_error, write_json
from psis_bench.user_boxes.images import Request
from psis_bench.user_boxes.overlay import Mask, Picture, draw_overlay

NO_LABEL = "object"
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]
_LONGEST_NAME = 80


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        UserError: It is a file, or is not empty.
    """
    if folder.is_file():
        raise UserError("is a file", where=str(folder), cure="give out= a new folder")
    try:
        first = next(folder.iterdir(), None) if folder.is_dir() else None
    except OSError as error:
        raise write_error(folder, error) from error
    if first is not None:
        raise UserError(f"the folder is not empty: it holds {first.name!r}", where=str(folder), cure="give a new out=")


class Outputs:
    """Writes the masks of one image after the other.

    Args:
        folder: A new or empty folder.
        made_by: What made the masks, for the file's ``info``: weights and model.
    """

    def __init__(self, folder: Path, *, made_by: dict[str, Any]) -> None:
        check_folder(folder)
        self.folder = folder
        self.made_by = made_by
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.labels: dict[str, int] = {}
        self.names: set[str] = set()

    def add(self, request: Request, codes: Sequence[str]) -> None:
        """Write the masks and the overlay of one image.

        Args:
            request: The image and its boxes.
            codes: Compressed run lengths of the mask of each box, at the image's size.
        """
        name = self._free_name(request.path.stem)
        image_id = len(self.images) + 1
        overlay = f"{name}-overlay.jpg"
        self.images.append(
            {
                "id": image_id,
                "file_name": str(request.path),
                "height": request.height,
                "width": request.width,
                "overlay_file": overlay,
            }
        )
        masks: list[Mask] = []
        for number, (box, code) in enumerate(zip(request.boxes, codes, strict=True), start=1):
            mask = decoded(code, request)
            masks.append(mask)
            file = f"{name}-{number}.png"
            _write(self.folder / file, ".png", mask * np.uint8(255))
            label = box.label or NO_LABEL
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": image_id,
                    "category_id": self.labels.setdefault(label, len(self.labels) + 1),
                    "bbox": list(box.xywh),
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": [request.height, request.width], "counts": code},
                    "mask_file": file,
                }
            )
        picture = read_upright(request.path)
        if picture.shape[:2] != (request.height, request.width):
            raise UserError("the image changed while it was read", where=str(request.path), cure="run it again")
        _write(self.folder / overlay, ".jpg", draw_overlay(picture, masks, request.cut), _JPEG)

    def finish(self) -> dict[str, Any]:
        """Write ``masks.json`` and return its content."""
        content = {
            "info": {"description": "Masks of given boxes", **self.made_by},
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": number, "name": label} for label, number in self.labels.items()],
        }
        write_json(self.folder / "masks.json", content)
        return content

    def _free_name(self, stem: str) -> str:
        """Return a file name for an image's outputs, unlike those of every image before it."""
        short = stem.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_NAME] or "image"
        name, count = short, 1
        # A mask of "a" is called a-1.png: an image called "a-1" must not have an overlay or a mask of that name.
        while name.casefold() in self.names:
            count += 1
            name = f"{short}_{count}"
        self.names.add(name.casefold())
        return name


def decoded(code: str, request: Request) -> Mask:
    """Return the mask (H, W), 0 or 1, of compressed run lengths."""
    from pycocotools import mask as coco_mask

    rle = {"size": [request.height, request.width], "counts": code}
    return np.asarray(coco_mask.decode(rle), dtype=np.uint8)


def read_upright(path: Path) -> Picture:
    """Return an image as BGR, turned upright as its EXIF says.

    Raises:
        UserError: It cannot be decoded.
    """
    try:
        stored = np.fromfile(path, dtype=np.uint8)
        picture = cv2.imdecode(stored, cv2.IMREAD_COLOR) if stored.size else None
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise UserError("the image cannot be decoded", where=str(path), cure="save it as JPEG or PNG")
    return np.asarray(picture, dtype=np.uint8)


def _write(path: Path, suffix: str, picture: Picture | Mask, settings: Sequence[int] = ()) -> None:
    done, stored = cv2.imencode(suffix, picture, list(settings))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {path}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(stored.tobytes())
