"""What is installed and found, and for each problem the one command that mends it.

Nothing that may be broken is imported here: distributions are read from their metadata, and what has to be imported
to know is imported in a process of its own (`psis_bench.doctor_probe`), which may crash.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from psis_bench import __version__

_GIB = 2**30
_LEAST_DISK = 2 * _GIB
_TRAIN = "pip install -e '.[train]'"
BASE = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pycocotools",
    "matplotlib",
    "jinja2",
    "omegaconf",
    "PIL",
    "yaml",
    "rich",
)
_MAINTAINED = {"mmengine": "onedl-mmengine", "mmcv": "onedl-mmcv", "mmdet": "onedl-mmdetection"}


class State(StrEnum):
    """How a finding is to be taken: all is well, good to know, or to be mended."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report; ``cure`` is the command that mends it, empty when there is nothing to mend."""

    subject: str
    state: State
    text: str
    cure: str = ""


def examine(*, folder: Path, probe: Callable[[], dict[str, Any]] | None = None) -> list[Finding]:
    """Look at the machine and the installation.

    Args:
        folder: Where runs would be written.
        probe: Returns what only imports can tell; by default `psis_bench.doctor_probe.probe`.

    Returns:
        The findings in reading order. Whatever is broken, this returns: a check that fails is itself a finding.
    """
    from psis_bench.doctor_probe import probe as default_probe

    try:
        imported = (probe or default_probe)()
    except Exception as error:  # a broken environment can raise anything
        imported = {"failed": f"{type(error).__name__}: {error}"}
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("python", _python),
        ("base packages", lambda: _base(imported)),
        ("torch", lambda: _torch(imported)),
        *((module, lambda module=module: _mm_package(module)) for module in _MAINTAINED),
        ("mmcv ops", lambda: _ops(imported)),
        ("mmdet import", lambda: _imports(imported)),
        ("opencv", lambda: _opencv(imported)),
        ("evaluator", lambda: _evaluator(imported)),
        ("machine", lambda: _machine(folder)),
        ("data", _data),
    ]
    findings: list[Finding] = []
    for subject, check in checks:
        try:
            findings += check()
        except Exception as error:  # see above
            text = f"could not be checked: {type(error).__name__}: {' '.join(str(error).split())}"
            findings.append(Finding(subject=subject, state=State.PROBLEM, text=text, cure="psis-bench doctor --debug"))
    return findings


def _python() -> Iterator[Finding]:
    text = f"{platform.python_version()} ({sys.executable}), psis_bench {__version__}"
    yield Finding(subject="python", state=State.OK, text=text)
    from psis_bench.config import configs_dir

    if not (configs_dir() / "models").is_dir():
        yield Finding(
            subject="configs",
            state=State.PROBLEM,
            text=f"no models in {configs_dir()}",
            cure="pip install --force-reinstall --no-deps psis_bench",
        )


def _base(imported: dict[str, Any]) -> Iterator[Finding]:
    broken = {name: reason for name, reason in imported.get("base", {}).items() if reason}
    if "error" in broken:
        broken = {"numpy": broken["error"]}
    broken |= {name: "not installed" for name in BASE if _spec(name) is None}
    for name, reason in broken.items():
        package = {"PIL": "pillow", "yaml": "pyyaml"}.get(name, name)
        cure = f"pip install --force-reinstall {package}"
        yield Finding(subject=package, state=State.PROBLEM, text=f"cannot be imported: {reason}", cure=cure)
    if not broken:
        yield Finding(subject="base", state=State.OK, text="everything that scoring and reports need can be imported")


def _torch(imported: dict[str, Any]) -> Iterator[Finding]:
    if _spec("torch") is None:
        text = "not installed: scoring and reports work, training and prediction do not"
        yield Finding(subject="torch", state=State.NOTE, text=text, cure=_TRAIN)
        return
    facts = imported.get("torch", {})
    reason = facts.get("error") or (None if facts else imported.get("failed", "nothing is known of it"))
    reinstall = "pip install --force-reinstall torch torchvision"
    if reason:
        yield Finding(subject="torch", state=State.PROBLEM, text=f"cannot be imported: {reason}", cure=reinstall)
        return
    yield Finding(subject="torch", state=State.OK, text=f"{facts['version']}, torchvision {facts.get('torchvision')}")
    if facts.get("torchvision_error"):
        text = f"does not fit this torch: {facts['torchvision_error']}"
        yield Finding(subject="torchvision", state=State.PROBLEM, text=text, cure=reinstall)
    yield _cuda(facts)


def _cuda(facts: dict[str, Any]) -> Finding:
    if facts.get("devices"):
        text = f"{facts['cuda']}: {', '.join(facts['devices'])}"
        return Finding(subject="cuda", state=State.OK, text=text)
    if not Path("/proc/driver/nvidia/version").exists():
        return Finding(subject="cuda", state=State.NOTE, text="no NVIDIA driver: runs on the CPU")
    if not facts.get("cuda"):
        cure = "pip install --force-reinstall torch torchvision"
        return Finding(
            subject="cuda", state=State.PROBLEM, text="there is a GPU, but torch is built for CPUs", cure=cure
        )
    reason = facts.get("cuda_error") or "no reason is given"
    text = f"there is a driver, but torch (for CUDA {facts['cuda']}) finds no GPU: {reason}"
    return Finding(subject="cuda", state=State.PROBLEM, text=text, cure="nvidia-smi")


def _mm_package(module: str) -> Iterator[Finding]:
    owners = owners_of(module)
    fork = _MAINTAINED[module]
    names = " and ".join(f"{owner.name} {owner.version}" for owner in owners)
    reinstall = f"pip uninstall -y {' '.join(owner.name for owner in owners)} && {_TRAIN}"
    others = [owner for owner in owners if owner.name != fork]

    def finding(state: State, text: str, cure: str = "") -> Finding:
        return Finding(subject=module, state=state, text=text, cure=cure)

    if _spec(module) is None:
        if owners:
            yield finding(State.PROBLEM, f"{names} is installed, but its files are gone", reinstall)
        elif _spec("torch") is None:
            yield finding(State.NOTE, "not installed: needed for training and prediction", _TRAIN)
        else:
            yield finding(State.PROBLEM, "not installed: training and prediction need it", _TRAIN)
    elif not owners:
        yield finding(State.NOTE, f"of no distribution: {_folder(module)}")
    elif len(owners) > 1:
        yield finding(State.PROBLEM, f"mixed: {names} own the same folder, and either may win", reinstall)
    elif others:
        yield finding(State.PROBLEM, f"{names} is not maintained and breaks with torch 2.6 and later", reinstall)
    else:
        yield finding(State.OK, names)


def owners_of(module: str) -> list[Distribution]:
    """Return every installed distribution that has files in the package ``module``, ordered by name."""
    found: dict[str, Distribution] = {}
    for distribution in importlib.metadata.distributions():
        # The text of the record: parsing every line of every package would take seconds.
        record = distribution.read_text("RECORD") or distribution.read_text("top_level.txt") or ""
        if re.search(rf"^{re.escape(module)}(/.*\.(py|so)\b|$)", record, flags=re.MULTILINE):
            found.setdefault(str(distribution.name), distribution)
    return [found[name] for name in sorted(found)]


def _ops(imported: dict[str, Any]) -> Iterator[Finding]:
    folder = _folder("mmcv")
    if folder is None:
        return
    compiled = sorted(folder.glob("_ext*.so"))
    if not compiled:
        yield Finding(subject="mmcv ops", state=State.OK, text="not compiled: supplied from torchvision")
    elif reason := imported.get("mm", {}).get("ext_error"):
        yield Finding(
            subject="mmcv ops",
            state=State.PROBLEM,
            text=f"compiled, but they do not fit this torch: {reason}",
            cure=f"rm {compiled[0]}",
        )
    else:
        yield Finding(subject="mmcv ops", state=State.OK, text=f"compiled ({compiled[0].name})")


def _imports(imported: dict[str, Any]) -> Iterator[Finding]:
    facts = imported.get("mm", {})
    if _spec("mmdet") is None or _spec("torch") is None or not facts:
        return
    if reason := facts.get("error"):
        cure = f"pip uninstall -y {' '.join(sorted(_MAINTAINED.values()))} && {_TRAIN}"
        yield Finding(subject="mmdet", state=State.PROBLEM, text=f"cannot be imported: {reason}", cure=cure)


def _opencv(imported: dict[str, Any]) -> Iterator[Finding]:
    owners = owners_of("cv2")
    names = " and ".join(f"{owner.name} {owner.version}" for owner in owners) or "of no distribution"
    reason = imported.get("cv2", {}).get("error")
    cure = "pip install --force-reinstall --no-deps 'opencv-python-headless<4.13'"
    if _spec("cv2") is None:
        yield Finding(subject="opencv", state=State.PROBLEM, text="not installed", cure=cure)
    elif reason:
        yield Finding(subject="opencv", state=State.PROBLEM, text=f"{names}: cannot be imported: {reason}", cure=cure)
    elif len({owner.version for owner in owners}) > 1:
        text = f"{names} own the same folder, with different versions"
        yield Finding(subject="opencv", state=State.PROBLEM, text=text, cure=cure)
    elif len(owners) > 1:
        yield Finding(subject="opencv", state=State.NOTE, text=f"{names} own the same folder; it can be imported")
    else:
        yield Finding(subject="opencv", state=State.OK, text=names)


def _evaluator(imported: dict[str, Any]) -> Iterator[Finding]:
    versions = {name: _version(name) for name in ("pycocotools", "hotcoco")}
    reason = "not installed" if _spec("hotcoco") is None else imported.get("hotcoco", {}).get("error")
    if reason:
        text = f"pycocotools {versions['pycocotools']}; hotcoco, 20 times faster, cannot be used: {reason}"
        yield Finding(subject="evaluator", state=State.NOTE, text=text, cure="pip install --force-reinstall hotcoco")
    else:
        text = f"hotcoco {versions['hotcoco']}, pycocotools {versions['pycocotools']}"
        yield Finding(subject="evaluator", state=State.OK, text=text)


def _machine(folder: Path) -> Iterator[Finding]:
    from psis_bench.data.dataset_config import cache_folder

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    yield Finding(subject="machine", state=State.OK, text=f"{cores} cores, {memory:.0f} GiB of memory")
    for subject, place, key in (
        ("disk of runs", folder, "out="),
        ("disk of cache", cache_folder(), "PSIS_BENCH_CACHE="),
    ):
        there = next((parent for parent in (place.absolute(), *place.absolute().parents) if parent.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        text = f"{free / _GIB:.1f} GiB free in {place.absolute()}"
        if not there.is_dir() or not os.access(there, os.W_OK):
            cure = f"choose another folder with {key}DIR"
            yield Finding(subject=subject, state=State.PROBLEM, text=f"{there} cannot be written to", cure=cure)
        elif free < _LEAST_DISK:
            yield Finding(subject=subject, state=State.PROBLEM, text=text, cure=f"du -xh {there} | sort -h | tail")
        else:
            yield Finding(subject=subject, state=State.OK, text=text)


def _data() -> Iterator[Finding]:
    from psis_bench.data.dataset_config import DATA_VARIABLE, list_datasets

    folder = os.environ.get(DATA_VARIABLE)
    if folder and not Path(folder).expanduser().is_dir():
        text = f"{DATA_VARIABLE}={folder}: no such folder"
        yield Finding(subject="data", state=State.PROBLEM, text=text, cure=f"export {DATA_VARIABLE}=/path/to/data")
    for item in list_datasets():
        where = f"found in {item.root}" if item.found else item.note
        state = State.OK if item.found else State.NOTE
        yield Finding(subject=f"data={item.name}", state=state, text=where)


def _spec(module: str) -> Any:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _folder(module: str) -> Path | None:
    spec = _spec(module)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(places[0]) if places else None


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
