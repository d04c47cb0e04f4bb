"""A large annotation file is read in a process of its own while this one reads the predictions.

Reading it is work for one core, nearly all of it in Python and in pycocotools, which rasterises polygons; threads would
wait for each other. And what the parsed JSON took, of LVIS more than a gigabyte, goes back to the system with the
process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

_LARGE = 8 * 2**20
"""Bytes of a file that takes longer to read than a process to start."""

_CODE = "from psis_bench.scoring.inputs.annotation_process import main; main()"


@contextmanager
def reading_annotations(
    annotations: Path | Mapping[str, Any], *, on_bad_boxes: OnBadBoxes
) -> Iterator[Callable[[], Annotations]]:
    """Read annotations beside the body of the ``with`` statement.

    Yields:
        What waits for them, and raises what `read_annotations` raises.
    """
    if not isinstance(annotations, Path) or not _pays(annotations):
        found = read_annotations(annotations, on_bad_boxes=on_bad_boxes)
        yield lambda: found
        return
    folder = str(Path(__file__).parents[3])
    paths = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    # -P: the current folder is no place to import from.
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, str(annotations), on_bad_boxes],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": paths},
    )
    with ThreadPoolExecutor(max_workers=1) as waiting:  # a pipe holds little, so that somebody has to read it
        answer = waiting.submit(process.communicate)
        try:
            yield lambda: _answered(answer.result()[0], annotations, on_bad_boxes)
        finally:
            process.kill()


def _pays(path: Path) -> bool:
    """Whether the file is large enough, there is a second processor, and Python can be started again."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return path.stat().st_size >= _LARGE and cores > 1 and Path(sys.executable).name.startswith("python")
    except OSError:
        return False  # told by who reads it


def _answered(answer: bytes, path: Path, on_bad_boxes: OnBadBoxes) -> Annotations:
    if not answer:
        # It could not be started, or was ended from outside: here the same fault has its own words.
        return read_annotations(path, on_bad_boxes=on_bad_boxes)
    found = pickle.loads(answer)  # noqa: S301 - our own process wrote it
    if isinstance(found, dict):
        raise UserError(found["what"], where=found["where"], cure=found["cure"])
    if not isinstance(found, Annotations):
        raise TypeError(f"the process that reads annotations answered with {type(found).__name__}")
    return found


def main() -> None:
    """Read the file that the command line names and write it, or what is wrong with it, to standard output."""
    path, on_bad_boxes = sys.argv[1:]
    found: Any
    try:
        with without_garbage_collection():
            found = read_annotations(Path(path), on_bad_boxes="drop" if on_bad_boxes == "drop" else "error")
    except UserError as error:
        found = {"what": error.what, "where": error.where, "cure": error.cure}
    pickle.dump(found, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
