"""Files of weights: found in the checkout, in the wheel or in the cache, downloaded where needed, always checked."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from psis_bench.data.dataset_config import cache_folder
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file
from psis_bench.submissions.weights_header import read_weights_header
from psis_bench.zoo.index import WEIGHTS_FILE, ZooModel, find_model, zoo_root

FOLDER: Final = Path("model_zoo") / "weights"
LARGEST: Final = 4_000_000_000
"""Bytes of the largest file that is downloaded."""


def hashed_name(name: str, sha256: str) -> str:
    """Return the name of a file of weights, e.g. ``small-1a2b3c4d.safetensors``."""
    return f"{name}-{sha256[:8]}.safetensors"


def check_file(path: Path, *, sha256: str | None = None, size: int | None = None) -> None:
    """Check that a file is safetensors, whole, and what its name and the index say.

    Args:
        path: The file.
        sha256: What it must be; None: its name alone is compared.
        size: Bytes that it must have; None: any.

    Raises:
        UserError: It is something else; nothing of it has been loaded.
    """
    where = str(path)
    cure = "remove it and get it again"
    if path.is_symlink() and not path.exists():
        raise UserError("is a link to nothing", where=where, cure=cure)
    if not path.is_file():
        raise UserError("no such file", where=where, cure="psis-bench zoo get NAME")
    named = WEIGHTS_FILE.fullmatch(path.name)
    if not named:
        raise UserError("is not called <name>-<8 digits of its SHA-256>.safetensors", where=where, cure="rename it")
    if size is not None and path.stat().st_size != size:
        raise UserError(f"has {path.stat().st_size:,} bytes and should have {size:,}", where=where, cure=cure)
    found = sha256_of_file(path)
    if sha256 is not None and found != sha256:
        raise UserError(f"has the SHA-256 {found[:12]}... and should have {sha256[:12]}...", where=where, cure=cure)
    if not found.startswith(named[1]):
        raise UserError(f"has the SHA-256 {found[:12]}..., which is not that of its name", where=where, cure=cure)
    read_weights_header(path)


def local_file(model: ZooModel, root: Path | None = None) -> Path | None:
    """Return where the weights of a model are on this machine, unchecked; None when they are nowhere."""
    if model.weights is None or model.file_name is None:
        return None
    shipped = (zoo_root() if root is None else root) / model.weights
    places = [shipped] if model.is_shipped else [cache_folder() / "zoo" / model.file_name]
    return next((place for place in places if place.is_file()), None)


def get_weights(name: str, *, out: Path | None = None, root: Path | None = None) -> Path:
    """Return the checked file of a model's weights, downloading it on first use.

    Args:
        name: As in ``psis-bench zoo list``.
        out: Folder to put a copy into; None: where it is, or the cache.
        root: Folder of ``model-index.yml``; None: `zoo_root`.

    Raises:
        UserError: There is no such model, it has no weights, or what was found or sent is not them.
    """
    model = find_model(name, root)
    if model.weights is None or model.file_name is None:
        raise UserError(
            f"model {name!r} has no weights", cure="train it, or choose one with weights (psis-bench zoo list)"
        )
    path = local_file(model, root)
    if path is None and model.is_shipped:
        raise UserError("no such file", where=model.weights, cure="check it out again, or install the package again")
    if path is None:
        path = _downloaded(model, cache_folder() / "zoo" / model.file_name)
    check_file(path, sha256=model.sha256, size=model.size)
    return path if out is None else _copied(path, out / model.file_name)


def _downloaded(model: ZooModel, target: Path) -> Path:
    if model.weights is None or model.sha256 is None:
        raise UserError(f"model {model.name!r} has no weights")
    if model.size > LARGEST:
        raise UserError(f"has {model.size:,} bytes, more than the {LARGEST:,} that are downloaded", where=model.weights)
    if model.weights.startswith("hf://"):
        from psis_bench.zoo.hub import download_from_hub

        return download_from_hub(model.weights, target, sha256=model.sha256, size=model.size)
    from psis_bench.zoo.download import download

    return download(model.weights, target, sha256=model.sha256, size=model.size)


def _copied(path: Path, target: Path) -> Path:
    import shutil

    from psis_bench.files import atomic_path

    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target
