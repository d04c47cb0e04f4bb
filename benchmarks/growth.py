"""What a full score costs in time and memory as images and detections grow, and on a file as large as LVIS's.

Two series of COCO's classes: images with 100 detections each, and detections of 2,000 images. Then 20,000 images with
300 detections each and LVIS's 1,203 classes, federated, which has to be scored within 4 GB and 10 minutes; 500 of its
images are drawn and the others copies of them with other scores. Predictions are folders of Parquet files, boxes and
masks.

    python benchmarks/growth.py [scale=1.0] [lvis=1.0] [keep=FOLDER] [plot=docs/images/growth.png]

``scale=`` and ``lvis=`` take a share of the images; ``lvis=0`` leaves that part out.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from made_world import write_world
from measuring import CPU_OF_ALL, kept, numbers, run

from psis_bench.console import out
from psis_bench.splits.categories import COCO_NAMES

IMAGES = (500, 1000, 2000, 4000)
DETECTIONS = (25, 50, 100, 200)
FIXED_IMAGES, FIXED_DETECTIONS = 2000, 100
LVIS = {"images": 20_000, "detections": 300, "classes": 1203, "seconds": 600, "megabytes": 4096}

SCORE = (
    CPU_OF_ALL
    + """
import hotcoco, json, pyarrow.parquet, sys, tempfile, time
from pathlib import Path
from psis_bench.scoring.score import score_run
from psis_bench.splits import SplitProtocol
from psis_bench.splits.registry import get_split
split = get_split("voc2nonvoc")
if sys.argv[2] == "lvis":
    names = ["class_" + str(place) for place in range(int(sys.argv[3]))]
    split = SplitProtocol(
        name="drawn", version=1, seen=tuple(names[::2]), unseen=tuple(names[1::2]), description="", max_detections=300
    )
begin, busy = time.perf_counter(), busy_seconds()
folder = Path(sys.argv[1])
with tempfile.TemporaryDirectory() as name:
    scores = score_run(predictions=folder / "found", annotations=folder / "val.json", split=split, out=Path(name))
seconds, cpu = time.perf_counter() - begin, busy_seconds() - busy
print(json.dumps({"seconds": seconds, "cpu": cpu, "ap": scores.groups["all"].mask.ap}))
"""
)


def measured(folder: Path, kind: str, *, images: int, detections: int, classes: int = 80) -> dict[str, Any]:
    """Draw a world without masks on boxes, score it, and throw it away."""
    if kind == "lvis":
        frequency = [{"frequency": "rcf"[place % 3]} for place in range(classes)]
        categories = [
            {"id": place + 1, "name": f"class_{place}", "synset": f"class_{place}.n.01", **more}
            for place, more in enumerate(frequency)
        ]
        facts = {"neg_category_ids": list(range(100, 110)), "not_exhaustive_category_ids": [1, 2]}
        write_world(folder, images=images, detections=detections, categories=categories, objects=12.0, as_json=False,
                    other_classes=0.85, repeat=True, **facts)  # fmt: skip
    else:
        categories = [{"id": place, "name": name} for place, name in enumerate(COCO_NAMES, start=1)]
        write_world(folder, images=images, detections=detections, categories=categories, as_json=False)
    shutil.rmtree(folder / "found" / "gt_box_masks", ignore_errors=True)
    found = run(SCORE, str(folder), kind, str(classes))
    shutil.rmtree(folder)
    row = {"series": kind, "images": images, "detections": detections, **found}
    times = f"{row['seconds']:7.1f} s  {row['cpu']:7.1f} s of processors"
    out.print(f"{kind:<10} {images:>6,} x {detections:<4} {times}  {row['megabytes']:6.0f} MB")
    return row


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot processor time and memory against images and against detections."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8, 5.4), sharex="col", layout="constrained")
    for column, (series, key, label) in enumerate(
        (
            ("images", "images", f"images, {FIXED_DETECTIONS} detections each"),
            ("detections", "detections", f"detections of each of {rows[-1]['images']:,} images"),
        )
    ):
        chosen = sorted((row for row in rows if row["series"] == series), key=lambda row: row[key])
        for place, (value, unit, name) in enumerate(
            (("cpu", 1, "processor seconds"), ("megabytes", 1024, "peak memory, GB"))
        ):
            axis = axes[place, column]
            axis.plot([row[key] for row in chosen], [row[value] / unit for row in chosen], "o-", color="#2f6f9f")
            axis.set_ylim(0, 1.08 * max(row[value] for row in chosen) / unit)
            axis.set_xlim(0, 1.04 * chosen[-1][key])
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
            if not column:
                axis.set_ylabel(name)
        axes[1, column].set_xlabel(label)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments: list[str]) -> int:
    """Measure and plot; return 1 when the file of LVIS's size takes too much."""
    options = numbers(arguments, {"scale": 1.0, "lvis": 1.0, "keep": "", "plot": "docs/images/growth.png"})
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options["keep"] or name)
        if options["scale"]:
            for images in IMAGES:
                count = round(images * options["scale"])
                rows.append(measured(folder / "world", "images", images=count, detections=FIXED_DETECTIONS))
            for detections in DETECTIONS:
                count = round(FIXED_IMAGES * options["scale"])
                rows.append(measured(folder / "world", "detections", images=count, detections=detections))
            draw(rows, Path(options["plot"]))
        missed = False
        if options["lvis"]:
            count = round(LVIS["images"] * options["lvis"])
            row = measured(folder / "world", "lvis", images=count, detections=LVIS["detections"],
                           classes=LVIS["classes"])  # fmt: skip
            rows.append(row)
            missed = row["seconds"] > LVIS["seconds"] or row["megabytes"] > LVIS["megabytes"]
        if options["keep"]:
            kept(folder / "growth.json", rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
