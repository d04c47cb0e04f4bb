"""MMDetection's own Mask R-CNN trains and predicts on a CPU, with compiled ops or with the supplied ones."""

from __future__ import annotations

from pathlib import Path

import mmdet
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

SIDE = 96


def small_mask_rcnn() -> torch.nn.Module:
    """Return the stock R-50-FPN config with ResNet-18, no weights to fetch, and fewer regions."""
    config = Config.fromfile(Path(mmdet.__file__).parent / ".mim/configs/_base_/models/mask-rcnn_r50_fpn.py").model
    config.backbone.update(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None)
    config.neck.in_channels = [64, 128, 256, 512]
    config.train_cfg.rpn_proposal.max_per_img = config.test_cfg.rpn.max_per_img = 50
    config.train_cfg.rcnn.sampler.num = 32
    config.test_cfg.rcnn.update(score_thr=0.0, max_per_img=7)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(config)


def sample(seed: int) -> DetDataSample:
    """Return three random boxes with random masks."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(3, 2, generator=generator) * SIDE / 2
    boxes = torch.cat([corner, corner + SIDE / 4 + torch.rand(3, 2, generator=generator) * SIDE / 4], dim=1)
    masks = (torch.rand(3, SIDE, SIDE, generator=generator) > 0.5).numpy().astype("uint8")
    shapes = dict.fromkeys(("img_shape", "ori_shape", "batch_input_shape", "pad_shape"), (SIDE, SIDE))
    data = DetDataSample(metainfo={**shapes, "scale_factor": (1.0, 1.0)})
    data.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 2, 4]), masks=BitmapMasks(masks, SIDE, SIDE))
    return data


def test_one_step_and_a_prediction() -> None:
    torch.manual_seed(0)
    model = small_mask_rcnn()
    images, samples = torch.randn(2, 3, SIDE, SIDE), [sample(seed) for seed in (0, 1)]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    model.train()
    total, losses = model.parse_losses(model.loss(images, samples))
    total.backward()
    assert set(losses) >= {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "loss_mask"}
    assert all(torch.isfinite(loss).all() for loss in losses.values())
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients.values())
    for part in ("backbone.conv1", "roi_head.bbox_head.fc_reg", "roi_head.mask_head.conv_logits"):
        assert gradients[f"{part}.weight"].any()
    optimizer.step()

    model.eval()
    with torch.no_grad():
        results = model.predict(images, samples)
    for result in results:
        assert 0 < len(result.pred_instances) <= 7
        assert result.pred_instances.masks.shape[1:] == (SIDE, SIDE)
