"""Predicting again: from the weights of a submission, and from a training of one's own.

A submission's settings are data. They choose among the configurations of this checkout and may change numbers in them;
a text in an override could name any function of any package, so that one with texts is left to a person.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.config import CROP_SOURCES, RunConfig
from psis_bench.config_listing import config_names
from psis_bench.data.problems import Problem
from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_file
from psis_bench.submissions import reading, rescoring
from psis_bench.submissions.consistency import Parts, protocol_of
from psis_bench.submissions.schema import Metrics
from psis_bench.submissions.weights_header import read_weights_header

if TYPE_CHECKING:
    from psis_bench.submissions.validation import Options

REPREDICTED_TOLERANCE = 1e-3
"""Difference of a group's score that another processor or version of torch may cause (0.1 where scores are x 100)."""

RETRAINED_TOLERANCE = 1e-2
"""Difference of a group's score between two trainings; published repetitions differ by about 0.3 AP (protocol 8.2)."""

_PATH = re.compile(r"\+?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")
_BY_HAND = "re-predict it by hand from a configuration that you have read"


def repredict(parts: Parts, problems: list[Problem], *, options: Options) -> float | None:
    """Predict with the weights of a submission and compare the scores with its own.

    Args:
        parts: The submission, found valid.
        problems: Takes what is wrong.
        options: Where data and weights are.

    Returns:
        The largest difference of a group's score; None when nothing could be predicted.
    """
    try:
        config = safe_config(parts)
        weights = _weights_of(parts, options)
        with tempfile.TemporaryDirectory(prefix="psis_bench_") as folder:
            _predict(parts, config, weights, Path(folder), options)
            found = _rescored(parts, Path(folder), options)
    except UserError as error:
        problems.append(Problem(where=error.where or "weights", what=error.what, cure=error.cure or _BY_HAND))
        return None
    where = f"{parts.folder / reading.METRICS}"
    differing, largest = rescoring.differences_of_metrics(
        parts.metrics, found, where=where, tolerance=REPREDICTED_TOLERANCE
    )
    problems += [
        Problem(where=p.where, what=f"{p.what.replace('predictions', 'weights')}", cure=p.cure) for p in differing
    ]
    return largest


def compare_with_training(parts: Parts, problems: list[Problem], *, run_folder: Path, options: Options) -> float | None:
    """Compare a submission with a finished run of the same settings that somebody else trained.

    Args:
        parts: The submission, found valid.
        problems: Takes what is wrong.
        run_folder: The run.
        options: Where the data are.

    Returns:
        The largest difference of a group's score; None when the run is of something else.
    """
    from psis_bench.run import RunDirectory
    from psis_bench.submissions.run_facts import settings_of

    try:
        run = RunDirectory.load(run_folder)
        mine, theirs = settings_of(run)["run"], reading.read_record(parts.folder / reading.CONFIG).get("run")
        differing = [key for key in mine if not isinstance(theirs, dict) or mine[key] != theirs.get(key)]
        differing = [key for key in differing if key not in ("seed", "data")]
        if differing or run.split.hash() != parts.submission.split.hash:
            named = ", ".join(differing) or "split"
            raise UserError(f"the run has another {named}", where=str(run_folder), cure="train with these settings")
        found = _rescored(parts, run.predictions, options)
    except reading.InvalidFileError as invalid:
        problems += invalid.problems
        return None
    except UserError as error:
        problems.append(Problem(where=error.where or str(run_folder), what=error.what, cure=error.cure or ""))
        return None
    where = f"{parts.folder / reading.METRICS}"
    differences, largest = rescoring.differences_of_metrics(
        parts.metrics, found, where=where, tolerance=RETRAINED_TOLERANCE
    )
    problems += [
        Problem(where=p.where, what=p.what.replace("the predictions give", "retraining gave"), cure="tell the authors")
        for p in differences
    ]
    return largest


def safe_config(parts: Parts) -> RunConfig:
    """Return the settings of a submission when they name only configurations of this checkout, and numbers.

    Raises:
        UserError: Names the setting that is refused.
    """
    path = parts.folder / reading.CONFIG
    where = f"{path}: run"
    if not path.is_file():
        raise UserError("is missing", where=str(path), cure="only a run of this package can be re-predicted")
    try:
        said = reading.read_record(path).get("run")
    except reading.InvalidFileError as invalid:
        raise invalid.problems[0].error() from invalid
    if not isinstance(said, dict):
        raise UserError("is missing", where=where, cure=_BY_HAND)
    for key, kind, optional in (("model", "models", False), ("mask_head", "mask_heads", True)):
        value, names = said.get(key), config_names(kind)
        if value not in names and not (optional and value is None):
            raise UserError(
                f"{ascii(value)[:80]} is no configuration of this checkout", where=f"{where}.{key}", cure=_BY_HAND
            )
    if said.get("crop_source") not in (None, *CROP_SOURCES):
        cure = did_you_mean(str(said["crop_source"])[:40], CROP_SOURCES)
        raise UserError("is no crop source", where=f"{where}.crop_source", cure=cure)
    overrides = said.get("mm") or {}
    if not isinstance(overrides, dict):
        raise UserError("is no object", where=f"{where}.mm", cure=_BY_HAND)
    for name, value in overrides.items():
        if not _PATH.fullmatch(name) or "type" in name.split(".") or not _is_numeric(value):
            raise UserError(
                "is an override of more than a number", where=f"{where}.mm.{ascii(name)[:80]}", cure=_BY_HAND
            )
    return RunConfig(
        split=parts.submission.split.name,
        model=said["model"],
        mask_head=said.get("mask_head"),
        crop_source=said.get("crop_source"),
        mm=overrides,
    )


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 16 and all(isinstance(item, int | float) for item in value)
    return isinstance(value, int | float)


def _weights_of(parts: Parts, options: Options) -> Path:
    """Return the file of the weights, its hash compared and its format checked."""
    listed = {file.sha256: file for file in parts.submission.weights}
    own = [parts.folder / "weights" / file.name for file in parts.submission.weights]
    path = options.weights or next((path for path in own if path.is_file()), None)
    if path is None:
        url = next((file.url for file in parts.submission.weights if file.url), None)
        place = f"get them from {url} and " if url else ""
        raise UserError("the submission holds no weights", where="weights", cure=f"{place}give them with weights=FILE")
    if not path.is_file():
        raise UserError("no such file", where=str(path), cure="give the weights with weights=FILE")
    if sha256_of_file(path) not in listed:
        raise UserError("is none of the weights of the submission", where=str(path), cure="give the right file")
    if path.suffix != ".safetensors":
        raise UserError("is no .safetensors file", where=str(path), cure="nothing else is loaded")
    read_weights_header(path)
    return path


def _predict(parts: Parts, config: RunConfig, path: Path, folder: Path, options: Options) -> None:
    from psis_bench.data.coco_format import read_coco
    from psis_bench.pipeline import require_torch
    from psis_bench.run import Stage

    require_torch(Stage.PREDICT)
    engine = importlib.import_module("psis_bench.engine.predict")
    checkpoints = importlib.import_module("psis_bench.engine.checkpoints")
    compose = importlib.import_module("psis_bench.models.compose")
    device = importlib.import_module("psis_bench.engine.device").use_device(options.device, 0)
    val = options.source.dataset_for(parts.submission).val
    coco = read_coco(val.annotations, images=val.images, on_bad_boxes=parts.submission.dataset.on_bad_boxes)
    weights = checkpoints.load_weights(path)
    if weights.classes is None:
        raise UserError("do not say which classes they are for", where=str(path), cure=_BY_HAND)
    limit = protocol_of(parts.submission).max_detections
    composed = compose.compose_run(config, classes=weights.classes, max_detections=limit)
    predictor = engine.load_predictor(composed, weights, device=device, where=str(path))
    if predictor.has_detector:
        predictor.category_ids = engine.labels_to_categories(
            weights.classes, coco.categories, where=str(val.annotations)
        )
    engine.predict_dataset(
        predictor,
        coco=coco,
        images=val.images,
        pipeline=composed.test_pipeline,
        folder=folder,
        workers=1,
        images_per_part=composed.test_images_per_part,
    )


def _rescored(parts: Parts, predictions: Path, options: Options) -> Metrics:
    return rescoring.rescore(
        predictions,
        annotations=options.source.path_for(parts.submission),
        on_bad_boxes=parts.submission.dataset.on_bad_boxes,
        split=protocol_of(parts.submission),
        said=parts.metrics,
    ).metrics
