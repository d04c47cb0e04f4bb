"""``make exactness``: the full comparison, as tables for docs/exactness.md. Exit code 1 where anything differs."""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from exactness import crops, differences, problems
from exactness.differences import Tally
from exactness.problems import Rows, Truth
from psis_bench.splits.categories import COCO_NAMES, VOC_NAMES

PACKAGES = ("hotcoco", "pycocotools", "lvis", "opencv-python-headless", "numpy")


def main() -> int:
    """Compare everything and write the tables to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500, help="randomised problems against pycocotools")
    parser.add_argument("--boxes", type=int, default=100_000, help="random boxes whose crops become run lengths")
    parser.add_argument("--data", type=Path, required=True, help="folder with coco_mini and lvis_mini")
    options = parser.parse_args()
    count = options.problems
    rows = [
        _row("COCO, randomised", "pycocotools", _coco(count)),
        _row("COCO, coco_mini", "pycocotools", _coco_mini(options.data)),
        _row("LVIS, randomised", "lvis", _lvis(2 * count // 5)),
        _row("LVIS, lvis_mini and 100 images of v0.5", "lvis", _lvis_real(options.data)),
        _row("boundary AP, randomised", "full-size masks", _boundary(count // 5)),
        _row("boundary AP, coco_mini", "full-size masks", _boundary_mini(options.data)),
        _row("class-agnostic recall, randomised", "plain loops, pycocotools", _agnostic(count)),
        _row("crops to run lengths, random boxes", "pycocotools on the pasted image", _crops(options.boxes)),
    ]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    _say(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {versions}.\n")
    _say("| what | held to | problems | arrays | numbers | different | largest difference |")
    _say("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    different = 0
    for name, reference, tally in rows:
        different += len(tally.different)
        numbers = f"{tally.problems:,} | {tally.arrays:,} | {tally.numbers:,} | {len(tally.different):,}"
        _say(f"| {name} | {reference} | {numbers} | {tally.largest:g} |")
    _say(f"\n| of the {count:,} randomised problems | have |\n| --- | ---: |")
    for feature, having in _features((truth, results) for _, truth, results in _made(problems.problem, count)).items():
        _say(f"| {feature} | {having} |")
    for place in [place for _, _, tally in rows for place in tally.different][:20]:
        sys.stderr.write(f"different: {place}\n")
    return 1 if different else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _row(name: str, reference: str, tally: Tally) -> tuple[str, str, Tally]:
    sys.stderr.write(f"{time.process_time():8.0f} s  {name}: {len(tally.different)} different\n")
    return name, reference, tally


def _made(make: Callable[[int], tuple[Truth, Rows]], count: int) -> Iterator[tuple[int, Truth, Rows]]:
    """Yield problems with results: pycocotools and lvis stop at an empty list."""
    made = ((seed, *make(seed)) for seed in itertools.count())
    return itertools.islice((problem for problem in made if problem[2]), count)


def _part(seed: int, truth: Truth) -> list[int]:
    ids = sorted(category["id"] for category in truth["categories"])
    return ids[seed % 2 :: 2] or ids


def _coco(count: int) -> Tally:
    tally = Tally()
    for seed, truth, results in _made(problems.problem, count):
        differences.coco(tally, truth, results, where=f"seed {seed}", groups=[_part(seed, truth)])
    return tally


def _coco_mini(data: Path) -> Tally:
    truth = problems.read(data / "coco_mini" / "annotations" / "instances_val.json")
    ids = {category["name"]: category["id"] for category in truth["categories"]}
    seen = [ids[name] for name in VOC_NAMES]
    unseen = [ids[name] for name in COCO_NAMES if name not in VOC_NAMES]
    tally = Tally()
    results = problems.perturbed(truth)
    results = problems.crowded(results, results[0]["image_id"], 150)
    differences.coco(tally, truth, results, where="coco_mini", groups=[seen, unseen])
    return tally


def _lvis(count: int) -> Tally:
    tally = Tally()
    for seed, truth, results in _made(problems.federated, count):
        differences.lvis(tally, truth, results, where=f"seed {seed}")
    return tally


def _lvis_real(data: Path) -> Tally:
    tally = Tally()
    for name in ("lvis_mini/lvis_v0.5_val_mini.json", "annotations/lvis_v0.5_val_100.json"):
        truth = problems.read(data / name)
        results = problems.perturbed(truth, wrong=2)
        results = problems.crowded(results, results[0]["image_id"], 420)
        differences.lvis(tally, truth, results, where=name)
    return tally


def _boundary(count: int) -> Tally:
    tally = Tally()
    for seed, truth, results in _made(problems.problem, count):
        differences.boundary(tally, truth, results, where=f"seed {seed}")
    return tally


def _boundary_mini(data: Path) -> Tally:
    tally = Tally()
    truth = problems.read(data / "coco_mini" / "annotations" / "instances_val.json")
    differences.boundary(tally, truth, problems.perturbed(truth), where="coco_mini")
    return tally


def _agnostic(count: int) -> Tally:
    tally = Tally()
    for seed, truth, results in _made(problems.problem, count):
        differences.agnostic(tally, truth, results, where=f"seed {seed}", group=_part(seed, truth))
    return tally


def _crops(count: int) -> Tally:
    tally = Tally()
    for number, problem in enumerate(crops.problems(count)):
        tally.problems += len(problem.crops)
        tally.arrays += len(problem.crops)
        tally.different += [f"image {number}, box {place}" for place in crops.different(problem)]
    return tally


def _features(made: Iterable[tuple[Truth, Rows]]) -> Counter[str]:
    """Count the problems that have each of the cases that evaluators go apart in."""
    counts: Counter[str] = Counter()
    for truth, results in made:
        counts.update(name for name, there in features(truth, results).items() if there)
    return counts


def features(truth: Truth, results: Rows) -> dict[str, bool]:
    """Tell which of the cases in which evaluators go apart a problem has."""
    drawn = truth["annotations"]
    forms = [row["segmentation"] for row in drawn]
    images, classes = ({row[key] for row in truth[part]} for part, key in (("images", "id"), ("categories", "id")))
    pairs = Counter((row["image_id"], row["category_id"]) for row in results)
    areas = [problems.to_rle(row["segmentation"], *row["segmentation"]["size"]) for row in results]
    scores = [row["score"] for row in results]
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    decoded = [problems.to_rle(row["segmentation"], *sizes[row["image_id"]]) for row in drawn]
    return {
        "a crowd": any(row.get("iscrowd") for row in drawn),
        "an image without annotations": bool(images - {row["image_id"] for row in drawn}),
        "an image without results": bool(images - {row["image_id"] for row in results}),
        "a class without annotations": bool(classes - {row["category_id"] for row in drawn}),
        "a class without results": bool(classes - {row["category_id"] for row in results}),
        "equal scores": len(set(scores)) < len(scores),
        "polygons of one part": any(isinstance(form, list) and len(form) == 1 for form in forms),
        "polygons of two parts": any(isinstance(form, list) and len(form) == 2 for form in forms),
        "an object without a pixel": not all(problems.pixels(rle) for rle in decoded),
        "RLE as a list of numbers": any(isinstance(form, dict) and isinstance(form["counts"], list) for form in forms),
        "RLE as text": any(isinstance(form, dict) and isinstance(form["counts"], str) for form in forms),
        "an object with a box of no area": any(not np.prod(row["bbox"][2:]) for row in drawn),
        "a result with a box of no area": any(not np.prod(row["bbox"][2:]) for row in results),
        "a result with a mask of no pixel": not all(problems.pixels(rle) for rle in areas),
        "more than 100 results of a class in an image": any(count > 100 for count in pairs.values()),
        "an object of 32² pixels": any(row["area"] == 32**2 for row in drawn),
        "an annotation of id 0": any(row["id"] == 0 for row in drawn),
    }


if __name__ == "__main__":
    sys.exit(main())
