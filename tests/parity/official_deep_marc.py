"""Saves official Deep-MARC models and what they make of an image and of boxes; crops; losses.

Runs in the environment of the official code (`make parity`):

    python tests/parity/official_deep_marc.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from official_runtime import disturb, keep, np, save, tf  # isort: skip

from official.projects.deepmac_maskrcnn.configs import deep_mask_head_rcnn as configs
from official.projects.deepmac_maskrcnn.tasks import deep_mask_head_rcnn as tasks
from official.vision.configs import backbones, common, decoders, maskrcnn
from official.vision.losses import maskrcnn_losses
from official.vision.ops import preprocess_ops, spatial_transform_ops

SIDE = 256
BOXES = np.array(
    [
        # ymin, xmin, ymax, xmax: three sizes, one of less than a cell, one on the edge, one of the whole image.
        [20.25, 10.5, 150.0, 90.0],
        [100.0, 100.0, 118.0, 130.0],
        [61.0, 33.0, 63.5, 34.5],
        [200.0, 190.0, 256.0, 256.0],
        [0.0, 0.0, 256.0, 256.0],
        [5.0, 60.0, 250.0, 180.0],
    ],
    np.float32,
)
# Depth or kind of the backbone, mask head, side of its crops.
MODELS = {
    "r50": ("resnet", 50, "hourglass20", 16),
    "r101": ("resnet", 101, "hourglass52", 32),
    "spinenet49": ("spinenet", "49", "hourglass20", 16),
    "spinenet96": ("spinenet", "96", "hourglass52", 32),
    "spinenet143": ("spinenet", "143", "hourglass52", 32),
}


def build(kind: str, size: Any, head: str, crop: int) -> Any:
    """Return the model as the published configs have it, for a smaller image."""
    model = configs.DeepMaskHeadRCNN(num_classes=91, input_size=[SIDE, SIDE, 3], include_mask=True)
    model.mask_head.class_agnostic = True
    model.mask_head.convnet_variant = head
    model.mask_head.num_filters = 64
    model.mask_roi_aligner.crop_size = crop
    if kind == "spinenet":
        spinenet = backbones.SpineNet(model_id=size, min_level=3, max_level=7)
        model.backbone = backbones.Backbone(type="spinenet", spinenet=spinenet)
        model.decoder = decoders.Decoder(type="identity", identity=decoders.Identity())
        model.anchor = maskrcnn.Anchor(anchor_size=4, num_scales=3)
        model.min_level, model.max_level = 3, 7
        model.norm_activation = common.NormActivation(use_sync_bn=True, norm_momentum=0.99, norm_epsilon=1e-3)
    else:
        model.backbone = backbones.Backbone(type="resnet", resnet=backbones.ResNet(model_id=size))
        model.min_level, model.max_level = 2, 6
        model.norm_activation = common.NormActivation(use_sync_bn=True, norm_momentum=0.997, norm_epsilon=1e-4)
    return tasks.DeepMaskHeadRCNNTask(configs.DeepMaskHeadRCNNTask(model=model)).build_model()


def results(model: Any, image: Any) -> dict[str, Any]:
    """Return what the parts make of the image and the boxes."""
    inputs = preprocess_ops.normalize_image(tf.constant(image[None], tf.float32) / 255.0)
    boxes = tf.constant(BOXES[None])
    _, features = model._get_backbone_and_decoder_features(inputs)
    logits, _ = model._features_to_mask_outputs(features, boxes, tf.zeros((1, len(BOXES)), tf.int32))
    scores, deltas = model.rpn_head(features)
    classes, regression = model.detection_head[0](model.roi_aligner(features, boxes), training=False)
    kept = {"mask_logits": logits[0], "classes": classes[0], "regression": regression[0]}
    for level in sorted(features, key=int):
        kept |= {f"feature {level}": features[level][0], f"rpn scores {level}": scores[level][0]}
        kept[f"rpn boxes {level}"] = deltas[level][0]
    return kept


def operators(folder: Path) -> None:
    """Save crops by both operators, and the mask loss of Deep-MARC."""
    from object_detection.utils import spatial_transform_ops as detection_ops

    generator = np.random.default_rng(5)
    levels = {
        str(level): generator.normal(size=(1, SIDE >> level, SIDE >> level, 8)).astype(np.float32)
        for level in range(2, 7)
    }
    crops = spatial_transform_ops.multilevel_crop_and_resize(
        {level: tf.constant(feature) for level, feature in levels.items()}, tf.constant(BOXES[None]), output_size=16
    )
    feature = generator.normal(size=(1, 40, 56, 8)).astype(np.float32)
    inside = generator.random((1, 9, 4)).astype(np.float32)
    inside = np.concatenate(
        [np.minimum(inside[..., :2], inside[..., 2:]), np.maximum(inside[..., :2], inside[..., 2:])], 2
    )
    inside[0, 0] = (0.0, 0.0, 1.0, 1.0)
    inside[0, 1] = (-0.2, 0.3, 0.4, 1.3)  # beyond the image
    matmul = detection_ops.matmul_crop_and_resize(tf.constant(feature), tf.constant(inside), [32, 32])
    logits = generator.normal(size=(2, 7, 28, 28)).astype(np.float32) * 3
    wanted = generator.random((2, 7, 28, 28)).astype(np.float32)
    classes = np.array([[1, 0, 5, 0, 7, -1, -1], [0, 0, 3, 3, 88, 2, -1]], np.int32)
    loss = maskrcnn_losses.MaskrcnnLoss()(*(tf.constant(values) for values in (logits, wanted, classes)))
    keep(
        folder,
        "operators",
        {
            **{f"level {level}": value for level, value in levels.items()},
            "boxes": BOXES,
            "multilevel": crops[0],
            "feature": feature,
            "normalised": inside,
            "matmul": matmul[0],
            "logits": logits,
            "wanted": wanted,
            "classes": classes,
            "loss": loss,
        },
    )


def main(folder: Path) -> None:
    """Save everything."""
    folder.mkdir(parents=True, exist_ok=True)
    operators(folder)
    for name, settings in MODELS.items():
        generator = np.random.default_rng(len(name))
        image = generator.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        model = build(*settings)
        disturb(model, generator)
        # They start at a hundred thousandth, beside which a bias would be all that is compared.
        for layer in (model.rpn_head._classifier, model.rpn_head._box_regressor):
            layer.kernel.assign(1e4 * layer.kernel)
        save(folder, name, model, {"image": image, "boxes": BOXES, **results(model, image)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
