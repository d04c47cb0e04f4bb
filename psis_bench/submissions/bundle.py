"""Making a submission: from a run, or from predictions of any software and a small YAML file.

What is written is scored from the predictions that are written, so that the numbers follow from the files.
"""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psis_bench.data.dataset_config import OnBadBoxes
from psis_bench.errors import UserError
from psis_bench.files import atomic_path, sha256_of_file, write_error, write_json
from psis_bench.run import RunDirectory
from psis_bench.scoring.results.extra_masks import MARK
from psis_bench.scoring.results.probe_mark import is_of_probe
from psis_bench.splits.protocol import SplitProtocol
from psis_bench.splits.registry import is_reserved
from psis_bench.submissions import reading, run_facts
from psis_bench.submissions.about import as_slug
from psis_bench.submissions.packing import write_predictions
from psis_bench.submissions.reading import InvalidFileError, Part
from psis_bench.submissions.schema import SCHEMA_VERSION, Metrics, Submission, place_of


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a submission is made from.

    Attributes:
        predictions: A prediction folder, or a COCO results file.
        annotations: What they are scored against.
        data: Name of the data set.
        on_bad_boxes: As the data set says.
        split: Which classes are seen and unseen.
        weights: The weights' file, if there is one.
        config: Content of ``config.json``; None writes none.
        environment: Content of ``environment.json``; None writes none.
        commit: Commit and whether the checkout had changes.
        known: What is known for the file that a person fills in.
    """

    predictions: Path
    annotations: Path
    data: str
    on_bad_boxes: OnBadBoxes
    split: SplitProtocol
    weights: Path | None = None
    config: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    commit: tuple[str | None, bool | None] = (None, None)
    known: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse predictions whose numbers stand in no row with others.

        Raises:
            UserError: They are of probe mode.
        """
        if is_of_probe(self.predictions):
            cure = "bundle a run of psis-bench run, or of a sweep without probe="
            raise UserError("these are of probe mode, another protocol", where=str(self.predictions), cure=cure)


def source_of_run(path: Path) -> Source:
    """Return what a finished run has to submit.

    Raises:
        UserError: The folder is no run, or has not been predicted.
    """
    run = RunDirectory.load(path)
    if not run.manifest.is_file():
        raise UserError("the run has no predictions", where=str(path), cure="finish it first: psis-bench run FOLDER")
    config, dataset = run.config, run.dataset
    _check_annotations(run)
    name = "-".join(part for part in (config.model, config.mask_head, config.crop_source) if part)
    settings = run_facts.settings_of(run)
    known = {
        "model": as_slug(name.replace("/", "-")),
        "title": name,
        "backbone": _backbone(settings),
        "mask_head": config.mask_head or _text_of(settings, "mask_head"),
        "parameters": run_facts.parameters_of(run),
        "mask_sources": run_facts.mask_sources_of(run),
        "extra_data": [],
        "seed": config.seed,
        "hardware": run_facts.hardware(),
        "hours": run_facts.hours_of(run),
        "software": run_facts.software_of(run),
        "authors": [],
    }
    return Source(
        predictions=run.predictions,
        annotations=dataset.val.annotations,
        data=as_slug(dataset.name),
        on_bad_boxes=dataset.on_bad_boxes,
        split=run.split,
        weights=run.final_weights if run.final_weights.is_file() else None,
        config=settings,
        environment=run_facts.environment(),
        commit=run_facts.code_state(),
        known=known,
    )


def bundle(
    source: Source,
    about: dict[str, Any],
    out: Path,
    *,
    seeds: list[int],
    with_weights: bool = False,
    replace: bool = False,
) -> Path:
    """Write a submission and return its folder, ``<out>/<split>@<version>/<model>/<seed>``.

    Args:
        source: What it is made from.
        about: See `psis_bench.submissions.about.read_about`.
        out: Folder of submissions.
        seeds: All seeds of the row.
        with_weights: Whether the weights are copied into it.
        replace: Whether a submission that is there already is replaced.

    Raises:
        UserError: Something does not fit together or cannot be written; nothing is left behind then.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".bundle-", dir=out))
    except OSError as error:
        raise write_error(out, error) from error
    try:
        submission = _write(source, about, temporary, seeds=seeds, with_weights=with_weights)
        target = out / place_of(submission)
        if target.exists() and not replace:
            cure = "add --replace to write it again, or choose another model or seed"
            raise UserError("there is a submission already", where=str(target), cure=cure)
        return put(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put(folder: Path, target: Path) -> Path:
    """Move a finished folder to its place; what is there is replaced.

    Raises:
        UserError: The place cannot be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)
        target.chmod(0o755)
    except OSError as error:
        raise write_error(target, error) from error
    return target


def pack(folder: Path) -> Path:
    """Pack a submission into a zip archive beside it and return its path."""
    path = folder.with_name(f"{folder.parent.parent.name}-{folder.parent.name}-{folder.name}.zip")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def _write(source: Source, about: dict[str, Any], folder: Path, *, seeds: list[int], with_weights: bool) -> Submission:
    from psis_bench.scoring.score import score_run

    files = write_predictions(
        source.predictions,
        folder / "predictions",
        annotations=source.annotations,
        split=source.split,
        on_bad_boxes=source.on_bad_boxes,
    )
    score_run(
        predictions=folder / "predictions",
        annotations=source.annotations,
        split=source.split,
        out=folder,
        on_bad_boxes=source.on_bad_boxes,
    )
    (folder / "scores.json").rename(folder / reading.METRICS)
    (folder / "per_instance.parquet").unlink()
    metrics = _model(folder / reading.METRICS, Metrics)
    sha256 = metrics.dataset.annotations_sha256
    text = _submission_json(source, about, seeds=seeds, files=files, annotations_sha256=sha256)
    write_json(folder / reading.SUBMISSION, text)
    for name, content in ((reading.CONFIG, source.config), (reading.ENVIRONMENT, source.environment)):
        if content is not None:
            write_json(folder / name, content)
    submission = _model(folder / reading.SUBMISSION, Submission)
    if with_weights and source.weights is not None:
        (folder / "weights").mkdir()
        shutil.copyfile(source.weights, folder / "weights" / submission.weights[0].name)
    return submission


def _model(path: Path, model: type[Part]) -> Part:
    try:
        return reading.read_model(path, model)
    except InvalidFileError as invalid:
        # Named by the field, not by the temporary folder: it comes from what the person wrote.
        first = invalid.problems[0]
        place = first.where.rpartition(f"{path.name}: ")[2]
        raise UserError(first.what, where=f"{path.name}: {place}", cure=first.cure) from None


def _submission_json(
    source: Source, about: dict[str, Any], *, seeds: list[int], files: list[dict[str, Any]], annotations_sha256: str
) -> dict[str, Any]:
    split = source.split
    definition = {
        "seen": split.seen,
        "unseen": split.unseen,
        "unseen_is_rest": split.unseen_is_rest,
        "max_detections": split.max_detections,
    }
    commit, dirty = source.commit
    paper = {name: about[f"paper_{name}"] for name in ("title", "url", "year")}
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "split": {
            "name": split.name,
            "version": split.version,
            "hash": split.hash(),
            "definition": None if is_reserved(split.name) else definition,
        },
        "dataset": {
            "name": source.data,
            "annotations_sha256": annotations_sha256,
            "on_bad_boxes": source.on_bad_boxes,
        },
        "model": {
            "name": about["model"],
            **{name: about[name] for name in ("title", "backbone", "mask_head", "parameters", "pretraining")},
        },
        "supervision": {"mask_sources": _mask_sources(source, about), "extra_data": about["extra_data"] or []},
        "training": {
            "seed": about["seed"],
            "seeds": seeds,
            **{name: about[name] for name in ("hardware", "hours", "ms_per_image")},
        },
        "code": {"software": about["software"], "commit": commit, "dirty": dirty, "url": about["code_url"]},
        "predictions": {"files": files, "url": about["predictions_url"]},
        "weights": _weights(source, about),
        "authors": about["authors"],
        "paper": paper if paper["title"] else None,
        "licence": about["licence"],
        "notes": about["notes"] or "",
    }


def _mask_sources(source: Source, about: dict[str, Any]) -> list[str]:
    """Return what the person has filled in, with the mark of extra mask data where it was taken out."""
    given: list[str] = about["mask_sources"]
    marks = [text for text in source.known.get("mask_sources", ()) if text.startswith(MARK)]
    return given if not marks or any(text.startswith(MARK) for text in given) else [*given, *marks]


def _weights(source: Source, about: dict[str, Any]) -> list[dict[str, Any]]:
    if source.weights is None:
        return []
    sha256 = sha256_of_file(source.weights)
    # Named with its hash, so that two files of one name are never mistaken for each other.
    name = f"{about['model']}-seed{about['seed']}-{sha256[:8]}.safetensors"[-84:]
    return [{"name": name, "bytes": source.weights.stat().st_size, "sha256": sha256, "url": about["weights_url"]}]


def _check_annotations(run: RunDirectory) -> None:
    """Refuse a run whose data set has become another one since it was predicted."""
    path = run.dataset.val.annotations
    made_for = json.loads(run.manifest.read_text(encoding="utf-8")).get("annotations_sha256")
    if not path.is_file() or made_for != sha256_of_file(path):
        what = "the predictions were made for other annotations than there are now"
        raise UserError(what, where=str(path), cure="predict again: psis-bench run FOLDER")


def _backbone(settings: dict[str, Any]) -> str | None:
    try:
        backbone = settings["mm"]["model"]["backbone"]
        return f"{backbone['type']}-{backbone['depth']}" if "depth" in backbone else str(backbone["type"])
    except (KeyError, TypeError):
        return None


def _text_of(settings: dict[str, Any], name: str) -> str | None:
    value = (settings["mm"] or {}).get(name)
    return value if isinstance(value, str) else None
