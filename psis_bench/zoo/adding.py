"""``psis-bench zoo add``: the weights of a finished run become a file and an entry of the zoo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from psis_bench.config_listing import own_choice
from psis_bench.errors import UserError
from psis_bench.files import atomic_path, sha256_of_file
from psis_bench.run import RunDirectory, Stage
from psis_bench.submissions.weights_header import read_weights_header
from psis_bench.zoo.index import NAME, ZooModel, read_index, zoo_root
from psis_bench.zoo.metafiles import MODELS, put_entry, update_index
from psis_bench.zoo.weights import FOLDER, hashed_name

_SCORES: Final = (("mask", "AP", "mask AP"), ("box", "AP", "box AP"), ("gt_box_miou", "class_mean", "GT-box mIoU"))


def add_run(
    run: Path,
    *,
    name: str,
    licence: str,
    url: str | None = None,
    half: bool = False,
    replace: bool = False,
    root: Path | None = None,
) -> ZooModel:
    """Copy the weights of a run into the zoo, named with their hash, and write their entry.

    Args:
        run: A run directory whose training and scoring are done.
        name: Of the entry and the file, lower-case; unique.
        licence: Under which the weights may be used, e.g. ``Apache-2.0``.
        url: Folder on a server where the file will lie; None: it is shipped in ``model_zoo/weights``.
        half: Store floating-point numbers in 16 bits, which halves the file. The scores of the entry stay those of
            the run, so score the smaller file again before they are relied on to the last digit.
        replace: Whether an entry of the same name may be there; its shipped file is removed.
        root: Folder of ``model-index.yml``; None: `zoo_root`.

    Returns:
        The entry.

    Raises:
        UserError: The run is not done, the model is not one of ``configs/models``, or the name is taken or no name.
    """
    root = zoo_root() if root is None else root
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a name", cure="use lower-case letters, digits, '_', '.' and '-'")
    loaded = RunDirectory.load(run)
    family, _, config = loaded.config.model.partition("/")
    if not (root / MODELS / family / f"{config}.py").is_file():
        raise UserError(
            f"model {loaded.config.model!r} is none of configs/models",
            where=str(loaded.config_file),
            cure="put its configuration there, so that others can build it",
        )
    results = _results(loaded)
    update_index(root)
    before = {model.name: model for model in read_index(root)}
    if name in before and (not replace or before[name].family != family):
        raise UserError(f"there is a model {name!r} already", cure="choose another name=, or add replace=true")
    stored = _store(loaded, root / FOLDER, name=name, half=half)
    place = f"{url.rstrip('/')}/{stored.name}" if url else (FOLDER / stored.name).as_posix()
    entry = {
        "Name": name,
        "In Collection": family,
        "Config": (MODELS / family / f"{config}.py").as_posix(),
        "Metadata": _metadata(loaded, stored, licence=licence, half=half),
        "Results": results,
        "Weights": place,
    }
    put_entry(root, family, entry, replace=replace)
    old = before.get(name)
    if old is not None and old.is_shipped and old.weights and old.file_name != stored.name:
        (root / old.weights).unlink(missing_ok=True)
    return next(model for model in read_index(root) if model.name == name)


def _results(run: RunDirectory) -> list[dict[str, Any]]:
    if not run.final_weights.is_file():
        raise UserError(
            "has no weights of a finished training", where=str(run.path), cure="psis-bench run continues it"
        )
    try:
        groups = json.loads(run.result(Stage.SCORE).read_text(encoding="utf-8"))["groups"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError("has no scores", where=str(run.path), cure=f"psis-bench score {run.path}") from error
    # OpenMMLab's form has scores times 100; they are not rounded.
    metrics = {
        f"{title} {group}": 100 * value
        for part, key, title in _SCORES
        for group in ("unseen", "seen", "all")
        if (value := ((groups.get(group) or {}).get(part) or {}).get(key)) is not None
    }
    return [{"Task": "Partially Supervised Instance Segmentation", "Dataset": run.dataset.name, "Metrics": metrics}]


def _metadata(run: RunDirectory, stored: Path, *, licence: str, half: bool) -> dict[str, Any]:
    keys = run.config
    given = {
        "Split": f"{run.split.name}@{run.split.version}",
        "Training Data": run.dataset.name,
        "Mask Head": keys.mask_head or own_choice(keys.model, "mask_heads"),
        "Crop Source": keys.crop_source,
        "Schedule": keys.schedule,
        "Iterations": keys.iterations,
        "Seed": keys.seed,
        "Overrides": dict(keys.mm) or None,
        "Parameters": read_weights_header(stored).parameters,
        "Stored As": "float16" if half else None,
        "Licence": licence,
        "Bytes": stored.stat().st_size,
        "SHA256": sha256_of_file(stored),
    }
    # OpenMMLab's tools refuse empty values.
    return {key: value for key, value in given.items() if value is not None}


def _store(run: RunDirectory, folder: Path, *, name: str, half: bool) -> Path:
    """Write the file of weights under its hashed name and return it."""
    source = run.final_weights
    read_weights_header(source)
    with atomic_path(folder / f"{name}.safetensors") as temporary:
        if half:
            _write_half(source, temporary)
        else:
            shutil.copyfile(source, temporary)
    plain = folder / f"{name}.safetensors"
    return plain.replace(folder / hashed_name(name, sha256_of_file(plain)))


def _write_half(source: Path, target: Path) -> None:
    """Copy a safetensors file with its 32-bit floating-point tensors in 16 bits.

    Raises:
        UserError: A number is too large for 16 bits.
    """
    import numpy as np

    with source.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    stored: list[bytes] = []
    place = 0
    for tensor, entry in header.items():
        if tensor == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        content = data[begin:end]
        if entry["dtype"] == "F32":
            values = np.frombuffer(content, "<f4")
            with np.errstate(over="ignore"):
                smaller = values.astype("<f2")
            if not np.isfinite(smaller).all():
                raise UserError(f"{tensor} does not fit into 16 bits", where=str(source), cure="leave half=true out")
            content = smaller.tobytes()
            entry["dtype"] = "F16"
        entry["data_offsets"] = [place, place + len(content)]
        place += len(content)
        stored.append(content)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(stored))
