"""Where a data set lies: by name, or by a small YAML file for a user's own.

Keys of the YAML: ``name``, ``root``, ``train`` and ``val`` (each with ``annotations`` and ``images``), ``description``,
``on_bad_boxes``, ``synthetic``. See docs/add_a_split.md. Nothing here opens an annotation file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from psis_bench.errors import UserError, did_you_mean
from psis_bench.yaml_file import check_keys, read_mapping, text_of, wrong_type

OnBadBoxes = Literal["error", "drop"]
DATA_VARIABLE = "PSIS_BENCH_DATA"
CACHE_VARIABLE = "PSIS_BENCH_CACHE"
KEYS = ("name", "root", "train", "val", "description", "on_bad_boxes", "synthetic")


@dataclass(frozen=True, kw_only=True)
class Subset:
    """One annotation file and the folder of its images."""

    annotations: Path
    images: Path


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """A data set as its YAML describes it, with whole paths.

    Attributes:
        name: How it is called in results.
        root: Folder that the paths are relative to.
        train: Training part; None for a set that is only for evaluation.
        val: Validation part.
        description: One sentence for people.
        synthetic: Parameters of a generated set; None for any other.
        on_bad_boxes: What to do with boxes of no area or outside their image: ``error``, or ``drop`` the
            annotation (official COCO train2017 has two of them).
    """

    name: str
    root: Path
    train: Subset | None
    val: Subset
    description: str = ""
    synthetic: dict[str, Any] | None = None
    on_bad_boxes: OnBadBoxes = "error"

    def parts(self) -> dict[str, Subset]:
        """Return the parts that there are, by name."""
        return {"val": self.val} if self.train is None else {"train": self.train, "val": self.val}


@dataclass(frozen=True, kw_only=True)
class DatasetListing:
    """One line of ``psis-bench ls data``.

    Attributes:
        name: What to write after ``data=``.
        description: One sentence for people.
        root: Folder where it is looked for; None when that is not known yet.
        found: Whether its validation annotations are there.
        note: What to do to have it; empty when found.
    """

    name: str
    description: str
    root: Path | None
    found: bool
    note: str


def get_dataset(name: str, *, root: str | None = None) -> DatasetConfig:
    """Return a data set by its name, or read it from a YAML file.

    Args:
        name: ``synthetic``, ``coco``, another file of configs/data, or a path that ends in ``.yaml`` or ``.yml``.
        root: Folder that takes the place of the YAML's ``root``.

    Raises:
        UserError: There is no such data set, or its YAML is wrong, or its folder is not told.
    """
    if name.endswith((".yaml", ".yml")):
        return read_dataset(Path(name), root=root)
    files = _config_files()
    if name not in files:
        if Path(name).is_dir():
            raise UserError("is a folder", where=name, cure=f"give a data set's YAML, as in data={name}/dataset.yaml")
        raise UserError(f"unknown data set {name!r}", cure=did_you_mean(name, [*files, "a path to a .yaml"]))
    return read_dataset(files[name], root=root)


def list_datasets() -> list[DatasetListing]:
    """Return the data sets that have a name, with where they are looked for and whether they are there."""
    return [_listing(name, path) for name, path in _config_files().items()]


def read_dataset(path: Path, *, root: str | None = None) -> DatasetConfig:
    """Read a data set's YAML; ``root`` takes the place of the file's.

    Raises:
        UserError: Names the file, the key and the cure.
    """
    where = str(path)
    values = read_mapping(path, what="data set")
    check_keys(values, where=where, allowed=KEYS, required=("name", "val"))
    synthetic = values.get("synthetic")
    if synthetic is not None and not isinstance(synthetic, dict):
        raise wrong_type(synthetic, where=f"{where}: synthetic", wanted="a mapping of parameters")
    on_bad_boxes = values.get("on_bad_boxes", "error")
    if on_bad_boxes not in ("error", "drop"):
        raise wrong_type(on_bad_boxes, where=f"{where}: on_bad_boxes", wanted="'error' or 'drop'")
    folder = _root(values, path=path, override=root, synthetic=synthetic)
    val = _subset(values["val"], folder, where=f"{where}: val")
    train = None if values.get("train") is None else _subset(values["train"], folder, where=f"{where}: train")
    return DatasetConfig(
        name=text_of(values, "name", where=where),
        root=folder,
        train=train,
        val=val,
        description=text_of(values, "description", where=where, default=""),
        synthetic=synthetic,
        on_bad_boxes=on_bad_boxes,
    )


def cache_folder() -> Path:
    """Return the folder of generated data: ``$PSIS_BENCH_CACHE``, or ``~/.cache/psis_bench``."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser().absolute() if given else Path.home() / ".cache" / "psis_bench"


def _root(values: Mapping[str, Any], *, path: Path, override: str | None, synthetic: dict[str, Any] | None) -> Path:
    if override is not None:
        return Path(override).expanduser().absolute()
    if synthetic is not None and "root" not in values:
        from psis_bench.data.synthetic.parameters import SyntheticParameters

        return cache_folder() / f"synthetic-{SyntheticParameters.from_dict(synthetic).hash()}"
    text = text_of(values, "root", where=str(path), default=".")
    variable, _, inside = text.partition("/")
    if variable != f"${DATA_VARIABLE}":
        return (path.absolute().parent / Path(text).expanduser()).resolve()
    given = os.environ.get(DATA_VARIABLE)
    if not given:
        raise UserError(
            f"the folder of data={path.stem} is not known",
            where=str(path),
            cure=f"give data.root=FOLDER, or set {DATA_VARIABLE} to the folder that holds {inside!r}",
        )
    base = Path(given).expanduser().absolute()
    # The variable may name the folder of this very data set.
    is_itself = not (base / inside).is_dir() and (base / "annotations").is_dir()
    return base if is_itself else base / inside


def _subset(value: Any, root: Path, *, where: str) -> Subset:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise wrong_type(value, where=where, wanted="a mapping with annotations and images")
    keys = ("annotations", "images")
    check_keys(value, where=where, allowed=keys, required=keys)
    annotations, images = (root / Path(text_of(value, key, where=where)).expanduser() for key in keys)
    return Subset(annotations=annotations, images=images)


def _config_files() -> dict[str, Path]:
    from psis_bench.config import configs_dir

    # The default comes first, then the alphabet.
    paths = sorted((configs_dir() / "data").glob("*.yaml"), key=lambda path: (path.stem != "synthetic", path.stem))
    return {path.stem: path for path in paths}


def _listing(name: str, path: Path) -> DatasetListing:
    description = str(read_mapping(path, what="data set").get("description", ""))
    try:
        config = read_dataset(path)
    except UserError as error:
        return DatasetListing(name=name, description=description, root=None, found=False, note=error.cure or error.what)
    found = config.val.annotations.is_file()
    missing = "made on first use" if config.synthetic is not None else f"not there: {config.val.annotations}"
    return DatasetListing(
        name=name, description=description, root=config.root, found=found, note="" if found else missing
    )
