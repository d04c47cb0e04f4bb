"""What a run and this machine say of themselves: settings, environment, commit, hours, parameters."""

from __future__ import annotations

import ast
import dataclasses
import json
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from psis_bench import __version__
from psis_bench.config import configs_dir
from psis_bench.errors import UserError
from psis_bench.run import RunDirectory, Stage
from psis_bench.scoring.results.extra_masks import EXTRA_MASKS, LEARNS_NO_MASKS, MARK, manifest_of
from psis_bench.submissions.weights_header import read_weights_header
from psis_bench.teacher import provenance_of

_PACKAGES = (
    "torch",
    "torchvision",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
    "numpy",
    "pycocotools",
    "hotcoco",
)


def settings_of(run: RunDirectory) -> dict[str, Any]:
    """Return the content of ``config.json``: the run's keys, and MMEngine's configuration as it was used.

    Folders of this machine are left out. MMEngine's file is parsed, not executed.
    """
    keys = dataclasses.asdict(run.config)
    for name in ("out", "overwrite", "device", "workers", "threads"):
        del keys[name]
    keys["data"] = {"name": run.dataset.name}
    # What lies in a file of the user's own is called by the file's name; its content is in mm.
    for name in ("split", "model", "mask_head", "schedule", "teacher"):
        if keys[name] and keys[name].startswith("/"):
            keys[name] = Path(keys[name]).name
    return {"run": keys, "mm": literals_of(run.mm_config) if run.mm_config.is_file() else None}


def literals_of(path: Path) -> dict[str, Any]:
    """Return the assignments of a Python file of literals and ``dict(...)`` calls, as MMEngine writes it, as data.

    Raises:
        UserError: It has anything else.
    """
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
        pairs = [(_name(statement), _literal(statement.value)) for statement in module.body]  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, AttributeError) as error:
        raise UserError(f"is no configuration of literals ({error})", where=str(path)) from None
    return dict(pairs)


def environment() -> dict[str, Any]:
    """Return the content of ``environment.json``: versions, without names of this machine."""
    versions = {"psis_bench": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": versions,
    }


def code_state() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout this package lies in and whether it has changes; None where there is none."""
    root = configs_dir().parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "psis_bench", "configs")
    except (OSError, subprocess.SubprocessError):
        return None, None
    return (commit, bool(status)) if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", commit) else (None, None)


def software_of(run: RunDirectory) -> str:
    """Return name and version of what a run was trained with."""
    version = __version__
    if run.marker(Stage.TRAIN).is_file():
        version = json.loads(run.marker(Stage.TRAIN).read_text(encoding="utf-8")).get("psis_bench", version)
    return f"psis_bench {version}"


def hours_of(run: RunDirectory) -> float | None:
    """Return how long the training took, in hours; None when that is not on record."""
    seconds: float | None = None
    if run.train_log.is_file():
        lines = run.train_log.read_text(encoding="utf-8").splitlines()
        times = [json.loads(line).get("seconds") for line in lines[-5:] if line.strip()]
        seconds = next((time for time in reversed(times) if time), None)
    if seconds is None and run.marker(Stage.TRAIN).is_file():
        seconds = json.loads(run.marker(Stage.TRAIN).read_text(encoding="utf-8")).get("seconds")
    return seconds / 3600 if seconds else None


def mask_sources_of(run: RunDirectory) -> list[str]:
    """Return everything that a run's masks were learned from, one text each."""
    manifest, taught = manifest_of(run.predictions), provenance_of(run.path)
    sources = []
    if not manifest.get(LEARNS_NO_MASKS):
        sources.append(f"{run.dataset.name}, training part, the {len(run.split.seen)} seen classes")
    if taught:
        who = taught["teacher"]
        weights = who["weights_sha256"]
        hashed = f"settings {who['settings_sha256'][:12]}" if weights is None else str(weights)[:12]
        sources.append(
            f"masks of a teacher ({who['model']}, {hashed}) on boxes of the other classes of {taught['data']}"
        )
    if manifest.get(EXTRA_MASKS):
        sources.append(f"{MARK}: {manifest[EXTRA_MASKS]}")
    return sources or ["none: no mask is learned from"]


def parameters_of(run: RunDirectory) -> int | None:
    """Return how many weights the trained model has; None without weights."""
    return read_weights_header(run.final_weights).parameters if run.final_weights.is_file() else None


def hardware() -> str:
    """Return the processor, and the GPUs where NVIDIA's tool finds some."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        listed = []
    gpus = [f"{listed.count(name)} x {name}" for name in dict.fromkeys(listed)]
    return ", ".join(gpus) or f"CPU ({platform.machine()})"


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def _name(statement: ast.stmt) -> str:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        raise ValueError(f"line {statement.lineno}")
    return statement.targets[0].id


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {str(item.arg): _literal(item.value) for item in node.keywords}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [str(ast.literal_eval(key)) for key in node.keys if key is not None]
        return dict(zip(keys, map(_literal, node.values), strict=True))
    return ast.literal_eval(node)
