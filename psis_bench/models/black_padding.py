"""Images padded with black before they are normalised, as the official Deep-MAC does.

MMDetection pads after normalisation with zeros, which is the mean colour. The official code's resizer pads with
black pixels (``pad_to_max_dimension``), as its random crops do beyond the image's edge.
"""

from __future__ import annotations

from typing import Any

from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.registry import MODELS


@MODELS.register_module()
class BlackPaddingPreprocessor(DetDataPreprocessor):
    """MMDetection's preprocessor whose padding is what a black pixel becomes."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalise and batch images (uint8, BGR) of a collated batch; fill what lies beyond each with black."""
        batch: dict[str, Any] = super().forward(data, training)
        black = (-self.mean / self.std).to(batch["inputs"])
        for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
            height, width = sample.img_shape[:2]
            image[:, height:] = black
            image[:, :, width:] = black
        return batch
