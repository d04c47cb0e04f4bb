"""Saves the official Deep-MAC with Hourglass-104, and what it makes of an image, of boxes, and of targets.

One whole model is saved. For the other mask heads only the head is exchanged, in the same model, and saved. Runs in the
environment of the official code (`make parity`):

    python tests/parity/official_deep_mac.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from official_runtime import DEEP_MAC_HEADS, disturb, keep, np, save, tf  # isort: skip

from object_detection.core import losses
from object_detection.meta_architectures import center_net_meta_arch, deepmac_meta_arch
from object_detection.models import center_net_hourglass_feature_extractor as extractors

SIDE, WIDTH = 256, 192  # of the padded input, and of the image in it
CLASSES = 90
# Category ids with masks: two of the five instances below.
ALLOWED = (1, 3)
MEANS, STDS = (104.01362025, 114.03422265, 119.9165958), (73.6027665, 69.89082075, 70.9150767)
WHOLE = "hourglass20"


def build(network_type: str) -> Any:
    """Return the model as the published configs have it."""
    params = deepmac_meta_arch.DeepMACParams(
        classification_loss=losses.WeightedSigmoidClassificationLoss(),
        dim=32,
        task_loss_weight=5.0,
        pixel_embedding_dim=16,
        allowed_masked_classes_ids=list(ALLOWED),
        mask_size=32,
        mask_num_subsamples=-1,
        use_xy=True,
        network_type=network_type,
        use_instance_embedding=True,
        num_init_channels=64,
        predict_full_resolution_masks=False,
        postprocess_crop_size=256,
        max_roi_jitter_ratio=0.0,
        roi_jitter_mode="random",
        box_consistency_loss_weight=0.0,
        color_consistency_threshold=0.4,
        color_consistency_dilation=2,
        color_consistency_loss_weight=0.0,
        box_consistency_loss_normalize="normalize_auto",
        box_consistency_tightness=False,
        color_consistency_warmup_steps=0,
        color_consistency_warmup_start=0,
        use_only_last_stage=False,
    )
    return deepmac_meta_arch.DeepMACMetaArch(
        is_training=False,
        add_summaries=False,
        num_classes=CLASSES,
        feature_extractor=extractors.hourglass_104(channel_means=MEANS, channel_stds=STDS, bgr_ordering=True),
        image_resizer_fn=None,
        object_center_params=center_net_meta_arch.ObjectCenterParams(
            classification_loss=losses.PenaltyReducedLogisticFocalLoss(alpha=2.0, beta=4.0),
            object_center_loss_weight=1.0,
        ),
        object_detection_params=center_net_meta_arch.ObjectDetectionParams(
            localization_loss=losses.L1LocalizationLoss(), scale_loss_weight=0.1, offset_loss_weight=1.0
        ),
        deepmac_params=params,
    )


def targets(generator: np.random.Generator) -> dict[str, Any]:
    """Return an image with boxes (xyxy, pixels), category ids and masks of instances."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[:, :WIDTH] = generator.integers(0, 256, (SIDE, WIDTH, 3))
    corners = "10.5 20.25 90 150  60 5 180 250  100 100 130 118  0 40 33 61  3 180 140 240"
    boxes = np.array(corners.split(), float).reshape(-1, 4)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    masks = np.zeros((len(boxes), SIDE, SIDE), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        across, down = (columns - (x1 + x2) / 2) / (x2 - x1), (rows - (y1 + y2) / 2) / (y2 - y1)
        mask[:] = across**2 + down**2 < 0.25
    return {"image": image, "boxes": boxes.astype(np.float32), "categories": [1, 17, 3, 1, 62], "masks": masks}


def soften(model: Any) -> None:
    """Make the outputs of the heads small: probabilities of 1 have no order, boxes beyond the map no size."""
    model._mask_net.project_out.kernel.assign(0.02 * model._mask_net.project_out.kernel)
    for name, part in (("object_center", 0.01), ("box/scale", 0.05), ("box/offset", 0.002)):
        for head in model.prediction_head_dict[name]:
            head.layers[-1].kernel.assign(part * head.layers[-1].kernel)


def heads_of(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the model makes of the image and the boxes."""
    inputs = model._feature_extractor.preprocess(tf.constant(given["image"][None], tf.float32))
    normalised = given["boxes"][:, [1, 0, 3, 2]] / SIDE
    model.provide_groundtruth(
        groundtruth_boxes_list=[tf.constant(normalised)],
        groundtruth_classes_list=[tf.one_hot([number - 1 for number in given["categories"]], CLASSES)],
        groundtruth_masks_list=[tf.constant(given["masks"], tf.float32)],
        groundtruth_mask_weights_list=[tf.ones(len(normalised))],
        groundtruth_weights_list=[tf.ones(len(normalised))],
    )
    shapes = tf.constant([[SIDE, WIDTH, 3]], tf.int32)
    found = model.predict(inputs, shapes)
    # Boxes are given as parts of the image, without its padding.
    in_image = given["boxes"][:, [1, 0, 3, 2]] / np.array([SIDE, WIDTH, SIDE, WIDTH], np.float32)
    masks = model.predict_masks_from_boxes(found, shapes, tf.constant(in_image[None]))
    return {"inputs": inputs, "found": found, "shapes": shapes, "masks": masks["detection_masks"][0]}


def main(folder: Path) -> None:
    """Save everything."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(104)
    given = targets(generator)
    model = build(WHOLE)
    heads_of(model, given)  # makes the variables
    disturb(model, generator)
    soften(model)
    made = heads_of(model, given)
    found = made["found"]
    detections = model.postprocess(found, made["shapes"])
    loss = model.loss(found, made["shapes"])
    arrays = {
        **given,
        "mask_probabilities": made["masks"],
        "mask_logits": found[deepmac_meta_arch.MASK_LOGITS_GT_BOXES][-1][0],
        "mask_logits_first": found[deepmac_meta_arch.MASK_LOGITS_GT_BOXES][0][0],
        "allowed": ALLOWED,
        **{f"loss {name.removeprefix('Loss/')}": value for name, value in loss.items()},
        **{name: detections[name][0] for name in ("detection_boxes_strided", "detection_scores", "detection_classes")},
        "detection_masks": detections["detection_masks"][0],
    }
    for stack in range(2):
        for name in ("extracted_features", "object_center", "box/scale", "box/offset"):
            arrays[f"{name} {stack}"] = found[name][stack][0]
        for name in (deepmac_meta_arch.INSTANCE_EMBEDDING, deepmac_meta_arch.PIXEL_EMBEDDING):
            arrays[f"{name} {stack}"] = found[name][stack][0]
    save(folder, "deep_mac_hg104", model, arrays)
    for official, mine in DEEP_MAC_HEADS.items():
        model._mask_net = deepmac_meta_arch.MaskHeadNetwork(official, 64)
        heads_of(model, given)
        disturb(model._mask_net, np.random.default_rng(len(official)))
        logits = heads_of(model, given)["found"][deepmac_meta_arch.MASK_LOGITS_GT_BOXES][-1][0]
        tf.train.Checkpoint(model=tf.train.Checkpoint(_mask_net=model._mask_net)).write(str(folder / f"hg104+{mine}"))
        keep(folder, f"hg104+{mine}", {"mask_logits": logits})
        sys.stderr.write(f"Hourglass-104 with {mine}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
