"""Reads ``model-index.yml`` and the metafiles that it lists.

The form is OpenMMLab's: ``Collections`` (a family), ``Models`` with ``Name``, ``In Collection``, ``Config``,
``Metadata``, ``Results`` and ``Weights``. In results, scores are times 100, as everywhere in that form. ``Weights`` is
a path below the root, an https address, or ``hf://<owner>/<repository>/<file>``; ``Metadata`` then has ``SHA256`` and
``Bytes``, without which nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from psis_bench.config import configs_dir
from psis_bench.errors import UserError, did_you_mean
from psis_bench.yaml_file import check_keys, read_mapping, text_of, whole_number_of, wrong_type

INDEX: Final = "model-index.yml"
METAFILE: Final = "metafile.yml"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
WEIGHTS_FILE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,90}-([0-9a-f]{8})\.safetensors")

_MODEL_KEYS: Final = ("Name", "In Collection", "Config", "Metadata", "Results", "Weights", "Paper", "README", "Code")
_COLLECTION_KEYS: Final = ("Name", "Metadata", "Paper", "README", "Code")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ZooModel:
    """One model of the zoo.

    Attributes:
        name: Unique, lower-case.
        family: Name of its collection and of its folder under ``configs/models``.
        config: Path of its configuration below the root.
        metadata: Free; ``Mask Head``, ``Split``, ``Training Data``, ``Parameters`` and the like.
        metrics: Scores x 100 by their names.
        weights: Path below the root, address, or None.
        sha256: Of the file of weights; None without weights.
        size: Of the file, bytes; 0 without weights.
    """

    name: str
    family: str
    config: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    weights: str | None = None
    sha256: str | None = None
    size: int = 0

    @property
    def file_name(self) -> str | None:
        """Name of the file of weights, with the first eight digits of its hash; None without weights."""
        return None if self.weights is None else PurePosixPath(self.weights).name

    @property
    def is_shipped(self) -> bool:
        """Whether the weights come with the project, so that nothing has to be downloaded."""
        return self.weights is not None and "://" not in self.weights


def zoo_root() -> Path:
    """Return the folder of ``model-index.yml``: the checkout, or inside an installed wheel the package."""
    return configs_dir().parent


def read_index(root: Path | None = None) -> list[ZooModel]:
    """Return every model in the order of the metafiles.

    Args:
        root: Folder of ``model-index.yml``; None: `zoo_root`.

    Raises:
        UserError: A file is missing or damaged, or two models have the same name.
    """
    root = zoo_root() if root is None else root
    index = read_mapping(root / INDEX, what="model index")
    check_keys(index, where=str(root / INDEX), allowed=("Import",), required=("Import",))
    models: list[ZooModel] = []
    for name in _texts(index["Import"], f"{root / INDEX}: Import"):
        models += read_metafile(root / _inside(name, f"{root / INDEX}: Import"))
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"two models are called {twice[0]!r}", where=str(root / INDEX), cure="rename one of them")
    return models


def find_model(name: str, root: Path | None = None) -> ZooModel:
    """Return a model by its name.

    Raises:
        UserError: There is none; names the nearest, those with weights first.
    """
    models = read_index(root)
    found = next((model for model in models if model.name == name), None)
    if found is None:
        names = [model.name for model in sorted(models, key=lambda model: model.weights is None)]
        raise UserError(f"no model {name!r} in the zoo", cure=did_you_mean(name, names) + " (psis-bench zoo list)")
    return found


def read_metafile(path: Path) -> list[ZooModel]:
    """Return the models of one family.

    Raises:
        UserError: The file is damaged; names the model and the field.
    """
    content = read_mapping(path, what="metafile")
    check_keys(content, where=str(path), allowed=("Collections", "Models"), required=("Collections", "Models"))
    families = []
    for index, collection in enumerate(_mappings(content["Collections"], f"{path}: Collections")):
        where = f"{path}: Collections[{index}]"
        check_keys(collection, where=where, allowed=_COLLECTION_KEYS, required=("Name",))
        families.append(text_of(collection, "Name", where=where))
    return [
        _model(model, families, f"{path}: Models[{index}]")
        for index, model in enumerate(_mappings(content["Models"], f"{path}: Models"))
    ]


def _model(model: Mapping[str, Any], families: Sequence[str], where: str) -> ZooModel:
    check_keys(model, where=where, allowed=_MODEL_KEYS, required=("Name", "In Collection", "Config"))
    name, family = text_of(model, "Name", where=where), text_of(model, "In Collection", where=where)
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be a name", where=where, cure="use lower-case letters, digits, '_', '.' and '-'"
        )
    if family not in families:
        raise UserError(f"unknown collection {family!r}", where=where, cure=did_you_mean(family, families))
    metadata = model.get("Metadata") or {}
    if not isinstance(metadata, dict):
        raise wrong_type(metadata, where=f"{where}: Metadata", wanted="several lines 'name: value'")
    known = ZooModel(
        name=name,
        family=family,
        config=_inside(text_of(model, "Config", where=where), f"{where}: Config"),
        metadata=metadata,
        metrics=_metrics(model.get("Results") or [], where),
    )
    return known if model.get("Weights") is None else _with_weights(known, model, where)


def _with_weights(model: ZooModel, entry: Mapping[str, Any], where: str) -> ZooModel:
    weights = text_of(entry, "Weights", where=where)
    file = WEIGHTS_FILE.fullmatch(PurePosixPath(weights).name)
    if not file:
        raise UserError(
            f"{PurePosixPath(weights).name!r} is not called <name>-<8 digits of its SHA-256>.safetensors",
            where=f"{where}: Weights",
            cure="add it with psis-bench zoo add",
        )
    if "://" not in weights:
        _inside(weights, f"{where}: Weights")
    elif not weights.startswith(("https://", "hf://", "http://127.0.0.1:")):
        raise UserError(f"{weights!r} is no https address", where=f"{where}: Weights", cure="use https://")
    sha256 = text_of(dict(model.metadata), "SHA256", where=f"{where}: Metadata")
    if not _SHA256.fullmatch(sha256) or not sha256.startswith(file[1]):
        raise UserError(
            "is not the hash that the name of the file begins with",
            where=f"{where}: Metadata: SHA256",
            cure="correct one",
        )
    size = whole_number_of(dict(model.metadata), "Bytes", where=f"{where}: Metadata", default=0)
    return ZooModel(**{**vars(model), "weights": weights, "sha256": sha256, "size": size})


def _metrics(results: Any, where: str) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for index, result in enumerate(_mappings(results, f"{where}: Results")):
        place = f"{where}: Results[{index}]"
        check_keys(result, where=place, allowed=("Task", "Dataset", "Metrics"), required=("Task", "Dataset", "Metrics"))
        if not isinstance(result["Metrics"], dict):
            raise wrong_type(result["Metrics"], where=f"{place}: Metrics", wanted="several lines 'name: number'")
        for name, value in result["Metrics"].items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
                raise wrong_type(value, where=f"{place}: Metrics: {name}", wanted="a number from 0 to 100")
            metrics[str(name)] = float(value)
    return metrics


def _inside(name: str, where: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise UserError(f"{name!r} leads outside", where=where, cure="give a path below the folder of model-index.yml")
    return name


def _mappings(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise wrong_type(value, where=where, wanted="a list of entries")
    return value


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong_type(value, where=where, wanted="a list of paths")
    return value
