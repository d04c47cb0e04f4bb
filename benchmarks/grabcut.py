"""What a second GrabCut process brings and what each costs: the targets are 1.8 times and 64 MB.

Segments the ground-truth boxes of some images of a data set with one process and with two, in turn, each with a pool
of its own, from reading the images to the last mask; the start of the processes is left out. Memory is what a process
has at most for itself: its highest resident size (``VmHWM``) less the pages of files (``RssFile``), which are those of
NumPy's and OpenCV's libraries and are in memory once for all processes. The image itself stays in the main process.

    python benchmarks/grabcut.py data=coco data.root=/path/to/coco [images=40] [rounds=3]
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from psis_bench.commands.arguments import read_arguments
from psis_bench.console import out, progress
from psis_bench.data.coco_format import read_coco
from psis_bench.data.dataset_config import get_dataset
from psis_bench.grabcut.cut import CutSettings
from psis_bench.grabcut.pool import GrabCutPool

SETTINGS = CutSettings(iterations=5, margin=0.5, least_margin=10, max_pixels=40000, least_background=0.05, rim=0.05)
RATIO, MEGABYTES = 1.8, 64


def tasks(name: str, root: str | None, count: int) -> list[tuple[Path, Any]]:
    """Return image files with their boxes (N, 4) xyxy."""
    val = get_dataset(name, root=root).val
    coco = read_coco(val.annotations)
    boxes: dict[int, list[list[float]]] = {}
    for one in coco.annotations:
        if not one.get("iscrowd", 0):
            x, y, width, height = one["bbox"]
            boxes.setdefault(one["image_id"], []).append([x, y, x + width, y + height])
    chosen = [image for image in coco.images if image["id"] in boxes][:count]
    return [(val.images / image["file_name"], np.array(boxes[image["id"]])) for image in chosen]


class Measured(NamedTuple):
    """One measurement: seconds, most megabytes of a process (own, files), share of the work in processes, masks."""

    seconds: float
    megabytes: tuple[float, float]
    shared: float
    masks: str


def measure(work: list[tuple[Path, Any]], processes: int) -> Measured:
    """Measure with so many processes."""
    pool = GrabCutPool(SETTINGS, processes=processes)
    while len(pool.process_ids) < processes:
        for task in pool.submit(np.zeros((9, 9, 3), np.uint8), np.tile([2.0, 2, 7, 7], (8, 1))):
            task.result()
    begin, main_before = time.perf_counter(), processor_seconds("self")
    before = sum(map(processor_seconds, pool.process_ids))
    futures = [task for path, boxes in work for task in pool.submit(cv2.imread(str(path)), boxes)]
    codes = [task.result() for task in futures]
    seconds = time.perf_counter() - begin
    peaks = [peak(number) for number in pool.process_ids]
    cut = sum(map(processor_seconds, pool.process_ids)) - before
    shared = cut / (cut + processor_seconds("self") - main_before)
    pool.close()
    return Measured(seconds, max(peaks), shared, hashlib.sha256("\n".join(codes).encode()).hexdigest())


def processor_seconds(process: int | str) -> float:
    """Return the seconds that a process (``"self"``: this one) has had of any core."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(process: int) -> tuple[float, float]:
    """Return what a process has at most for itself, and its pages of files, in megabytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    kibibytes = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }
    files = kibibytes["RssFile"] * 1024 / 1e6
    return kibibytes["VmHWM"] * 1024 / 1e6 - files, files


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    _, values = read_arguments(sys.argv[1:], ("data", "data.root", "images", "rounds"))
    work = tasks(values.get("data", "coco"), values.get("data.root"), int(values.get("images", "40")))
    rounds = int(values.get("rounds", "3"))
    times: dict[int, list[float]] = {1: [], 2: []}
    found: list[Measured] = []
    cv2.setNumThreads(1)
    with progress("grabcut", total=2 * rounds) as bar:
        for _ in range(rounds):
            for processes, seconds in times.items():
                found.append(measure(work, processes))
                seconds.append(found[-1].seconds)
                bar.advance()
    first, second = (statistics.median(seconds) for seconds in times.values())
    boxes = sum(len(given) for _, given in work)
    out.print(f"{boxes} boxes in {len(work)} images, {rounds} rounds, {len(os.sched_getaffinity(0))} cores")
    for processes, seconds in times.items():
        median = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        out.print(f"{processes} process(es): {median:.2f} s ({spread}), {1000 * median / boxes:.0f} ms a box")
    own, files = max(one.megabytes for one in found)
    hashes = {one.masks for one in found}
    out.print(f"ratio {first / second:.2f} (target {RATIO})")
    shared = min(one.shared for one in found)
    out.print(
        f"{100 * shared:.1f} % of the processor time is spent in the processes, the rest reads, cuts out and sends"
    )
    out.print(f"{own:.0f} MB a process (target {MEGABYTES}), and {files:.0f} MB of libraries that all share")
    out.print(f"masks are {'the same' if len(hashes) == 1 else 'NOT the same'} in every round")
    return 0 if first / second >= RATIO and own <= MEGABYTES and len(hashes) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
