"""What checking a submission costs over the evaluator alone; the target is 1.3 times.

Draws annotations and predictions of so many images and detections an image, bundles them, and times in turn, each in a
process of its own, start of Python included, by the clock and in CPU time, which hardly depends on what else runs:

* ``hotcoco``: reads annotations and results as JSON and evaluates boxes and masks, over all classes;
* ``score``: ``psis_bench.scoring.score.score_run`` of the same predictions, with groups, classes and trivial rows;
* ``validate``: ``psis-bench validate`` of the submission: hashes, limits, a process of its own, ``score``, comparison.

Masks are ellipses, moved and stretched; detections beyond the objects are moved further.

    python benchmarks/rescoring.py [images=5000] [detections=100] [rounds=5]
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.console import out, progress
from psis_bench.rle import encode_crop
from psis_bench.scoring.inputs.records import write_part
from psis_bench.splits.categories import COCO_NAMES
from psis_bench.splits.registry import get_split
from psis_bench.submissions.bundle import Source, bundle

OBJECTS = 7  # an image of COCO val has 7.3
HEIGHT, WIDTH = 480, 640
RATIO = 1.3

HOTCOCO = """
import sys
from hotcoco import COCO, COCOeval
truth = COCO(sys.argv[1])
found = truth.load_res(sys.argv[2])
for kind in ("bbox", "segm"):
    evaluation = COCOeval(truth, found, kind)
    evaluation.evaluate()
    evaluation.accumulate()
"""
SCORE = """
import sys
from pathlib import Path
from psis_bench.scoring.score import score_run
from psis_bench.splits.registry import get_split
score_run(predictions=Path(sys.argv[2]), annotations=Path(sys.argv[1]), split=get_split("voc2nonvoc"), out=None)
"""


def ellipse(box: tuple[int, int, int, int]) -> str:
    """Return the run lengths of the ellipse inscribed in a box (x, y, width, height)."""
    x, y, width, height = box
    rows, columns = np.ogrid[:height, :width]
    inside = ((rows + 0.5) / height * 2 - 1) ** 2 + ((columns + 0.5) / width * 2 - 1) ** 2 <= 1
    return encode_crop(inside, x=x, y=y, height=HEIGHT, width=WIDTH)


def draw_box(generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a box of COCO-like size inside the image."""
    width, height = (int(side) for side in np.clip(np.exp(generator.normal(4.2, 0.9, 2)), 4, 400))
    return int(generator.integers(0, WIDTH - width)), int(generator.integers(0, HEIGHT - height)), width, height


def moved(box: tuple[int, int, int, int], by: float, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Move and stretch a box by about a share of its size, inside the image."""
    x, y, width, height = box
    width, height = (max(3, round(side * float(np.exp(generator.normal(0, by))))) for side in (width, height))
    x = round(x + float(generator.normal(0, by)) * width)
    y = round(y + float(generator.normal(0, by)) * height)
    return min(max(x, 0), WIDTH - 3), min(max(y, 0), HEIGHT - 3), min(width, WIDTH - 3), min(height, HEIGHT - 3)


def write_world(folder: Path, images: int, detections: int) -> None:
    """Write ``val.json``, ``results.json`` and the prediction folder ``found``."""
    generator = np.random.default_rng(0)
    annotations: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with progress("draw", total=images) as bar:
        for image in range(1, images + 1):
            objects = [(draw_box(generator), int(generator.integers(1, 81))) for _ in range(OBJECTS)]
            for box, category in objects:
                mask = {"size": [HEIGHT, WIDTH], "counts": ellipse(box)}
                record = {"id": len(annotations) + 1, "image_id": image, "category_id": category, "iscrowd": 0}
                annotations.append({**record, "bbox": list(box), "area": box[2] * box[3] * 0.78, "segmentation": mask})
            for place in range(detections):
                box, category = objects[place % OBJECTS]
                box = moved(box, 0.1 if place < OBJECTS else 0.6, generator)
                row = {"image_id": image, "category_id": category, "score": float(generator.random())}
                rows.append({**row, "bbox": [float(side) for side in box], "mask": ellipse(box)})
            bar.advance()
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in range(1, images + 1)],
        "categories": [{"id": place, "name": name} for place, name in enumerate(COCO_NAMES, start=1)],
        "annotations": annotations,
    }
    (folder / "val.json").write_text(json.dumps(content))
    size = {"height": HEIGHT, "width": WIDTH}
    write_part(folder / "found" / "detections", 0, [row | size for row in rows], kind="detections")
    results = [
        {
            **{key: row[key] for key in ("image_id", "category_id", "score")},
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": row["mask"]},
        }
        for row in rows
    ]
    (folder / "results.json").write_text(json.dumps(results))


def make_submission(folder: Path) -> Path:
    """Bundle the predictions."""
    source = Source(
        predictions=folder / "found",
        annotations=folder / "val.json",
        data="drawn",
        on_bad_boxes="error",
        split=get_split("voc2nonvoc"),
    )
    empty = dict.fromkeys(("mask_head", "parameters", "extra_data", "hours", "ms_per_image", "notes", "weights_url"))
    empty |= dict.fromkeys(("code_url", "predictions_url", "paper_title", "paper_url", "paper_year"))
    texts = dict.fromkeys(("title", "backbone", "pretraining", "hardware", "software", "licence"), "none")
    about = {**empty, **texts, "model": "ellipses", "mask_sources": ["none"], "authors": ["none"], "seed": 0}
    return bundle(source, about, folder / "submissions", seeds=[0])


def seconds(command: list[str]) -> tuple[float, float]:
    """Return the wall-clock time and the CPU time of a command and its processes."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: list[str]) -> int:
    """Measure; return 1 when checking takes more than the target."""
    numbers = {"images": 5000, "detections": 100, "rounds": 5}
    numbers |= {key: int(text) for key, _, text in (argument.partition("=") for argument in arguments)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(folder, numbers["images"], numbers["detections"])
        submission, truth = make_submission(folder), str(folder / "val.json")
        python = sys.executable
        commands = {
            "hotcoco": [python, "-c", HOTCOCO, truth, str(folder / "results.json")],
            "score": [python, "-c", SCORE, truth, str(submission / "predictions")],
            "validate": [python, "-m", "psis_bench.cli", "validate", str(submission), f"data={truth}", "zoo=none"],
        }
        times: dict[str, list[float]] = {key: [] for key in commands}
        cpu: dict[str, list[float]] = {key: [] for key in commands}
        for _ in range(numbers["rounds"]):
            for key, command in commands.items():
                wall, used = seconds(command)
                times[key].append(wall)
                cpu[key].append(used)
    for name, measured in (("by the clock", times), ("CPU", cpu)):
        for key, values in measured.items():
            ratios = [mine / theirs for mine, theirs in zip(measured["validate"], values, strict=True)]
            line = f"{key:<9} {statistics.median(values):7.2f} s {name}, validate takes"
            out.print(f"{line} {statistics.median(ratios):.2f} times that ({min(ratios):.2f} to {max(ratios):.2f})")
    ratio = statistics.median(mine / theirs for mine, theirs in zip(times["validate"], times["score"], strict=True))
    return 0 if ratio <= RATIO else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
