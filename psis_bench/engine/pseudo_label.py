"""Pseudo labels: a teacher's masks on the ground-truth boxes of the classes that a split gives no masks of.

Source: paper appendix B.2, Table 13: Deep-MAC is used "just for its masks (and not its boxes)". Hence there are no
scores, and nothing is filtered. That seen classes keep their own masks, and that only boxes of the training annotations
are segmented, is our reading.

The file is made from the supervision that the split allows (`psis_bench.data.supervision`) and from images alone: what
stands in the data set as masks of withheld classes changes no byte of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.registry import MODELS

from psis_bench import __version__
from psis_bench.data.coco_format import CocoFile, read_coco
from psis_bench.data.dataset_config import Subset
from psis_bench.data.supervision import restrict_masks
from psis_bench.engine.build_errors import BUILD_ERRORS, build_error
from psis_bench.engine.checkpoints import load_weights, weights_sha256
from psis_bench.engine.device import use_device
from psis_bench.engine.predict import Predictor, load_predictor, predict_dataset
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_json, write_json, write_text
from psis_bench.models.compose import compose_run
from psis_bench.models.prompted import Prompted
from psis_bench.rle import area_of
from psis_bench.run import PSEUDO_LABELS, RunDirectory
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.scoring.results.extra_masks import EXTRA_MASKS, LEARNS_NO_MASKS
from psis_bench.teacher import PROVENANCE, labels_extra_masks, labels_file, teacher_of

MARK = "pseudo_label"
"""Field of an annotation whose mask is the teacher's."""


def pseudo_label(run: RunDirectory) -> Path:
    """Write the COCO file that a student is trained from, or go on where that stopped.

    Args:
        run: The student's run directory; its configuration names a teacher.

    Returns:
        The file. It has every image, box and class of the training part; masks of the seen classes as they were; and
        the teacher's masks (compressed run lengths) of the others, marked by ``pseudo_label``. Crowds, and boxes in
        which the teacher finds no pixel, have no mask. ``info`` says where the masks are from.

    Raises:
        UserError: The teacher may not teach this student, or there is nothing to segment.
    """
    teacher, file = teacher_of(run), labels_file(run.path)
    if teacher is None or run.dataset.train is None:
        raise ValueError("a run with a teacher and a training part is needed")
    if file.is_file():
        return file
    # Mistakes in the student's own settings are told before its teacher goes to work.
    config = compose_run(run.config, classes=run.split.seen, max_detections=run.split.max_detections)
    if not config.trained or getattr(MODELS.get(config.model.type), LEARNS_NO_MASKS, False):
        raise UserError("the model learns from no masks, and so from no teacher", cure="leave teacher= out")
    try:
        MODELS.build(config.model)
    except BUILD_ERRORS as error:
        raise build_error(error, where=run.path) from error
    part = run.dataset.train
    coco = read_coco(part.annotations, images=part.images, on_bad_boxes=run.dataset.on_bad_boxes)
    seen = frozenset(run.split.resolve(coco.categories, where=str(part.annotations)).seen_ids)
    allowed = [restrict_masks(annotation, seen_ids=seen) for annotation in coco.annotations]
    withheld = [one for one in allowed if one["category_id"] not in seen and not one.get("iscrowd", 0)]
    if not withheld:
        raise UserError(
            "no box of a class without masks, which leaves nothing to a teacher",
            where=str(part.annotations),
            cure="leave teacher= out, or choose another split=",
        )
    shown = {one["image_id"] for one in withheld}
    boxes = replace(
        coco,
        images=[image for image in coco.images if image["id"] in shown],
        annotations=withheld,
        sha256=supervision_sha256(allowed),
    )
    predictor = _segment(teacher, boxes, part, run)
    provenance = _provenance(run, teacher, predictor, boxes)
    masks = dict(_masks(run.path / PSEUDO_LABELS / "gt_box_masks"))
    annotations = [_labelled(one, masks.get(one["id"])) for one in allowed]
    provenance["labels"] = sum(MARK in one for one in annotations)
    write_json(run.path / PSEUDO_LABELS / PROVENANCE, provenance)
    content = {"info": provenance, "images": coco.images, "categories": coco.categories, "annotations": annotations}
    # Not indented: polygons would have a line for each number.
    write_text(file, json.dumps(content, allow_nan=False) + "\n")
    return file


def student_subset(run: RunDirectory) -> Subset:
    """Return the training part of a student: the images of its data set, and the file that its teacher completed."""
    assert run.dataset.train is not None  # noqa: S101 - checked before the labels were made
    return Subset(annotations=labels_file(run.path), images=run.dataset.train.images)


def supervision_sha256(allowed: Sequence[dict[str, Any]]) -> str:
    """Return a hash of the supervision that a split allows; what it withholds does not change it."""
    digest = hashlib.sha256()
    for annotation in allowed:
        digest.update(json.dumps(annotation, sort_keys=True).encode())
    return digest.hexdigest()


def _segment(teacher: RunDirectory, boxes: CocoFile, part: Subset, run: RunDirectory) -> Predictor:
    """Segment every given box with the teacher, part by part, and return the teacher."""
    weights = load_weights(teacher.final_weights)
    limit = teacher.split.max_detections
    config = compose_run(teacher.config, classes=weights.classes or teacher.split.seen, max_detections=limit)
    device = use_device(run.config.device, run.config.threads)
    predictor = load_predictor(config, weights, device=device, where=str(teacher.final_weights))
    predictor.on_boxes_only = True
    predict_dataset(
        predictor,
        coco=boxes,
        images=part.images,
        pipeline=config.test_pipeline,
        folder=run.path / PSEUDO_LABELS,
        workers=run.config.workers,
        images_per_part=config.test_images_per_part,
        extra_masks=predictor.extra_masks or labels_extra_masks(teacher.path),
        title="label",
    )
    return predictor


def _provenance(run: RunDirectory, teacher: RunDirectory, predictor: Predictor, boxes: CocoFile) -> dict[str, Any]:
    extra = predictor.extra_masks or labels_extra_masks(teacher.path)
    return {
        "description": "masks of a teacher on the boxes of classes without masks; seen classes have their own",
        "teacher": {
            "model": teacher.config.model,
            "mask_head": teacher.config.mask_head,
            "data": teacher.dataset.name,
            "seed": teacher.config.seed,
            **_identity(predictor, teacher),
        },
        "split": {"name": run.split.name, "version": run.split.version, "hash": run.split.hash()},
        "data": run.dataset.name,
        "supervision_sha256": boxes.sha256,
        "psis_bench": __version__,
        **({EXTRA_MASKS: extra} if extra else {}),
    }


def _identity(predictor: Predictor, teacher: RunDirectory) -> dict[str, str | None]:
    """Return what tells a teacher apart: the hash of its weights, and of its settings where those make its masks."""
    weights = weights_sha256(predictor.model.state_dict())
    if not isinstance(predictor.model, Prompted):
        return {"weights_sha256": weights}
    config = compose_run(teacher.config, classes=teacher.split.seen, max_detections=teacher.split.max_detections)
    # Where the segmenter's own weights lie says nothing; their content is in the hash of the weights.
    segmenter = {key: value for key, value in config.model.segmenter.to_dict().items() if key != "weights"}
    nothing = not config.trained and predictor.model.prompting.without_weights
    return {"weights_sha256": None if nothing else weights, "settings_sha256": sha256_of_json(segmenter)}


def _masks(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield annotation id and run lengths of each of the teacher's masks."""
    for records in read_parts(folder, kind="gt_box_masks"):
        rows = (records.column(name).tolist() for name in ("annotation_id", "height", "width"))
        for annotation, height, width, code in zip(*rows, records.mask_strings(), strict=True):
            yield annotation, {"size": [height, width], "counts": code}


def _labelled(annotation: dict[str, Any], mask: dict[str, Any] | None) -> dict[str, Any]:
    """Return an annotation with the teacher's mask, if there is one of at least a pixel; without ``has_mask``."""
    plain = {key: value for key, value in annotation.items() if key != "has_mask"}
    area = 0 if mask is None else area_of(mask)
    return {**plain, "segmentation": mask, "area": float(area), MARK: True} if area else plain
