"""The colour augmentation of the official CenterNet: hue, contrast, saturation and brightness, in this order.

Source: official ``random_adjust_hue``, ``_contrast``, ``_saturation`` and ``_brightness`` of
``object_detection/core/preprocessor.py``, which are those of ``tf.image``. Each is applied to every image and cuts
values off at black and white. MMDetection's ``PhotoMetricDistortion`` has other ranges, applies each to half of the
images, and swaps channels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class ColourJitter(BaseTransform):
    """Change the colours of ``img`` (H, W, 3), uint8 BGR.

    Args:
        hue: Most that the hue is turned, as a part of the circle.
        contrast: Least and greatest factor by which values differ from their channel's mean.
        saturation: Least and greatest factor of the saturation.
        brightness: Most that is added to or taken from all values, as a part of white.
    """

    def __init__(
        self, *, hue: float, contrast: tuple[float, float], saturation: tuple[float, float], brightness: float
    ) -> None:
        self.hue = hue
        self.contrast = contrast
        self.saturation = saturation
        self.brightness = brightness

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the four changes and apply them."""
        draw = np.random.uniform
        image = results["img"].astype(np.float32) / 255
        image = turned(image, hue=draw(-self.hue, self.hue), saturation=1.0)
        mean = image.mean(axis=(0, 1))
        image = ((image - mean) * np.float32(draw(*self.contrast)) + mean).clip(0, 1)
        image = turned(image, hue=0.0, saturation=draw(*self.saturation))
        image = (image + np.float32(draw(-self.brightness, self.brightness))).clip(0, 1)
        results["img"] = (image * 255).round().astype(np.uint8)
        return results


def turned(image: NDArray[np.float32], *, hue: float, saturation: float) -> NDArray[np.float32]:
    """Turn the hue by a part of the circle and multiply the saturation of a BGR image in [0, 1]."""
    colours = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    colours[..., 0] = (colours[..., 0] + 360 * hue) % 360
    colours[..., 1] = (colours[..., 1] * saturation).clip(0, 1)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2BGR), np.float32).clip(0, 1)
