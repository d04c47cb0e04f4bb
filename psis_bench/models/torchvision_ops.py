# ruff: noqa: PLR0917 (the order and number of parameters is mmcv's)
"""Functions of ``mmcv._ext`` made from torchvision and plain PyTorch, under mmcv's names and parameters.

mmcv hands each op its output tensors to fill and wraps forward and backward in an autograd function of its own, so
ops come in pairs here. They follow mmcv's definitions (``mmcv/ops/csrc``), run on CPU and CUDA, and compute half
precision in float32. Left out because torchvision computes something else: ``roi_pool``, ``roi_align`` with maximum.

Shapes: N images, C channels, H x W map, R regions, K classes. Boxes are xyxy in absolute pixels.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor
from torch.nn import functional

from psis_bench.models.ops import not_supplied

__all__ = [
    "deform_conv_backward_input",
    "deform_conv_backward_parameters",
    "deform_conv_forward",
    "get_compiler_version",
    "get_compiling_cuda_version",
    "modulated_deform_conv_backward",
    "modulated_deform_conv_forward",
    "ms_deform_attn_backward",
    "ms_deform_attn_forward",
    "nms",
    "roi_align_backward",
    "roi_align_forward",
    "sigmoid_focal_loss_backward",
    "sigmoid_focal_loss_forward",
    "softnms",
]

_kernels = torch.ops.torchvision  # torchvision's Python functions do not offer the backward passes


def get_compiler_version() -> str:
    """Say in reports of the environment what stands in for compiled ops."""
    return f"none (ops supplied from torchvision {torchvision.__version__})"


def get_compiling_cuda_version() -> str:
    """Say in reports of the environment that mmcv was compiled for no CUDA."""
    return "not compiled"


def _working(tensor: Tensor) -> Tensor:
    """Return ``tensor`` contiguous and in a precision that torchvision's kernels have on every device."""
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    return wide.contiguous()


# --- regions -----------------------------------------------------------------------------------------------------


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output`` (R, C, h, w) with bilinear samples of ``input`` (N, C, H, W) averaged over each bin.

    ``rois`` (R, 5) holds image index, x1, y1, x2, y2; ``sampling_ratio`` 0 samples about once a pixel.
    """
    if pool_mode != 1:
        raise not_supplied("roi_align_forward with pool_mode='max'")
    features = _working(input)
    size = aligned_height, aligned_width
    where = rois.to(features.dtype), float(spatial_scale)
    output.copy_(_kernels.roi_align(features, *where, *size, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``grad_input`` (N, C, H, W) from ``grad_output`` (R, C, h, w)."""
    if pool_mode != 1:
        raise not_supplied("roi_align_backward with pool_mode='max'")
    grad = _working(grad_output)
    sizes = aligned_height, aligned_width, *grad_input.shape
    regions = rois.to(grad.dtype)
    grad_input.copy_(_kernels._roi_align_backward(grad, regions, float(spatial_scale), *sizes, sampling_ratio, aligned))


# --- suppression -------------------------------------------------------------------------------------------------


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices (int64) of the boxes that stay, best score first; equal scores keep their order.

    A box goes when its IoU with a better one that stays is greater than ``iou_threshold``. Sides are
    x2 - x1 + ``offset``.
    """
    if boxes.numel() == 0:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    corners = _with_offset(_working(boxes), offset)
    # In mmcv the threshold has the precision of the boxes, so that an IoU of exactly 0.3 does not exceed 0.3.
    threshold = corners.new_tensor(iou_threshold, device="cpu").item()
    kept: Tensor = _kernels.nms(corners, scores.to(corners.dtype), threshold)
    return kept


def _with_offset(boxes: Tensor, offset: int) -> Tensor:
    """Return boxes whose sides x2 - x1 are those that mmcv computes as x2 - x1 + ``offset``."""
    return boxes + boxes.new_tensor([0, 0, offset, offset]) if offset else boxes


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of overlapping boxes instead of removing them (Soft-NMS), on CPU tensors.

    Fills the first rows of ``dets`` (n, 5) with the boxes that stay and their lowered scores and returns their
    indices (int64), best first. A box goes when a lowering leaves its score below ``min_score``.
    ``method``: 0 removes as `nms`, 1 multiplies by 1 - IoU, 2 by exp(-IoU^2 / ``sigma``).
    """
    corners = _with_offset(_working(boxes), offset)
    current = _working(scores).clone()
    left = torch.arange(len(boxes))
    kept: list[int] = []
    while len(left):
        place = int(current[left].argmax())
        best = int(left[place])
        dets[len(kept), :4], dets[len(kept), 4] = boxes[best], current[best]
        kept.append(best)
        left = torch.cat([left[:place], left[place + 1 :]])
        iou = torchvision.ops.box_iou(corners[best : best + 1], corners[left])[0].nan_to_num(0)  # boxes without area
        current[left] *= _decay(iou, iou_threshold=iou_threshold, sigma=sigma, method=method)
        left = left[current[left] >= min_score]
    return torch.tensor(kept, dtype=torch.long)


def _decay(iou: Tensor, *, iou_threshold: float, sigma: float, method: int) -> Tensor:
    """Return the factor in [0, 1] for the score of a box that has ``iou`` with a better one."""
    if method == 2:
        return torch.exp(-(iou**2) / sigma)
    lowered = torch.zeros_like(iou) if method == 0 else 1 - iou
    return torch.where(iou >= iou_threshold, lowered, torch.ones_like(iou))


# --- deformable convolution and attention --------------------------------------------------------------------------
# Offsets have the order y0, x0, y1, x1, ... within each deformable group, in mmcv as in torchvision.


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Fill ``output`` with the deformable convolution, version 2, of ``input``; ``bias`` is empty where unused."""
    used_bias = bias if settings["with_bias"] else input.new_zeros(weight.shape[0])
    operands = [_working(tensor) for tensor in (input, weight, offset, mask, used_bias)]
    output.copy_(_kernels.deform_conv2d(*operands, *_geometry(settings), True))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    **settings: int,
) -> None:
    """Fill the five gradients of `modulated_deform_conv_forward`."""
    used_bias = bias if settings["with_bias"] else input.new_zeros(weight.shape[0])
    operands = [_working(tensor) for tensor in (grad_output, input, weight, offset, mask, used_bias)]
    results = _kernels._deform_conv2d_backward(*operands, *_geometry(settings), True)
    for target, result in zip((grad_input, grad_weight, grad_offset, grad_mask), results[:4], strict=True):
        target.copy_(result)
    if settings["with_bias"]:
        grad_bias.copy_(results[4])


def _geometry(settings: dict[str, int]) -> list[int]:
    """Return stride, padding, dilation (each y, x), groups, deformable groups from either of mmcv's namings."""
    if "dH" in settings:
        names = ["dH", "dW", "padH", "padW", "dilationH", "dilationW"]
    else:
        names = ["stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w"]
    return [settings[name] for name in (*names, "group", "deformable_group")]


def _version_1(input: Tensor, weight: Tensor, offset: Tensor) -> list[Tensor]:
    """Return the operands of a deformable convolution that has neither mask nor bias."""
    no_mask, no_bias = input.new_zeros((len(input), 1)), input.new_zeros(weight.shape[0])
    return [_working(tensor) for tensor in (input, weight, offset, no_mask, no_bias)]


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **settings: int
) -> None:
    """Fill ``output`` with the deformable convolution, version 1, of ``input``."""
    output.copy_(_kernels.deform_conv2d(*_version_1(input, weight, offset), *_geometry(settings), False))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Fill the gradients of `deform_conv_forward` for input and offset."""
    operands = _working(grad_output), *_version_1(input, weight, offset)
    results = _kernels._deform_conv2d_backward(*operands, *_geometry(settings), False)
    grad_input.copy_(results[0])
    grad_offset.copy_(results[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **settings: int,
) -> None:
    """Add ``scale`` times the gradient of `deform_conv_forward` for the weight to ``grad_weight``."""
    any_weight = torch.zeros_like(grad_weight)  # the gradient does not depend on its value
    operands = _working(grad_output), *_version_1(input, any_weight, offset)
    results = _kernels._deform_conv2d_backward(*operands, *_geometry(settings), False)
    grad_weight.add_(results[1].to(grad_weight.dtype), alpha=scale)


def ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor, weights: Tensor, *, im2col_step: int
) -> Tensor:
    """Return multi-scale deformable attention as mmcv's own PyTorch version for CPU computes it."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    attended: Tensor = multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
    return attended


def ms_deform_attn_backward(
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_locations: Tensor,
    grad_weights: Tensor,
    *,
    im2col_step: int,
) -> None:
    """Fill the three gradients of `ms_deform_attn_forward`."""
    with torch.enable_grad():
        operands = [tensor.detach().requires_grad_() for tensor in (value, locations, weights)]
        output = ms_deform_attn_forward(operands[0], shapes, starts, *operands[1:], im2col_step=im2col_step)
    gradients = torch.autograd.grad(output, operands, grad_output)
    for target, gradient in zip((grad_value, grad_locations, grad_weights), gradients, strict=True):
        target.copy_(gradient)


# --- focal loss --------------------------------------------------------------------------------------------------


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Fill ``output`` (R, K) with the loss of each logit; a ``target`` (R,) outside [0, K) is background.

    ``weight`` (K,) multiplies the rows by the weight of their class, background by 1; empty: no weights.
    """
    logits = _working(input)
    probability, positive = logits.sigmoid(), _one_hot(target, logits)
    loss = -alpha * (1 - probability) ** gamma * functional.logsigmoid(logits) * positive
    loss -= (1 - alpha) * probability**gamma * functional.logsigmoid(-logits) * (1 - positive)
    output.copy_(loss * _row_weight(weight, target, logits))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input`` (R, K) with the derivative of each loss by its logit."""
    logits = _working(input)
    probability, positive = logits.sigmoid(), _one_hot(target, logits)
    toward, away = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    gradient = -alpha * (1 - probability) ** gamma * (1 - probability - gamma * probability * toward) * positive
    gradient -= (1 - alpha) * probability**gamma * (gamma * (1 - probability) * away - probability) * (1 - positive)
    grad_input.copy_(gradient * _row_weight(weight, target, logits))


def _one_hot(target: Tensor, like: Tensor) -> Tensor:
    """Return (R, K) of ones at the target class; rows of background are zero."""
    hot = target[:, None] == torch.arange(like.shape[1], device=like.device)
    return hot.to(_working(like).dtype)


def _row_weight(weight: Tensor, target: Tensor, like: Tensor) -> Tensor:
    """Return (R, 1) the weight of each row's class, 1 for background or without weights."""
    if weight.numel() == 0:
        return like.new_ones((len(target), 1))
    known = (target >= 0) & (target < len(weight))
    picked = weight.to(like.dtype)[target.clamp(0, len(weight) - 1)]
    return torch.where(known, picked, torch.ones_like(picked))[:, None]
