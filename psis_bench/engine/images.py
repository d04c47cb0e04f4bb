"""Reading images that may be missing, damaged or not what the annotations describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmdet.registry import TRANSFORMS

from psis_bench.errors import UserError

_WORKER_TRACE = "psis_bench.errors.UserError: "


@TRANSFORMS.register_module()
class LoadCheckedImage(LoadImageFromFile):
    """MMCV's image loading, with a `UserError` for every way in which the file can be wrong.

    Expects ``img_path``, ``height`` and ``width`` (pixels, from the annotation file).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``img`` (H, W, 3) uint8 BGR, ``img_shape`` and ``ori_shape``.

        Raises:
            UserError: The file is missing, cannot be decoded, or has another size than recorded.
        """
        path = Path(results["img_path"])
        if not path.is_file():
            raise UserError("no such image", where=str(path), cure="restore the file, or correct the images folder")
        try:
            loaded: dict[str, Any] = super().transform(results)
        # MMCV turns an undecodable file into None and then fails on its first use, in several ways.
        except (OSError, AssertionError, AttributeError, ValueError, TypeError, cv2.error) as error:
            raise UserError("the image cannot be decoded", where=str(path), cure="restore the file") from error
        height, width = loaded["ori_shape"]
        if (height, width) != (results["height"], results["width"]):
            raise UserError(
                f"the image has {width} x {height} pixels, its record says {results['width']} x {results['height']}",
                where=str(path),
                cure="correct width and height in the annotation file",
            )
        return loaded


@TRANSFORMS.register_module()
class KeepOriginalImage(BaseTransform):
    """Keep the image as it was read, for models that look at the original pixels.

    Adds ``original_image``, uint8 (H, W, 3) RGB, for PackDetInputs's ``meta_keys``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image."""
        results["original_image"] = np.ascontiguousarray(results["img"][..., ::-1])
        return results


def from_worker(error: UserError) -> UserError:
    """Return the error as it was raised, without the trace that a loading process puts around it."""
    text = str(error)
    return UserError(text.rsplit(_WORKER_TRACE, maxsplit=1)[-1]) if _WORKER_TRACE in text else error
