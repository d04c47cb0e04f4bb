"""Mask^X R-CNN: the last layer of the mask head is predicted, for each class, from the class's detection weights.

Source: Hu et al., Learning to Segment Every Thing (CVPR 2018); ronghanghu/seg_every_thing (0bd7b8b),
``lib/modeling/mask_rcnn_heads.py`` with ``TYPE: 2_layer``, ``STOP_DET_W_GRAD`` and ``JOINT_FCN_MLP_HEAD``.

Deviation: the background has detection weights too, and the official code predicts a mask layer for them that no loss
and no prediction ever reads; here it is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.class_conditioned import ClassConditionedMaskHead, ClassConditionedRoIHead


def detection_weights(bbox_head: Any) -> Tensor:
    """Return each class's weights in a box head (C, 5F): those of its score, then the four rows of its box.

    Cut off from the graph: the mask loss must not change what the detector knows of a class (official
    ``STOP_DET_W_GRAD``). The box head regresses a box for each class.
    """
    scores = bbox_head.fc_cls.weight[: bbox_head.num_classes]
    boxes = bbox_head.fc_reg.weight.reshape(bbox_head.num_classes, -1)
    return torch.cat([scores, boxes], dim=1).detach()


class WeightTransfer(BaseModule):
    """Two fully connected layers with a leaky ReLU between: detection weights (C, I) -> mask weights (C, O)."""

    def __init__(self, *, in_features: int, hidden_features: int, out_features: int, negative_slope: float) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, hidden_features)
        self.second = nn.Linear(hidden_features, out_features)
        self.negative_slope = negative_slope

    def init_weights(self) -> None:
        """Initialise by He's normal rule over outputs with zero biases: Caffe2's ``MSRAFill``."""
        super().init_weights()
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, weights: Tensor) -> Tensor:
        """Return the weights of each class's mask predictor."""
        transferred: Tensor = self.second(functional.leaky_relu(self.first(weights), self.negative_slope))
        return transferred


@MODELS.register_module()
class MaskXHead(ClassConditionedMaskHead):
    """Mask features times predicted weights, without a bias, plus a branch that is the same for every class.

    Args:
        in_channels: Channels of the crops.
        trunk: Config of the trunk.
        upsample_channels: Channels D of the mask features, after the transposed convolution.
        roi_size: Side of the crops; the fully connected branch is made for mask features of twice that, S.
        detection_features: F, features that the last layers of the box head read; a class has 5F weights there.
        hidden_features: Width between the two layers of the weight transfer.
        negative_slope: Slope of the leaky ReLU there.
        loss_weight: Weight of the mask loss.
        init_cfg: As in `DeepMarcMaskHead`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        trunk: dict[str, Any],
        upsample_channels: int,
        roi_size: int,
        detection_features: int,
        hidden_features: int,
        negative_slope: float,
        loss_weight: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            trunk=trunk,
            upsample_channels=upsample_channels,
            loss_weight=loss_weight,
            init_cfg=init_cfg,
        )
        self.logits = nn.Identity()  # predicted instead
        self.transfer = WeightTransfer(
            in_features=5 * detection_features,
            hidden_features=hidden_features,
            out_features=upsample_channels,
            negative_slope=negative_slope,
        )
        side = 2 * roi_size
        self.branch = nn.Linear(upsample_channels * side**2, side**2)

    def init_weights(self) -> None:
        """Initialise the branch by N(0, 0.001²), everything else by He's rule."""
        super().init_weights()
        nn.init.normal_(self.branch.weight, std=0.001)
        nn.init.zeros_(self.branch.bias)

    def logits_given(self, crops: Tensor, given: Tensor) -> Tensor:
        """Return logits (N, 1, S, S) for crops (N, C, H, W) and the predicted weights (N, D) of each crop's class."""
        features = self(crops)
        shape = (len(features), 1, *features.shape[-2:])
        of_class = torch.bmm(given[:, None], features.flatten(2)).reshape(shape)
        of_any: Tensor = self.branch(features.flatten(1)).reshape(shape)
        return of_class + of_any


@MODELS.register_module()
class MaskXRoIHead(ClassConditionedRoIHead):
    """Gives the mask head the predicted weights of each crop's class.

    Raises:
        ValueError: The mask head is made for another number of detection weights than the box head has.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        found, wanted = detection_weights(self.bbox_head).shape[1], self.mask_head.transfer.first.in_features
        if found != wanted:
            raise ValueError(
                f"the box head has {found} weights a class, the mask head is made for {wanted}: "
                "detection_features is a fifth of them, and fc_reg has a box for each class"
            )

    def condition(self, x: tuple[Tensor, ...], rois: Tensor, labels: Tensor, box_features: Tensor | None) -> Tensor:
        """Return the predicted mask weights (N, D) of each label."""
        del x, rois, box_features
        weights: Tensor = self.mask_head.transfer(detection_weights(self.bbox_head))[labels]
        return weights
