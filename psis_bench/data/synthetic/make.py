"""Write a synthetic set: images by all cores, annotations as a stream, the whole folder at once.

The folder appears only when it is finished: it is built beside its destination and moved there. Memory does
not grow with the number of images.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from psis_bench import console
from psis_bench.data.synthetic.parameters import GENERATOR_VERSION, SceneParameters, SyntheticParameters
from psis_bench.errors import UserError
from psis_bench.files import write_error
from psis_bench.splits.categories import COCO_CATEGORIES

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import DatasetConfig

_CHUNK = 8
_WINDOW = 4
_STALE_AFTER = 24 * 3600
_FIRST_ID = {"train": 1, "val": 900_000_001}
_DATASET_FILE = "dataset.yaml"
_INFO = {
    "description": "psis_bench synthetic set: procedural shapes with the names of the 80 COCO categories",
    "url": "",
    "version": str(GENERATOR_VERSION),
    "year": 2026,
    "contributor": "psis_bench",
    "date_created": "",
}
_LICENSES = [{"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}]

Record = tuple[dict[str, Any], list[dict[str, Any]]]


def make_synthetic(
    out: Path,
    *,
    images: int = 800,
    val_images: int | None = None,
    seed: int = 0,
    size: int = 160,
    scene: SceneParameters | None = None,
    workers: int | None = None,
) -> Path:
    """Write a synthetic set in COCO format and return its folder.

    Args:
        out: The folder; made here. A finished set with the same parameters in it is kept.
        images: Number of training images.
        val_images: Number of validation images; a quarter of ``images`` when left out.
        seed: Of everything random.
        size: Square root of the mean image area, pixels.
        scene: Difficulty.
        workers: Processes; all cores when None. The bytes written do not depend on it.

    Raises:
        UserError: The folder holds something else, cannot be written, or the disk is full.
    """
    parameters = SyntheticParameters(
        images=images,
        val_images=max(1, images // 4) if val_images is None else val_images,
        seed=seed,
        size=size,
        scene=scene or SceneParameters(),
    )
    return write_set(out, parameters, workers=workers)


def ensure_synthetic(config: DatasetConfig) -> DatasetConfig:
    """Make the set of ``config.synthetic`` in ``config.root`` unless it is there; return the configuration.

    A set that is there is used as it is, also one that an older generator made: a folder appears only when it
    is finished, and the name of a cached one tells its parameters and generator.
    """
    if config.synthetic is not None and not config.val.annotations.is_file():
        write_set(config.root, SyntheticParameters.from_dict(config.synthetic))
    return config


def write_set(out: Path, parameters: SyntheticParameters, *, workers: int | None = None) -> Path:
    """Write the set of the given parameters to ``out``; see `make_synthetic`."""
    if _is_finished(out, parameters):
        return out
    with _built_beside(out, parameters) as folder:
        (folder / "annotations").mkdir()
        counts = {"train": parameters.images, "val": parameters.val_images}
        for subset in counts:
            (folder / subset).mkdir()
        with ExitStack() as stack:
            pool = _pool(stack, workers, sum(counts.values()))
            bar = stack.enter_context(console.progress("synthetic", total=sum(counts.values())))
            for subset, count in counts.items():
                with (folder / "annotations" / f"instances_{subset}.json").open("w+", encoding="utf-8") as file:
                    records = _records(pool, folder, parameters, subset=subset, count=count)
                    for done in _write_coco(file, records, first_id=_FIRST_ID[subset]):
                        bar.advance(done)
        (folder / _DATASET_FILE).write_text(_dataset_yaml(parameters), encoding="utf-8")
    return out


def draw_images(folder: Path, parameters: SyntheticParameters, subset: str, indices: range) -> list[Record]:
    """Draw some images of a subset, write them, and return their COCO records without annotation ids."""
    import cv2

    from psis_bench.data.synthetic.scene import compose, describe

    cv2.setNumThreads(1)  # the processes are the parallelism
    ids = {name: number for number, name in COCO_CATEGORIES.items()}
    records: list[Record] = []
    for index in indices:
        scene = compose(parameters, subset=subset, index=index)
        image_id = _FIRST_ID[subset] + index
        height, width = scene.image.shape[:2]
        name = f"{image_id:012d}.jpg"
        _, code = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, parameters.jpeg_quality])
        (folder / subset / name).write_bytes(code.tobytes())
        image = {"id": image_id, "file_name": name, "width": width, "height": height, "license": 1}
        annotations = []
        for entry in describe(scene):
            category = ids[entry.pop("name")]
            annotations.append({"image_id": image_id, "category_id": category, **entry})
        records.append((image, annotations))
    return records


def _pool(stack: ExitStack, workers: int | None, images: int) -> ProcessPoolExecutor | None:
    count = min(workers or os.cpu_count() or 1, -(-images // _CHUNK))
    if count <= 1:
        return None
    # spawn: the parent may hold threads (PyTorch, the progress bar) that do not survive a fork.
    return stack.enter_context(ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")))


def _records(
    pool: ProcessPoolExecutor | None, folder: Path, parameters: SyntheticParameters, *, subset: str, count: int
) -> Iterator[Record]:
    """Yield the records in the order of the images, with few chunks under way at a time."""
    chunks = (range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))
    if pool is None:
        for chunk in chunks:
            yield from draw_images(folder, parameters, subset, chunk)
        return
    limit = _WINDOW * (os.cpu_count() or 1)
    waiting: deque[Future[list[Record]]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(draw_images, folder, parameters, subset, chunk))
        if len(waiting) >= limit:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _write_coco(file: IO[str], records: Iterator[Record], *, first_id: int) -> Iterator[int]:
    """Write a COCO file as a stream, yielding 1 for each image; annotations wait in a file of their own."""
    categories = [
        {"id": number, "name": name, "supercategory": "synthetic"} for number, name in COCO_CATEGORIES.items()
    ]
    head = {"info": _INFO, "licenses": _LICENSES, "categories": categories}
    file.write(json.dumps(head)[:-1] + ', "images": [')
    annotation_id = first_id
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=Path(file.name).parent) as side:
        for number, (image, annotations) in enumerate(records):
            file.write((",\n" if number else "\n") + json.dumps(image))
            for annotation in annotations:
                side.write(
                    (",\n" if annotation_id > first_id else "\n") + json.dumps({"id": annotation_id, **annotation})
                )
                annotation_id += 1
            yield 1
        side.seek(0)
        file.write('],\n"annotations": [')
        shutil.copyfileobj(side, file)
    file.write("]}\n")


def _dataset_yaml(parameters: SyntheticParameters) -> str:
    import yaml

    content = {
        "name": "synthetic",
        "description": _INFO["description"],
        "root": ".",
        **{
            subset: {"annotations": f"annotations/instances_{subset}.json", "images": subset}
            for subset, count in (("train", parameters.images), ("val", parameters.val_images))
        },
        "synthetic": {"generator": GENERATOR_VERSION, **parameters.as_dict()},
    }
    return str(yaml.safe_dump(content, sort_keys=False))


def _is_finished(out: Path, parameters: SyntheticParameters) -> bool:
    """Whether the set is there already; refuses a folder with anything else in it."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        if (out / _DATASET_FILE).read_text(encoding="utf-8") == _dataset_yaml(parameters):
            return True
    except OSError:
        pass
    raise UserError(
        "there is something else already",
        where=str(out),
        cure="choose a folder that does not exist or is empty, or delete it",
    )


@contextmanager
def _built_beside(out: Path, parameters: SyntheticParameters) -> Iterator[Path]:
    """Yield an empty folder beside ``out`` and move it there when the block succeeds."""
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{out.name}.*.partial"):
            if time.time() - left.stat().st_mtime > _STALE_AFTER:
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        folder.chmod(0o755)
    except OSError as error:
        raise write_error(out, error) from error
    try:
        yield folder
        _move(folder, out, parameters)
    except OSError as error:
        raise write_error(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, out: Path, parameters: SyntheticParameters) -> None:
    try:
        folder.replace(out)
    except OSError:
        # Another process may have finished the same set in the meantime.
        if not _is_finished(out, parameters):
            raise
