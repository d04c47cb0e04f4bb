"""Masks against what one would use instead: IoU of pairs, and crops to run lengths.

One thread each; processor time, so that what else the machine does counts for little.

GT-box mIoU of 36,000 instances, 480 x 640 pixels:

* ``gt_box_ious``: what a score does: reads Parquet, checks every mask, compares it with the ground truth;
* ``IoU alone``: the same masks by hotcoco, checked before, as `gt_box_ious` does it;
* ``IoU alone, own``: by `psis_bench.run_lengths.pairwise_iou`, which takes over where hotcoco is missing;
* ``pycocotools``: ``pycocotools.mask.iou``, pair by pair, of the same compressed run lengths;
* ``decoded``: both masks decoded to full size, ``(a & b).sum() / (a | b).sum()``; of every tenth pair, times ten.

100 crops of 28 x 28 in an image of 1024 x 1024 pixels to compressed run lengths:

* ``encode_crops``: this package's;
* ``MMDetection``: its ``_do_paste_mask`` mask by mask, as on a CPU, and ``encode_mask_results``.

    python benchmarks/masks.py [rounds=5] [instances=36000] [keep=FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from made_world import write_world
from measuring import kept, median, numbers, ratio, run

from psis_bench.console import out
from psis_bench.splits.categories import COCO_NAMES

_WORLD = """
import json, sys, time
from pathlib import Path
import numpy as np
from psis_bench.data.coco_format import read_coco
from psis_bench.scoring.inputs.ground_truth import read_ground_truth
from psis_bench.scoring.inputs.records import read_parts
folder = Path(sys.argv[1])
truth = read_ground_truth(read_coco(folder / "val.json"))
parts = folder / "found" / "gt_box_masks"
def pairs():
    by_id = {}
    for records in read_parts(parts, kind="gt_box_masks"):
        by_id.update(zip(records.column("annotation_id").tolist(), records.mask_strings()))
    return [(by_id[int(i)], truth.strings[p]) for p, i in enumerate(truth.annotation_ids)]
size = [480, 640]
"""
_TELL = 'print(json.dumps({"seconds": seconds, "mean": float(np.mean(ious))}))\n'
SCRIPTS = {
    "gt_box_ious": _WORLD
    + """
import hotcoco, pyarrow.parquet
from psis_bench.scoring.masks.gt_box_iou import gt_box_ious
begin = time.process_time()
ious = gt_box_ious(read_parts(parts, kind="gt_box_masks"), truth)
seconds = time.process_time() - begin
"""
    + _TELL,
    "IoU alone": _WORLD
    + """
from psis_bench.scoring.engine import hotcoco_is_usable
from psis_bench.scoring.masks.gt_box_iou import paired_ious
assert hotcoco_is_usable("hotcoco")
first, second = zip(*pairs())
sizes = np.tile([size], (len(first), 1))
begin = time.process_time()
ious = paired_ious(first, second, sizes)
seconds = time.process_time() - begin
"""
    + _TELL,
    "IoU alone, own": _WORLD
    + """
from psis_bench.run_lengths import pairwise_iou
from psis_bench.scoring.inputs.ground_truth import decode_masks
first, second = zip(*pairs())
pixels = np.full(len(first), 480 * 640)
first, second = decode_masks(first, pixels), decode_masks(second, pixels)
begin = time.process_time()
ious = pairwise_iou(first, second)
seconds = time.process_time() - begin
"""
    + _TELL,
    "pycocotools": _WORLD
    + """
from pycocotools import mask
rles = [({"size": size, "counts": a}, {"size": size, "counts": b}) for a, b in pairs()]
begin = time.process_time()
ious = [mask.iou([a], [b], [0])[0, 0] for a, b in rles]
seconds = time.process_time() - begin
"""
    + _TELL,
    "decoded": _WORLD
    + """
from pycocotools import mask
rles = [({"size": size, "counts": a}, {"size": size, "counts": b}) for a, b in pairs()][::10]
ious = []
begin = time.process_time()
for a, b in rles:
    a, b = mask.decode(a).astype(bool), mask.decode(b).astype(bool)
    ious.append((a & b).sum() / (a | b).sum())
seconds = 10 * (time.process_time() - begin)
"""
    + _TELL,
}
_CROPS = """
import json, time
import numpy as np, torch
import psis_bench.models.registered
torch.set_num_threads(1)
draw = np.random.default_rng(0)
N, S, SIDE = 100, 28, 1024
sides = np.clip(np.exp(draw.normal(np.log(120), 0.9, (N, 2))), 4, 1000)  # mean area 0.06 of the image's
corners = draw.uniform(0, 1, (N, 2)) * (SIDE - sides)
boxes = torch.from_numpy(np.concatenate([corners, corners + sides], axis=1).astype(np.float32))
y, x = np.mgrid[:S, :S] / (S - 1) * 2 - 1
radius = 0.8 + draw.normal(0, 0.1, (N, 1, 1)) + 0.15 * np.sin(3 * x + draw.uniform(0, 6, (N, 1, 1)))
crops = torch.from_numpy((1 / (1 + np.exp(8 * (np.hypot(x, y) - radius)))).astype(np.float32))
"""
CROP_SCRIPTS = {
    "encode_crops": _CROPS
    + """
from psis_bench.models.crop_encoding import encode_crops
encode = lambda: encode_crops(crops, boxes, height=SIDE, width=SIDE)
""",
    "MMDetection": _CROPS
    + """
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from mmdet.structures.mask import encode_mask_results
def encode():
    images = torch.zeros(N, SIDE, SIDE, dtype=torch.bool)
    for place in range(N):
        values, where = _do_paste_mask(crops[place][None, None], boxes[place][None], SIDE, SIDE, skip_empty=True)
        images[(slice(place, place + 1), *where)] = values >= 0.5
    return encode_mask_results(images.numpy())
""",
}
_TIMED = """
encode()
times = []
for _ in range(7):
    begin = time.process_time()
    codes = encode()
    times.append(time.process_time() - begin)
print(json.dumps({"seconds": float(np.median(times))}))
"""


def main(arguments: list[str]) -> int:
    """Measure; return 1 when a target is missed."""
    options = numbers(arguments, {"rounds": 5, "instances": 36000, "keep": ""})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options["keep"] or name)
        categories = [{"id": place, "name": name} for place, name in enumerate(COCO_NAMES, start=1)]
        write_world(folder, images=round(options["instances"] / 7.2), detections=1, categories=categories)
        crop_scripts = {key: script + _TIMED for key, script in CROP_SCRIPTS.items()}
        scripts = {**SCRIPTS, **crop_scripts}
        rounds = []
        for _ in range(options["rounds"]):
            rounds.append({key: run(script, str(folder)) for key, script in scripts.items()})
        rounds = kept(folder / "masks.json", rounds)
    for key in scripts:
        memory = max(entry[key]["megabytes"] for entry in rounds)
        mean = f"  mean IoU {rounds[-1][key]['mean']:.6f}" if "mean" in rounds[-1][key] else ""
        out.print(f"{key:<15} {median(rounds, key):8.3f} s  {memory:6.0f} MB{mean}")
    missed = False
    for slow, fast, least in (
        ("pycocotools", "IoU alone", 3.0),
        ("pycocotools", "IoU alone, own", 0.0),
        ("pycocotools", "gt_box_ious", 0.0),
        ("decoded", "gt_box_ious", 50.0),
        ("MMDetection", "encode_crops", 10.0),
    ):
        times = ratio(rounds, slow, fast)
        missed |= times < least
        target = f" (at least {least:g})" if least else ""
        out.print(f"{slow} takes {times:.1f} times as long as {fast}{target}", soft_wrap=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
