"""OPMask: the mask head is shown where the box classifier sees the object.

Source: Biertimpel et al., Prior to Segment (ICCV 2021); official dbtmpl/OPMask (d9daab1), ``box_head.py``,
``mask_head.py``, ``roi_heads.py`` and ``cam_utils.py``. The box head is made of convolutions and a mean, so that the
weights of a class's score, applied to each place instead of to the mean, make a map of where that score comes from
(class activation map). Scaled to [0, 1], it is added to every channel of the crop.

Deviation: in prediction the map is that of the detected box, where the official code takes the map of the proposal that
became that box; on a given box both are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.class_conditioned import ClassConditionedMaskHead, ClassConditionedRoIHead

# Keeps a map that is the same everywhere finite; the official division gives no number there.
_SMALLEST_RANGE = 1e-6


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps (N, C, H, W) resized bilinearly to ``size``, pixels' centres onto pixels' centres."""
    return functional.interpolate(maps, size=tuple(size), mode="bilinear")


def scaled(maps: Tensor) -> Tensor:
    """Return maps (N, 1, H, W) of which each reaches from 0 to 1."""
    lowest, highest = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - lowest) / (highest - lowest).clamp(min=_SMALLEST_RANGE)


@MODELS.register_module()
class ActivationMapBBoxHead(BBoxHead):
    """3x3 convolutions, the mean over the crop, one linear layer for scores and one for boxes.

    Args:
        crop_channels: Channels of the crops.
        conv_channels: Channels of each convolution that scores and boxes share.
        score_channels: Channels of each further convolution for scores.
        box_channels: Channels of each further convolution for boxes; the last has as many as the last for scores.
        norm_cfg: Normalisation after each convolution.
        **kwargs: Arguments of `mmdet.models.BBoxHead`.
    """

    def __init__(
        self,
        *,
        crop_channels: int,
        conv_channels: Sequence[int],
        score_channels: Sequence[int] = (),
        box_channels: Sequence[int] = (),
        norm_cfg: dict[str, Any] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(with_avg_pool=True, in_channels=[*conv_channels, *score_channels][-1], **kwargs)
        self.convs = _convolutions([crop_channels, *conv_channels], norm_cfg)
        self.score_convs = _convolutions([conv_channels[-1], *score_channels], norm_cfg)
        self.box_convs = _convolutions([conv_channels[-1], *box_channels], norm_cfg)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N, K + 1) and boxes (N, 4K) of crops (N, C, H, W)."""
        scores, boxes, _ = self.with_features(crops)
        return scores, boxes

    def with_features(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores, boxes and the features (N, C', H, W) whose mean the scores are made of."""
        shared = self.convs(crops)
        features = self.score_convs(shared)
        boxes = self.fc_reg(self.box_convs(shared).mean(dim=(2, 3)))
        return self.fc_cls(features.mean(dim=(2, 3))), boxes, features

    def activation_maps(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return what each place of features (N, C', H, W) adds to the score of the crop's class (N,): (N, 1, H, W).

        The mask loss reaches the features through it, but not the weights of the scores.
        """
        weights = self.fc_cls.weight.detach()[labels]
        return torch.bmm(weights[:, None], features.flatten(2)).reshape(len(features), 1, *features.shape[-2:])


def _convolutions(channels: Sequence[int], norm_cfg: dict[str, Any] | None) -> nn.Sequential:
    pairs = itertools.pairwise(channels)
    return nn.Sequential(*(ConvModule(i, o, 3, padding=1, norm_cfg=norm_cfg) for i, o in pairs))


@MODELS.register_module()
class PriorMaskHead(ClassConditionedMaskHead):
    """Mask R-CNN's head on crops to which a map of where the object may be is added."""

    def logits_given(self, crops: Tensor, given: Tensor) -> Tensor:
        """Return logits (N, K, 2H, 2W) for crops (N, C, H, W) and maps (N, 1, H', W')."""
        logits: Tensor = self(crops + resized(scaled(given), crops.shape[-2:]))
        return logits


@MODELS.register_module()
class OPMaskRoIHead(ClassConditionedRoIHead):
    """Gives the mask head the activation map of each crop's class; the box head is an `ActivationMapBBoxHead`."""

    def _bbox_forward(self, x: tuple[Tensor, ...], rois: Tensor) -> dict[str, Tensor]:
        """Return scores, boxes and, as ``bbox_feats``, the features that activation maps are made of."""
        crops = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        scores, boxes, features = self.bbox_head.with_features(crops)
        return {"cls_score": scores, "bbox_pred": boxes, "bbox_feats": features}

    def condition(self, x: tuple[Tensor, ...], rois: Tensor, labels: Tensor, box_features: Tensor | None) -> Any:
        """Return the activation maps (N, 1, H, W)."""
        if box_features is None:
            box_features = self._bbox_forward(x, rois)["bbox_feats"]
        return self.bbox_head.activation_maps(box_features, labels)
