"""What stands under ``configs/``: names and descriptions of models, mask heads and schedules.

A configuration is Python code. It is read here without being run: ``ls`` must be quick and must not import
torch, and the fingerprint of a run must notice a changed file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psis_bench import config as settings
from psis_bench.errors import UserError, did_you_mean
from psis_bench.files import sha256_of_json

_WORDS = {"models": "model", "mask_heads": "mask_head", "schedules": "schedule"}


@dataclass(frozen=True, kw_only=True)
class ConfigEntry:
    """One configuration file: its name on the command line, its path and the first line of its docstring."""

    name: str
    path: Path
    description: str


def list_configs(kind: str) -> list[ConfigEntry]:
    """Return the configurations of one kind, ordered by name.

    Args:
        kind: ``"models"``, ``"mask_heads"`` or ``"schedules"``, a folder of ``configs/``. Files and folders
            whose name starts with an underscore are bases of others and are left out.
    """
    return [
        ConfigEntry(name=name, path=path, description=_first_line(path))
        for name, path in sorted(_files(settings.configs_dir() / kind))
    ]


def config_names(kind: str) -> list[str]:
    """Return the names of one kind of configurations, in order (see `list_configs`)."""
    return sorted(name for name, _ in _files(settings.configs_dir() / kind))


def check_name(kind: str, name: str) -> Path:
    """Return the file of a configuration.

    Raises:
        UserError: There is none of this name; the nearest names are given.
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise UserError("no such file", where=name, cure=f"give the path of a {_WORDS[kind]}'s configuration")
        return Path(name)
    names = config_names(kind)
    if name not in names:
        raise UserError(f"unknown {_WORDS[kind]} {name!r}", cure=_nearest(name, names))
    return settings.configs_dir() / kind / f"{name}.py"


def config_files(model: str, mask_head: str | None = None, schedule: str | None = None) -> list[Path]:
    """Return every file that a model is made of: its own, its mask head's, its schedule's, and their bases.

    What is None is the model's own choice, the text that its file assigns to ``mask_head`` or ``schedule``.
    """
    files = _with_bases([check_name("models", model)])
    chosen = {"mask_heads": mask_head, "schedules": schedule}
    own = [
        check_name(kind, name)
        for kind, word in _WORDS.items()
        if kind in chosen and (name := chosen[kind] or _assigned_text(files, word))
    ]
    return sorted({*files, *_with_bases(own)})


def own_choice(model: str, kind: str) -> str | None:
    """Return the mask head or schedule (``"mask_heads"``, ``"schedules"``) that a model's own file names."""
    return _assigned_text(_with_bases([check_name("models", model)]), _WORDS[kind])


def fingerprint(paths: list[Path]) -> str:
    """Return a hash of what configuration files say (see `config_files`).

    Comments, layout and docstrings do not count: improving a description must not make a run outdated.
    """
    return sha256_of_json(sorted(_meaning(path) for path in paths))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*.py"):
        relative = path.relative_to(folder).with_suffix("")
        if not any(part.startswith("_") for part in relative.parts):
            yield relative.as_posix(), path


def _nearest(name: str, names: list[str]) -> str:
    """Prefer names that hold the word, e.g. ``deep_marc/small`` for ``small``, to merely similar ones."""
    holding = [candidate for candidate in names if name and name.lower() in candidate.lower()]
    return did_you_mean(name, names) if not holding else did_you_mean(holding[0], holding)


def _first_line(path: Path) -> str:
    try:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (SyntaxError, ValueError, OSError):
        return "(cannot be read)"
    return text.strip().partition("\n")[0].rstrip(".")


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise UserError(f"not valid Python: {error}", where=str(path), cure="mend the file") from None


def _meaning(path: Path) -> str:
    module = _parse(path)
    if ast.get_docstring(module) is not None:
        module.body = module.body[1:]
    return ast.unparse(module)


def _assigned_text(files: list[Path], name: str) -> str | None:
    """Return what the first file that assigns to a name says, if that is a text: a config wins over its bases."""
    for path in files:
        for node in _parse(path).body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                value = node.value.value if isinstance(node.value, ast.Constant) else None
                return value if isinstance(value, str) else None
    return None


def _with_bases(paths: list[Path]) -> list[Path]:
    """Follow ``_base_ = [...]`` and ``from .x import *`` to every file that takes part; bases come last."""
    found: list[Path] = []
    waiting = [path.resolve() for path in paths]
    while waiting:
        path = waiting.pop(0)
        if path in found or not path.is_file():
            continue
        found.append(path)
        waiting += [base.resolve() for base in _bases(path)]
    return found


def _bases(path: Path) -> Iterator[Path]:
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_base_" for t in node.targets):
            for text in ast.walk(node.value):
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield path.parent / text.value
        elif isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            yield folder.joinpath(*(node.module or "").split(".")).with_suffix(".py")
