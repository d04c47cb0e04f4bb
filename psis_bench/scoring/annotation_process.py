"""What a score needs of the annotations alone, got ready beside the predictions: boxes, masks, and trivial rows.

Reading a large file is work for one core, nearly all of it in Python and in pycocotools, which rasterises polygons, and
threads would wait for each other. So it is done in a process of its own; what the parsed JSON took, of LVIS more than a
gigabyte, goes back to the system with it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psis_bench.errors import UserError
from psis_bench.garbage_collection import without_garbage_collection
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations, read_in_parts
from psis_bench.scoring.inputs.ground_truth import Floats, Masks
from psis_bench.scoring.masks.trivial import trivial_ious

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import OnBadBoxes

_LARGE = 8 * 2**20
"""Bytes of a file that takes longer to read than a process to start."""

_CODE = "from psis_bench.scoring.annotation_process import main; main()"


class Reading(NamedTuple):
    """What is got ready; each waits for its part.

    Args:
        boxes: Returns the annotations, perhaps without their masks, or raises what `read_annotations` raises.
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
    """
    with ThreadPoolExecutor(max_workers=1) as other:
        if not isinstance(annotations, Path) or not _pays(annotations):
            found = read_annotations(annotations, on_bad_boxes=on_bad_boxes)
            yield Reading(lambda: found, lambda: found, other.submit(trivial_ious, found.truth).result)
            return
        process = _started(annotations, on_bad_boxes)
        boxes, masks, trivial = (other.submit(_answer, process.stdout) for _ in range(3))

        def with_boxes() -> Annotations:
            found = _raised(boxes.result())
            known = isinstance(found, Annotations) and not np.isnan(found.truth.areas).any()
            return found if known else with_masks()

        @cache
        def with_masks() -> Annotations:
            found, own = _raised(boxes.result()), _raised(masks.result())
            if isinstance(found, Annotations) and isinstance(own, Masks):
                return found.with_masks(own)
            # The process could not be started, or was ended from outside: here the same fault has its own words.
            return read_annotations(annotations, on_bad_boxes=on_bad_boxes)

        try:
            yield Reading(with_boxes, with_masks, lambda: trivial.result() or trivial_ious(with_masks().truth))
        finally:
            process.kill()
            process.wait()


def _pays(path: Path) -> bool:
    """Whether the file is large enough, there is a second processor, and Python can be started again."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return path.stat().st_size >= _LARGE and cores > 1 and Path(sys.executable).name.startswith("python")
    except OSError:
        return False  # told by who reads it


def _started(path: Path, on_bad_boxes: OnBadBoxes) -> subprocess.Popen[bytes]:
    folder = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    # -P: the current folder is no place to import from.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, str(path), on_bad_boxes],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": paths},
    )


def _answer(stream: IO[bytes] | None) -> Any:
    """Return what the process writes next; None where it was ended before it had written it."""
    try:
        return None if stream is None else pickle.load(stream)  # noqa: S301 - our own process writes it
    except Exception:  # what unpickling raises on half an answer is not told anywhere
        return None


def _raised(answer: Any) -> Any:
    """Raise an answer that says what is wrong; return any other."""
    if isinstance(answer, dict):
        raise UserError(answer["what"], where=answer["where"], cure=answer["cure"])
    return answer


def main() -> None:
    """Read the file that the command line names; write part by part, or what is wrong, to standard output."""
    path, on_bad_boxes = sys.argv[1:]

    def write(part: Any) -> None:
        pickle.dump(part, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()

    with without_garbage_collection():
        try:
            with_boxes, masks = read_in_parts(Path(path), on_bad_boxes="drop" if on_bad_boxes == "drop" else "error")
            boxes = with_boxes()
            write(boxes)
            own = masks()
            write(own)
        except UserError as error:
            write({"what": error.what, "where": error.where, "cure": error.cure})
            return
        write(trivial_ious(boxes.with_masks(own).truth))
