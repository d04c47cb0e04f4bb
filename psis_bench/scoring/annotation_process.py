"""What a score needs of the annotations alone, got ready beside the predictions: boxes, masks, and trivial rows.

Reading a large file is work for one core, nearly all of it in Python and in pycocotools, which rasterises polygons, and
threads would wait for each other. So it is done in a process of its own; what the parsed JSON took, of LVIS more than a
gigabyte, goes back to the system with it.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psis_bench.data.coco_format import tell_dropped
from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations, read_in_parts
from psis_bench.scoring.inputs.ground_truth import Floats, Masks
from psis_bench.scoring.masks.trivial import trivial_ious

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

_LARGE = 8 * 2**20
"""Bytes of a file that takes longer to read than a process to start."""

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from psis_bench.scoring.annotation_process import main
main(*sys.argv[2:])
"""


class Reading(NamedTuple):
    """What is got ready; each waits for its part.

    Args:
        boxes: Returns the annotations, perhaps without their masks but every area known, or raises what
            `read_annotations` raises.
        annotations: Returns them with masks.
        trivial_ious: Returns `psis_bench.scoring.masks.trivial.trivial_ious` of them.
    """

    boxes: Callable[[], Annotations]
    annotations: Callable[[], Annotations]
    trivial_ious: Callable[[], tuple[Floats, Floats]]


@contextmanager
def reading_annotations(annotations: Path | Mapping[str, Any], *, on_bad_boxes: OnBadBoxes) -> Iterator[Reading]:
    """Read annotations beside the body of the ``with`` statement.

    Args:
        annotations: As for `read_annotations`.
        on_bad_boxes: As there.

    Raises:
        UserError: As there, where they are read in this process; otherwise what is yielded raises it.
    """
    with ThreadPoolExecutor(max_workers=1) as other:
        path = annotations if isinstance(annotations, Path) and _pays(annotations) else None
        started = None if path is None else _started(path, on_bad_boxes)
        if path is None or started is None:
            found = read_annotations(annotations, on_bad_boxes=on_bad_boxes)
            yield Reading(lambda: found, lambda: found, other.submit(trivial_ious, found.truth).result)
            return
        process, stream = started
        try:
            yield _reading(other, stream, path, on_bad_boxes)
        finally:
            process.kill()
            process.wait()
            other.shutdown()  # what still waits for an answer finds the end of the stream
            stream.close()


def _reading(other: Executor, stream: IO[bytes], path: Path, on_bad_boxes: OnBadBoxes) -> Reading:
    """Return what waits for the answers of the process that writes to ``stream``."""
    boxes, masks, trivial = (other.submit(_answer, stream) for _ in range(3))

    @cache
    def first() -> Any:
        found = _raised(boxes.result())
        if isinstance(found, Annotations) and found.dropped:
            tell_dropped(path, found.dropped)
        return found

    @cache
    def with_masks() -> Annotations:
        found, own = first(), _raised(masks.result())
        if isinstance(found, Annotations) and isinstance(own, Masks):
            return found.with_masks(own)
        # The process was ended from outside, or had too little memory: here the same fault has its own words.
        return read_annotations(path, on_bad_boxes=on_bad_boxes)

    def with_boxes() -> Annotations:
        found = first()
        known = isinstance(found, Annotations) and not np.isnan(found.truth.areas).any()
        return found if known else with_masks()

    def trivial_rows() -> tuple[Floats, Floats]:
        found = trivial.result()
        return found if type(found) is tuple else trivial_ious(with_masks().truth)

    return Reading(with_boxes, with_masks, trivial_rows)


def _pays(path: Path) -> bool:
    """Whether the file is large enough, and another process can be had that has the memory which this one may have."""
    if os.name != "posix" or not Path(sys.executable).name.startswith("python"):
        return False
    import resource

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limited = resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
    try:
        return path.stat().st_size >= _LARGE and cores > 1 and not limited
    except OSError:
        return False  # told by who reads it


def _started(path: Path, on_bad_boxes: OnBadBoxes) -> tuple[subprocess.Popen[bytes], IO[bytes]] | None:
    """Start the process that reads a file; return it and the stream of its answers, None where it cannot be started."""
    mine, its = os.pipe()  # not its standard output, on which any library may talk
    # The current folder (-P, and an empty text among the paths) is no place to import from.
    paths = json.dumps([folder for folder in sys.path if folder])
    command = [sys.executable, "-P", "-c", _CODE, paths, str(path), on_bad_boxes, str(its)]
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, pass_fds=[its])
    except OSError:
        os.close(mine)
        return None
    finally:
        os.close(its)
    return process, os.fdopen(mine, "rb")


def _answer(stream: IO[bytes]) -> Any:
    """Return what the process writes next; None where it was ended before it had written it."""
    try:
        return pickle.load(stream)  # noqa: S301 - our own process writes it
    except Exception:  # what unpickling raises on half an answer is not told anywhere
        return None


def _raised(answer: Any) -> Any:
    """Raise an answer that says what is wrong; return any other."""
    if isinstance(answer, dict):
        raise UserError(answer["what"], where=answer["where"], cure=answer["cure"])
    return answer


def main(path: str, on_bad_boxes: str, answers: str) -> None:
    """Read a file; write part by part, or what is wrong, to the open file of number ``answers``."""
    with os.fdopen(int(answers), "wb") as stream, without_garbage_collection():

        def write(part: Any) -> None:
            pickle.dump(part, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()

        try:
            boxes, masks = read_in_parts(Path(path), on_bad_boxes="drop" if on_bad_boxes == "drop" else "error")
            write(boxes)
            own = masks()
            write(own)
        except UserError as error:
            write({"what": error.what, "where": error.where, "cure": error.cure})
            return
        write(trivial_ious(boxes.with_masks(own).truth))
