"""Writes ``model-index.yml`` and the metafiles: entries for configurations, entries for weights.

The comment lines at the head of a file, what people wrote into collections, and the order of entries stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from psis_bench.errors import UserError
from psis_bench.files import write_text
from psis_bench.yaml_file import read_mapping
from psis_bench.zoo.index import INDEX, METAFILE

MODELS: Final = Path("configs") / "models"
_HEAD: Final = (
    "# In the form of OpenMMLab. psis-bench zoo index adds missing configurations, psis-bench zoo add weights.\n"
)
_INDEX_HEAD: Final = (
    "# One metafile for each family of models, in the form of OpenMMLab. Written by psis-bench zoo index.\n"
)


def update_index(root: Path) -> list[str]:
    """Give every configuration under ``configs/models`` an entry, and every family its metafile.

    Entries of configurations that are gone are removed unless they have weights. Nothing else is changed.

    Args:
        root: Folder of ``model-index.yml``, which is written too.

    Returns:
        The names of entries that were added or removed.
    """
    changed: list[str] = []
    families = sorted(
        folder.name for folder in (root / MODELS).iterdir() if folder.is_dir() and _configs(root, folder.name)
    )
    for family in families:
        changed += _update_family(root, family)
    index = _INDEX_HEAD + _dumped({"Import": [(MODELS / family / METAFILE).as_posix() for family in families]})
    if not (root / INDEX).is_file() or (root / INDEX).read_text(encoding="utf-8") != index:
        write_text(root / INDEX, index)
    return changed


def put_entry(root: Path, family: str, entry: Mapping[str, Any], *, replace: bool) -> None:
    """Write a model's entry into the metafile of its family.

    Args:
        root: Folder of ``model-index.yml``.
        family: A folder under ``configs/models``.
        entry: In the form of OpenMMLab.
        replace: Whether an entry of the same name may be there.

    Raises:
        UserError: There is an entry of this name and it may not be replaced.
    """
    path = root / MODELS / family / METAFILE
    head, content = _read(path, family)
    models = content["Models"]
    for index, model in enumerate(models):
        if model.get("Name") == entry["Name"]:
            if not replace:
                raise UserError(
                    f"there is a model {entry['Name']!r} already",
                    where=str(path),
                    cure="choose another name=, or add replace=true",
                )
            models[index] = dict(entry)
            break
    else:
        models.append(dict(entry))
    write_text(path, head + _dumped(content))


def entry_name(family: str, config: str) -> str:
    """Return the name of the entry of a configuration without weights, e.g. ``deep_marc_r50``."""
    return f"{family}_{config.replace('/', '_')}".lower()


def _update_family(root: Path, family: str) -> list[str]:
    path = root / MODELS / family / METAFILE
    head, content = _read(path, family)
    wanted = {entry_name(family, name): (MODELS / family / f"{name}.py").as_posix() for name in _configs(root, family)}
    there = {model.get("Name"): model for model in content["Models"]}
    gone = [
        name
        for name, model in there.items()
        if "Weights" not in model and not (root / str(model.get("Config"))).is_file()
    ]
    added = [name for name in wanted if name not in there]
    content["Models"] = [model for model in content["Models"] if model.get("Name") not in gone]
    content["Models"] += [{"Name": name, "In Collection": family, "Config": wanted[name]} for name in added]
    if added or gone or not path.is_file():
        write_text(path, head + _dumped(content))
    return [*added, *gone]


def _configs(root: Path, family: str) -> list[str]:
    folder = root / MODELS / family
    found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py"))
    return sorted(name for name in found if not any(part.startswith("_") for part in name.split("/")))


def _read(path: Path, family: str) -> tuple[str, dict[str, Any]]:
    """Return the comment at the head of a metafile and its content; a new one has the family as its collection."""
    if not path.is_file():
        return _HEAD, {"Collections": [{"Name": family, "README": "docs/add_a_model.md"}], "Models": []}
    content = read_mapping(path, what="metafile")
    if not all(isinstance(content.get(key), list) for key in ("Collections", "Models")):
        raise UserError("is no metafile", where=str(path), cure="it has the lists Collections and Models")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    count = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count]), content


def _dumped(content: Mapping[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=110)
    return str(text)
