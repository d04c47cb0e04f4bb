"""The mask loss under partial supervision, and its targets.

Source: paper section 4 ("mask loss for each instance is only considered if a groundtruth mask is
available"); official ``deepmac_meta_arch.py``: mean over the pixels of a mask, then the mean over the
valid instances of a replica's batch; here of the whole batch, however many processes share it, so that a
loss does not depend on their number. Deep-MARC's official loss divides the sum over pixels by the number
of pixels of valid instances + 0.01, which is the same mean up to 1e-5.
"""

from __future__ import annotations

import torch
from mmdet.structures.mask import BitmapMasks
from torch import Tensor, distributed
from torch.nn import functional
from torchvision.ops import roi_align


def mask_cross_entropy(logits: Tensor, targets: Tensor, has_mask: Tensor) -> Tensor:
    """Sigmoid cross entropy, averaged over pixels and then over the instances that have a mask.

    Args:
        logits: (N, H, W) float.
        targets: (N, H, W) float in [0, 1]; rows without a mask are never read.
        has_mask: (N,) bool.

    Returns:
        A scalar. With no mask in the batch it is 0 and still reaches every parameter, because a process
        of a distributed run that skipped its backward pass would hang the others.
    """
    pixels = functional.binary_cross_entropy_with_logits(logits[has_mask], targets[has_mask], reduction="none")
    return mean_over_instances(pixels.mean(dim=(1, 2)), logits)


def mask_dice(logits: Tensor, targets: Tensor, has_mask: Tensor) -> Tensor:
    """One minus the Dice coefficient of each instance that has a mask, averaged over them.

    For short trainings: cross entropy alone leaves uncertain pixels out of the mask, and at a threshold of one half
    that costs more IoU than it saves. The official code has such a loss; no published result uses it.

    Args:
        logits: (N, H, W) float.
        targets: (N, H, W) float in [0, 1]; rows without a mask are never read.
        has_mask: (N,) bool.

    Returns:
        A scalar in [0, 1]; with no mask in the batch as in `mask_cross_entropy`. Each sum has one pixel added, so that
        an empty mask has a gradient.
    """
    found, wanted = logits[has_mask].sigmoid(), targets[has_mask]
    common, both = (found * wanted).sum(dim=(1, 2)), (found + wanted).sum(dim=(1, 2))
    return mean_over_instances(1 - (2 * common + 1) / (both + 1), logits)


def mean_over_instances(losses: Tensor, logits: Tensor) -> Tensor:
    """Return the mean of the losses of a batch's instances.

    In a distributed run it is the share of this process: the sum of its losses over the number of instances that a
    process has on average. The mean of the shares, which is what averaged gradients belong to, is the mean over all.
    Every process has to call this, also one without instances.

    Args:
        losses: (M,), of the instances with a mask; M may be 0.
        logits: What they were computed from; reached also when M is 0.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return losses.mean() if len(losses) else 0.0 * logits.sum()
    count = logits.new_tensor(float(len(losses)))
    distributed.all_reduce(count)
    if not len(losses):
        return 0.0 * logits.sum()
    return losses.sum() * distributed.get_world_size() / count


def soft_mask_targets(masks: BitmapMasks, boxes: Tensor, indices: Tensor, size: int) -> Tensor:
    """Crop ground-truth masks to boxes and resize them, without making them binary again.

    Args:
        masks: The masks of one image, at input resolution.
        boxes: (N, 4) xyxy in input pixels.
        indices: (N,) long, the mask that belongs to each box.
        size: Side S of the target.

    Returns:
        (N, S, S) float in [0, 1]: the share of each cell that the object covers.

    Deviation: the official Deep-MARC loader first resizes each mask to 112 x 112; here every cell is the
    average over all its pixels (RoIAlign with adaptive sampling), which keeps the soft values exact.
    """
    if len(boxes) == 0:
        return boxes.new_zeros((0, size, size))
    bitmaps = torch.as_tensor(masks.masks, device=boxes.device, dtype=boxes.dtype)[:, None]
    rois = torch.cat([indices[:, None].to(boxes), boxes], dim=1)
    return roi_align(bitmaps, rois, (size, size), spatial_scale=1.0, sampling_ratio=-1, aligned=True)[:, 0]
