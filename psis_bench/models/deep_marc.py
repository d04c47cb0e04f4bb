"""Deep-MARC: Mask R-CNN with a deep class-agnostic mask head, trained on ground-truth boxes.

Source: paper section 3; official ``projects/deepmac_maskrcnn``. The detector is MMDetection's, untouched.
What is new: where training crops come from (``crop_source``), the trunk of the mask head, and the mask
loss under partial supervision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import MaskRCNN
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional

from psis_bench.models.interface import boxes_in_input
from psis_bench.models.mask_heads.norm import norm_factory
from psis_bench.models.mask_loss import mask_cross_entropy, soft_mask_targets
from psis_bench.models.paste import paste_crop


class GroundTruthCrops(NamedTuple):
    """The ground-truth boxes of one image in the form of MMDetection's sampling results."""

    pos_priors: Tensor
    pos_assigned_gt_inds: Tensor
    pos_gt_labels: Tensor


@MODELS.register_module()
class DeepMarcMaskHead(BaseModule):
    """Trunk, transposed convolution, batch norm, ReLU, 1x1 convolution: (N, C, H, W) -> (N, K, 2H, 2W) logits.

    Args:
        in_channels: Channels of the crops.
        trunk: Config of the trunk under study; its ``in_channels`` is filled in here.
        upsample_channels: Channels of the transposed convolution (official ``num_filters``).
        class_agnostic: Whether there is one mask for any class, K = 1, as in the paper but for a row of Table 12. If
            not, K is ``num_classes``: an instance learns the mask of its class, and shows that of its detected one.
        num_classes: Number of classes of the detector.
        norm_type: ``"BN"`` or ``"SyncBN"``, of the batch norm after the transposed convolution. The official one is
            plain even where the model's are synchronised, as the paper says that all are.
        norm_eps: Added to its variances (official: as the model's).
        norm_momentum: Its momentum, PyTorch's.
        loss_weight: Weight of the mask loss.
        init_cfg: Initialisation of the layers outside the trunk (official: He, fan-out).
    """

    norm: nn.Module
    logits: nn.Module

    def __init__(
        self,
        *,
        in_channels: int,
        trunk: dict[str, Any],
        upsample_channels: int,
        class_agnostic: bool = True,
        num_classes: int = 1,
        norm_type: str = "BN",
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
        loss_weight: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.loss_weight = loss_weight
        self.class_agnostic = class_agnostic
        self.trunk = MODELS.build({**trunk, "in_channels": in_channels})
        self.upsample = nn.ConvTranspose2d(self.trunk.out_channels, upsample_channels, 2, stride=2)
        self.norm = norm_factory(norm_type, eps=norm_eps, momentum=norm_momentum)(upsample_channels)
        self.logits = nn.Conv2d(upsample_channels, 1 if class_agnostic else num_classes, 1)

    def init_weights(self) -> None:
        """Initialise the trunk by its own rule and the two layers after it by He's, fan-out."""
        super().init_weights()
        for layer in self.children():
            if isinstance(layer, nn.ConvTranspose2d | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    @property
    def uses_labels(self) -> bool:
        """Whether a mask depends on the class."""
        return not self.class_agnostic

    def forward(self, crops: Tensor) -> Tensor:
        """Return logits (N, K, 2H, 2W) for crops (N, C, H, W)."""
        logits: Tensor = self.logits(functional.relu(self.norm(self.upsample(self.trunk(crops)))))
        return logits

    def of_classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the logits (N, H, W) of each instance's class; ``logits`` (N, K, H, W), ``labels`` (N,) long."""
        if self.class_agnostic:
            return logits[:, 0]
        return logits[torch.arange(len(labels), device=logits.device), labels]

    def loss_and_target(
        self, mask_preds: Tensor, sampling_results: list[Any], batch_gt_instances: list[Any], rcnn_train_cfg: Any
    ) -> dict[str, Any]:
        """Return ``loss_mask`` over the crops whose instance has a mask, in the form StandardRoIHead expects."""
        del rcnn_train_cfg
        targets, supervised, labels = [], [], []
        for crops, instances in zip(sampling_results, batch_gt_instances, strict=True):
            chosen = crops.pos_assigned_gt_inds
            labels.append(crops.pos_gt_labels)
            targets.append(soft_mask_targets(instances.masks, crops.pos_priors, chosen, mask_preds.shape[-1]))
            supervised.append(instances.has_mask.to(chosen.device)[chosen])
        logits = self.of_classes(mask_preds, torch.cat(labels))
        loss = mask_cross_entropy(logits, torch.cat(targets), torch.cat(supervised))
        return {"loss_mask": {"loss_mask": self.loss_weight * loss}, "mask_targets": targets}

    def predict_by_feat(  # noqa: PLR0917 - MMDetection's signature
        self,
        mask_preds: tuple[Tensor, ...],
        results_list: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        rcnn_test_cfg: Any,
        rescale: bool = False,
        activate_map: bool = False,
    ) -> list[InstanceData]:
        """Add ``mask_crops`` (N, S, S) to each image's results, and ``masks`` (N, H, W) if they are wanted.

        ``rcnn_test_cfg.full_masks`` (default true) serves MMDetection's own evaluation; this package's
        prediction turns it off and encodes crops without ever making full-size masks.
        """
        for logits, results, meta in zip(mask_preds, results_list, batch_img_metas, strict=True):
            if rescale:
                results.bboxes = results.bboxes / results.bboxes.new_tensor(meta["scale_factor"]).repeat(2)
            crops = self.of_classes(logits, results.labels)
            results.mask_crops = crops if activate_map else crops.sigmoid()
            if rcnn_test_cfg.get("full_masks", True):
                results.masks = full_size_masks(results, meta["ori_shape"] if rescale else meta["img_shape"])
        return results_list


def full_size_masks(results: InstanceData, shape: tuple[int, ...]) -> Tensor:
    """Paste ``mask_crops`` at ``bboxes``; return bool (N, H, W)."""
    height, width = shape[:2]
    masks = torch.zeros((len(results), height, width), dtype=torch.bool)
    for mask, crop, box in zip(masks, results.mask_crops, results.bboxes, strict=True):
        placed = paste_crop(crop.cpu().numpy(), tuple(box.tolist()), height=height, width=width)
        rows, columns = placed.mask.shape
        mask[placed.y : placed.y + rows, placed.x : placed.x + columns] = torch.from_numpy(placed.mask)
    return masks.to(results.bboxes.device)


@MODELS.register_module()
class DeepMarcRoIHead(StandardRoIHead):
    """Mask R-CNN's RoI head with a choice of where the mask head's training crops come from.

    Args:
        crop_source: ``"gt"``: every ground-truth box and nothing else (paper section 5);
            ``"proposals+gt"``: the positive samples of the box head, as in Mask R-CNN.
        **kwargs: Arguments of `mmdet.models.StandardRoIHead`.
    """

    def __init__(self, *, crop_source: str, **kwargs: Any) -> None:
        if crop_source not in ("gt", "proposals+gt"):
            raise ValueError(f"crop_source is 'gt' or 'proposals+gt', not {crop_source!r}")
        super().__init__(**kwargs)
        self.crop_source = crop_source

    def mask_loss(
        self, x: tuple[Tensor, ...], sampling_results: list[Any], bbox_feats: Tensor, batch_gt_instances: list[Any]
    ) -> dict[str, Any]:
        """Compute the mask loss on the crops of the chosen source."""
        crops = self.training_crops(sampling_results, batch_gt_instances)
        losses: dict[str, Any] = super().mask_loss(x, crops, bbox_feats, batch_gt_instances)
        return losses

    def training_crops(self, sampling_results: list[Any], batch_gt_instances: list[Any]) -> list[Any]:
        """Return the boxes of each image on which masks are learned: ``sampling_results``, or `GroundTruthCrops`."""
        if self.crop_source == "proposals+gt":
            return sampling_results
        return [
            GroundTruthCrops(
                pos_priors=getattr(instances.bboxes, "tensor", instances.bboxes),
                pos_assigned_gt_inds=torch.arange(len(instances), device=instances.labels.device),
                pos_gt_labels=instances.labels,
            )
            for instances in batch_gt_instances
        ]

    def predict_mask(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict[str, Any]],
        results_list: list[InstanceData],
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Add mask crops to the boxes of each image, also where no image has any box."""
        found: list[InstanceData] = super().predict_mask(x, batch_img_metas, results_list, rescale)
        for results in found:
            if "mask_crops" not in results:
                results.mask_crops = results.bboxes.new_zeros((len(results), 1, 1))
        return found


@MODELS.register_module()
class DeepMarc(MaskRCNN):
    """Mask R-CNN that also segments given boxes; see `psis_bench.models.interface.MaskPredictor`."""

    has_detector = True

    def detect(self, features: tuple[Tensor, ...], samples: list[Any]) -> list[InstanceData]:
        """Return each image's detections, boxes in pixels of the original image."""
        proposals = self.rpn_head.predict(features, samples, rescale=False)
        found: list[InstanceData] = self.roi_head.predict(features, proposals, samples, rescale=True)
        return found

    def masks_on_boxes(self, features: tuple[Tensor, ...], samples: list[Any], boxes: list[Tensor]) -> list[Tensor]:
        """Return mask crops (N, S, S) in [0, 1] for each image's boxes, xyxy in pixels of the original image.

        A mask that depends on the class is that of the class which the box head sees in the box: no class is given.
        """
        given = [
            InstanceData(bboxes=boxes_in_input(box, sample), labels=box.new_zeros(len(box), dtype=torch.long))
            for box, sample in zip(boxes, samples, strict=True)
        ]
        if self.roi_head.mask_head.uses_labels:
            rois = bbox2roi([instances.bboxes for instances in given])
            scores = self.roi_head._bbox_forward(features, rois)["cls_score"][:, :-1]
            for instances, labels in zip(given, scores.argmax(dim=1).split([len(box) for box in boxes]), strict=True):
                instances.labels = labels
        metas = [sample.metainfo for sample in samples]
        found = self.roi_head.predict_mask(features, metas, given, rescale=True)
        return [results.mask_crops for results in found]
