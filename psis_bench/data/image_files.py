"""The image files of a data set: are they there, can they be decoded, are they of the size on record?"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from psis_bench.console import progress
from psis_bench.data.coco_rules import MAX_PIXELS
from psis_bench.data.problems import Report
from psis_bench.errors import UserError

_MIN_FOR_PROCESSES = 256
_CHUNK = 32
_ORIENTATION = 0x0112  # EXIF
_SIDEWAYS = (5, 6, 7, 8)


def find_missing(images: list[Any], folder: Path, *, report: Report) -> set[int]:
    """Report images that are not in the folder.

    One listing of each folder answers for all of its images, which matters on network file systems.

    Args:
        images: The file's image records; those without a proper file name are passed over.
        folder: Where the images should be.
        report: Takes the faults.

    Returns:
        Indices of the missing images.
    """
    if not folder.is_dir():
        report("", f"there is no image folder {folder}", "check the path of the images or data.root")
        return set(range(len(images)))
    listings: dict[str, set[str]] = {}
    missing = set()
    for index, image in enumerate(images):
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str) or not name or "\0" in name:
            continue
        parent, _, base = name.rpartition("/")
        if parent not in listings:
            listings[parent] = _files_in(folder / parent)
        if base not in listings[parent]:
            missing.add(index)
            report(f"images[{index}].file_name", f"there is no image {folder / name}", "put it there, or mend the name")
    return missing


def check_pixels(
    images: list[Any], folder: Path, *, skip: set[int], report: Report, title: str, workers: int | None = None
) -> None:
    """Decode every image on all cores and report what cannot be decoded or has another size than its record.

    Args:
        images: The file's image records.
        folder: Where the images are.
        skip: Indices of images to pass over.
        report: Takes the faults.
        title: Stands before the progress bar.
        workers: Processes; None: one a core.
    """
    todo = [index for index, image in enumerate(images) if index not in skip and _is_sound(image)]
    records = [
        (str(folder / images[index]["file_name"]), images[index]["height"], images[index]["width"]) for index in todo
    ]
    with progress(title, total=len(todo)) as bar, _mapped(records, workers) as faults:
        for index, fault in zip(todo, faults, strict=True):
            bar.advance()
            if fault:
                report(f"images[{index}]", *fault)


def fault_of_image(record: tuple[str, int, int]) -> tuple[str, str] | None:
    """Decode one image completely.

    Args:
        record: Path, and the height and width (pixels) it should have once turned upright as its EXIF says, which
            is how it is read for training.

    Returns:
        What is wrong and the cure, or None.
    """
    from PIL import Image, UnidentifiedImageError

    path, height, width = record
    name = Path(path).name
    again = "copy or download it again"
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
                found = (image.height, image.width)
                turned = image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except UnidentifiedImageError:
        return f"{name} is not an image, or a broken one", again
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        return f"{name} cannot be decoded: {error}", again
    if turned:
        found = (found[1], found[0])
    if found == (height, width):
        return None
    hint = " once turned as its EXIF orientation says" if turned else ""
    what = f"{name} has {found[1]} x {found[0]} pixels{hint}, not {width} x {height} as on record"
    return what, "mend width and height, or put the right image there"


def _is_sound(image: Any) -> bool:
    """Whether a record tells enough for its image to be checked."""
    if not isinstance(image, dict) or not isinstance(image.get("file_name"), str) or "\0" in image["file_name"]:
        return False
    return bool(image["file_name"]) and all(type(image.get(side)) is int for side in ("height", "width"))


@contextmanager
def _mapped(records: list[tuple[str, int, int]], workers: int | None) -> Iterator[Iterable[tuple[str, str] | None]]:
    processes = min(workers or len(os.sched_getaffinity(0)), len(records) // _CHUNK)
    if processes < 2 or len(records) < _MIN_FOR_PROCESSES:
        yield map(fault_of_image, records)
        return
    # Not forked: the progress bar has a thread of its own.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield pool.map(fault_of_image, records, chunksize=_CHUNK)
    except BrokenProcessPool:
        raise UserError("a process that decoded images was killed", cure="free memory and check again") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _files_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return set()
