"""How far our arrays and numbers lie from the definitions': 0 is what is asked for."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from exactness import definitions
from exactness.problems import Rows, Truth
from psis_bench.data.lvis import read_federation
from psis_bench.scoring.detection.average_precision import (
    DetectionTables,
    evaluate_boundaries,
    evaluate_detections,
    tables_of,
)
from psis_bench.scoring.detection.class_agnostic import AgnosticEvaluation
from psis_bench.scoring.detection.curves import curves_of
from psis_bench.scoring.detection.lvis import evaluate_lvis
from psis_bench.scoring.detection.sides import detections_side, objects_side
from psis_bench.scoring.inputs.detections import Detections, read_detections
from psis_bench.scoring.inputs.ground_truth import GroundTruth, read_ground_truth
from psis_bench.scoring.inputs.records import records_of_results
from psis_bench.scoring.results.scores import AveragePrecision

COCO_ENGINES = ("hotcoco", "pycocotools", "own")
LVIS_ENGINES = ("hotcoco", "own")
_ARRAYS = ("precision", "recall", "scores")


@dataclass
class Tally:
    """What was compared, and what was not the same.

    Attributes:
        problems: Pairs of annotations and results.
        arrays: Arrays of precision, recall or score.
        numbers: Numbers of summaries.
        largest: The largest difference.
        different: Where there was one.
    """

    problems: int = 0
    arrays: int = 0
    numbers: int = 0
    largest: float = 0.0
    different: list[str] = field(default_factory=list)

    def array(self, ours: np.ndarray, theirs: np.ndarray, where: str) -> None:
        """Compare two arrays."""
        self.arrays += 1
        if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
            self.different.append(where)
            self.largest = max(self.largest, float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else 1.0)

    def number(self, ours: float | None, theirs: float | None, where: str) -> None:
        """Compare two numbers; None is -1 in the packages."""
        self.numbers += 1
        ours, theirs = (-1.0 if value is None else float(value) for value in (ours, theirs))
        if ours != theirs:
            self.different.append(where)
            self.largest = max(self.largest, abs(ours - theirs))


def sides(truth: Truth, results: Rows) -> tuple[GroundTruth, Detections]:
    """Return both sides as scoring reads them, but without the rules for annotation files, which allow less."""
    arrays = read_ground_truth(SimpleNamespace(path=Path("instances.json"), sha256="", **copy.deepcopy(truth)))
    return arrays, read_detections(records_of_results(results, sizes=arrays.sizes), arrays)


def coco(tally: Tally, truth: Truth, results: Rows, *, where: str, groups: Collection[Collection[int]] = ()) -> None:
    """Compare box AP and mask AP by every engine with pycocotools: arrays, all classes, groups, single classes."""
    arrays, detections = sides(truth, results)
    tally.problems += 1
    for measure in ("bbox", "segm"):
        whole = definitions.pycocotools_on(truth, results, measure)
        single = _singles(whole, arrays.category_ids.tolist())
        parts = [(ids, definitions.pycocotools_on(truth, results, measure, categories=ids)) for ids in groups]
        for engine in COCO_ENGINES:
            tables = _tables(arrays, detections, measure, engine)
            place = f"{where}, {measure}, {engine}"
            for name in _ARRAYS:
                tally.array(getattr(tables, name), whole.eval[name], f"{place}, {name}")
            for ids, reference in [(arrays.category_ids.tolist(), whole), *parts]:
                _twelve(tally, tables.summary(ids), reference.stats, f"{place}, classes {ids}")
            for category, ap in single.items():
                tally.number(tables.summary([category]).ap, ap, f"{place}, class {category}")


def lvis(tally: Tally, truth: Truth, results: Rows, *, where: str) -> None:
    """Compare LVIS's scores by every engine with the ``lvis`` package: arrays and all thirteen numbers."""
    arrays, detections = sides(truth, results)
    federation = read_federation(SimpleNamespace(path=Path("lvis.json"), **truth))
    best = detections.best_of_each_image(300)
    tally.problems += 1
    for measure in ("bbox", "segm"):
        reference = definitions.lvis_on(truth, results, measure)
        for engine in LVIS_ENGINES:
            tables = evaluate_lvis(arrays, best, federation, measure=measure, engine=_as_option(engine))
            place = f"{where}, {measure}, {engine}"
            for name in ("precision", "recall"):
                tally.array(getattr(tables, name)[..., 0], reference.eval[name], f"{place}, {name}")
            ours = tables.summary(arrays.category_ids.tolist())
            numbers = {f"AP{key}": getattr(ours, name) for key, name in _LVIS_NAMES.items()}
            numbers |= {"AR@300": ours.ar300, "ARs@300": ours.ar_small, "ARm@300": ours.ar_medium}
            numbers |= {"ARl@300": ours.ar_large}
            numbers |= {f"AP{name[0]}": tables.summary(ids).ap for name, ids in federation.groups().items()}
            assert numbers.keys() == reference.results.keys()
            for name, value in numbers.items():
                tally.number(value, reference.results[name], f"{place}, {name}")


def boundary(tally: Tally, truth: Truth, results: Rows, *, where: str) -> None:
    """Compare boundary AP with pycocotools on IoUs of full-size masks."""
    arrays, detections = sides(truth, results)
    tally.problems += 1
    whole = definitions.pycocotools_on(truth, results, "segm", kind=definitions.BoundaryEvaluation)
    tables = evaluate_boundaries(arrays, detections)
    for name in _ARRAYS:
        tally.array(getattr(tables, name), whole.eval[name], f"{where}, {name}")
    _twelve(tally, tables.summary(arrays.category_ids.tolist()), whole.stats, where)


def agnostic(tally: Tally, truth: Truth, results: Rows, *, where: str, group: Collection[int]) -> None:
    """Compare class-agnostic recall with plain loops, and that of all classes with pycocotools as well."""
    arrays, detections = sides(truth, results)
    tally.problems += 1
    for measure in ("bbox", "segm"):
        evaluation = AgnosticEvaluation(arrays, detections, measure=measure)
        every = arrays.category_ids.tolist()
        for ids in (every, list(group)):
            ours = evaluation.recall(ids).to_dict()
            for name, value in definitions.agnostic_recall(truth, results, measure, ids).items():
                tally.number(ours[name], value, f"{where}, {measure}, classes {ids}, {name}")
        recall = definitions.pycocotools_on(truth, results, measure, agnostic=True).eval["recall"]
        ours = evaluation.recall(every).to_dict()
        for place, limit in enumerate((10, 100, 300, 1000)):
            theirs = recall[:, 0, 0, place]
            there = theirs[theirs > -1]
            value = float(np.mean(there)) if there.size else None
            tally.number(ours[f"AR{limit}"], value, f"{where}, {measure}, pycocotools, AR{limit}")


_LVIS_NAMES = {"": "ap", "50": "ap50", "75": "ap75", "s": "ap_small", "m": "ap_medium", "l": "ap_large"}


def _twelve(tally: Tally, ours: AveragePrecision, theirs: Any, where: str) -> None:
    for (name, value), reference in zip(ours.to_dict().items(), theirs, strict=True):
        tally.number(value, reference, f"{where}, {name}")


def _singles(evaluation: Any, ids: list[int]) -> dict[int, float | None]:
    found = {}
    for place, category in enumerate(ids):
        values = evaluation.eval["precision"][:, :, place, 0, -1]
        found[category] = float(np.mean(values[values > -1])) if (values > -1).any() else None
    return found


def _as_option(engine: str) -> Any:
    # For LVIS, and boundaries, our own evaluation stands in where hotcoco does not.
    return "pycocotools" if engine == "own" else engine


def _tables(truth: GroundTruth, detections: Detections, measure: Any, engine: str) -> DetectionTables:
    if engine != "own":
        return evaluate_detections(truth, detections, iou_type=measure, engine=_as_option(engine))
    masks, limits = measure == "segm", (1, 10, 100)
    found = detections_side(truth, detections, masks=masks, by_class=True, limit=100)
    curves = curves_of(
        found,
        objects_side(truth, masks=masks, by_class=True),
        measure=measure,
        classes=len(truth.category_ids),
        images=len(truth.image_ids),
        limits=limits,
    )
    return tables_of(truth, curves, limits=limits, max_detections=100)
