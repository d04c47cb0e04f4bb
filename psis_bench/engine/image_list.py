"""The images of a COCO file, one sample at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet.registry import TRANSFORMS
from torch.utils.data import Dataset


class ImageList(Dataset[dict[str, Any]]):
    """The images of a COCO file, loaded and transformed by a test pipeline.

    Args:
        images: COCO image records.
        folder: The folder with the image files.
        pipeline: Configs of MMDetection transforms, ending in PackDetInputs.
    """

    def __init__(self, images: list[dict[str, Any]], *, folder: Path, pipeline: list[dict[str, Any]]) -> None:
        self.images = images
        self.folder = folder
        self.pipeline = TRANSFORMS.build({"type": "Compose", "transforms": pipeline})

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self.images[index]
        path = str(self.folder / record["file_name"])
        sample: dict[str, Any] = self.pipeline(
            {"img_path": path, "img_id": record["id"], "height": record["height"], "width": record["width"]}
        )
        return sample
