"""A full score against MMDetection's CocoMetric over three class groups, and against hotcoco alone.

5,000 images, 100 detections each, about 36,000 instances. Timed is the work, without the start of Python. All give box
and mask AP of all, seen and unseen classes and of every class:

* ``psis_bench``: `score_run` of a prediction folder, Parquet; besides, it checks everything, takes the trivial rows
  (full box and ellipse), and writes every file of a score;
* ``psis_bench of JSON``: the same of the results file that the others read;
* ``hotcoco``: reads annotations and results as JSON, unchecked, evaluates boxes and masks once over all classes, and
  averages slices of its arrays: what somebody does who knows that one evaluation is enough;
* ``hotcoco by group``: the same with an evaluation for each group, its ``catIds`` restricted, as its interface has it;
* ``CocoMetric``: what a user of MMDetection does for three groups of classes: the metric once for each, on the results
  that it has gathered in memory, boxes and masks, ``classwise=True``.

    python benchmarks/full_score.py [rounds=5] [images=5000] [detections=100] [keep=FOLDER] [without=CocoMetric]

``keep=`` leaves data and results there, and further rounds are added to them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from made_world import write_world
from measuring import CPU_OF_ALL, kept, median, numbers, ratio, run

from psis_bench.console import out
from psis_bench.splits.categories import COCO_NAMES

BY_GROUP = "hotcoco by group"
OF_JSON = "psis_bench of JSON"
_WAYS = {BY_GROUP: "groups", OF_JSON: "json"}
PSIS_BENCH = (
    CPU_OF_ALL
    + """
import hotcoco, json, pyarrow.parquet, sys, tempfile, time
from pathlib import Path
from psis_bench.scoring.score import score_run
from psis_bench.splits.registry import get_split
folder = Path(sys.argv[1])
found = folder / ("results.json" if sys.argv[3] == "json" else "only_detections")
begin, busy = time.perf_counter(), busy_seconds()
with tempfile.TemporaryDirectory() as name:
    scores = score_run(
        predictions=found, annotations=folder / "val.json", split=get_split("voc2nonvoc"), out=Path(name)
    )
seconds, cpu = time.perf_counter() - begin, busy_seconds() - busy
print(json.dumps({"seconds": seconds, "cpu": cpu, "ap": scores.groups["all"].mask.ap,
                  **{name: group.mask.ap for name, group in scores.groups.items()}}))
"""
)
HOTCOCO = """
import json, sys, time
from hotcoco import COCO, COCOeval
from psis_bench.splits.categories import COCO_NAMES, VOC_NAMES
numbers = {name: place for place, name in enumerate(COCO_NAMES, 1)}
seen = [numbers[name] for name in VOC_NAMES]
groups = {"all": list(numbers.values()), "seen": seen, "unseen": sorted(set(numbers.values()) - set(seen))}
begin, busy = time.perf_counter(), time.process_time()
truth = COCO(sys.argv[1] + "/val.json")
found = truth.load_res(sys.argv[1] + "/results.json")
aps = {}

def evaluated(kind, ids):
    evaluation = COCOeval(truth, found, kind)
    evaluation.params.cat_ids = ids
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval["precision"]

def mean(values):
    there = values[values > -1]
    return float(there.mean()) if there.size else None

for kind in ("bbox", "segm"):
    P = evaluated(kind, groups["all"])
    for name, ids in groups.items():
        of_group = evaluated(kind, ids) if sys.argv[3] == "groups" and name != "all" else P
        places = range(of_group.shape[2]) if of_group is not P else [number - 1 for number in ids]
        aps[kind, name] = mean(of_group[:, :, places, 0, 2])
    for number in groups["all"]:
        aps[kind, number] = mean(P[:, :, number - 1, 0, 2])
seconds, cpu = time.perf_counter() - begin, time.process_time() - busy
told = {name: aps["segm", name] for name in groups}
print(json.dumps({"seconds": seconds, "cpu": cpu, "ap": told["all"], **told}))
"""
COCO_METRIC = """
import contextlib, io, json, sys, time
import numpy as np
import psis_bench.models.registered
from mmdet.evaluation import CocoMetric
from psis_bench.splits.categories import COCO_CATEGORIES, COCO_NAMES, VOC_NAMES
ids = {name: place for place, name in enumerate(COCO_NAMES, 1)}
images = {}
for row in json.load(open(sys.argv[1] + "/results.json")):
    images.setdefault(row["image_id"], []).append(row)

from pycocotools import mask as coco_mask

def gathered(names):
    labels = {ids[name]: label for label, name in enumerate(names)}
    results = []
    for image in range(1, int(sys.argv[2]) + 1):
        rows = [row for row in images.get(image, []) if row["category_id"] in labels]
        masks = [row["segmentation"] for row in rows]
        boxes = coco_mask.toBbox(masks).reshape(-1, 4) if masks else np.zeros((0, 4))
        boxes[:, 2:] += boxes[:, :2]
        prediction = {
            "img_id": image, "bboxes": boxes, "masks": masks,
            "scores": np.array([row["score"] for row in rows]),
            "labels": np.array([labels[row["category_id"]] for row in rows], int),
        }
        results.append(({"img_id": image, "width": 640, "height": 480}, prediction))
    return results

unseen = [name for name in COCO_NAMES if name not in VOC_NAMES]
seconds = cpu = 0.0
for names in (COCO_NAMES, VOC_NAMES, unseen):
    results = gathered(names)
    begin, busy = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        metric = CocoMetric(ann_file=sys.argv[1] + "/val.json", metric=["bbox", "segm"], classwise=True)
        metric.dataset_meta = {"classes": tuple(names)}
        found = metric.compute_metrics(results)
    seconds += time.perf_counter() - begin
    cpu += time.process_time() - busy
    ap = found["segm_mAP"] if names is COCO_NAMES else ap
print(json.dumps({"seconds": seconds, "cpu": cpu, "ap": float(ap)}))
"""


def main(arguments: list[str]) -> int:
    """Measure; return 1 when a target is missed."""
    options = numbers(arguments, {"rounds": 5, "images": 5000, "detections": 100, "keep": "", "without": ""})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options["keep"] or name)
        categories = [{"id": place, "name": name} for place, name in enumerate(COCO_NAMES, start=1)]
        write_world(folder, images=options["images"], detections=options["detections"], categories=categories)
        (folder / "only_detections").mkdir(exist_ok=True)
        link = folder / "only_detections" / "detections"
        if not link.exists():
            link.symlink_to((folder / "found" / "detections").resolve())
        scripts = {"psis_bench": PSIS_BENCH, OF_JSON: PSIS_BENCH, "hotcoco": HOTCOCO, BY_GROUP: HOTCOCO}
        scripts["CocoMetric"] = COCO_METRIC
        scripts = {key: script for key, script in scripts.items() if key not in options["without"].split(",")}
        rounds = []
        for _ in range(options["rounds"]):
            given = (str(folder), str(options["images"]))
            rounds.append({key: run(script, *given, _WAYS.get(key, "once")) for key, script in scripts.items()})
        rounds = kept(folder / "full_score.json", rounds)
    for key in rounds[-1]:
        memory = max(entry[key]["megabytes"] for entry in rounds if key in entry)
        seconds, cpu = median(rounds, key), median(rounds, key, "cpu")
        ap = rounds[-1][key]["ap"]
        out.print(
            f"{key:<18} {seconds:8.2f} s  {cpu:8.2f} s of processors  {memory:6.0f} MB  mask AP {ap:.6f}",
            soft_wrap=True,
        )
    for key in [key for key in rounds[-1] if key != "psis_bench"]:
        times = median(rounds, "psis_bench", "cpu") / median(rounds, key, "cpu")
        out.print(f"psis_bench takes {times:.2f} times the processor time of {key}")
    over_hotcoco = ratio(rounds, "psis_bench", "hotcoco")
    out.print(f"psis_bench takes {over_hotcoco:.2f} times as long as hotcoco alone (at most 1.5)")
    with_metric = [entry for entry in rounds if "CocoMetric" in entry]
    if not with_metric:
        return int(over_hotcoco > 1.5)
    times = ratio(with_metric, "CocoMetric", "psis_bench")
    out.print(f"CocoMetric over three groups takes {times:.1f} times as long as psis_bench (at least 15)")
    return int(times < 15 or over_hotcoco > 1.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
