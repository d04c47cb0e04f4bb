"""Imports what may be broken, in processes of their own, and tells how it went.

Run as a module it imports the groups given and prints a line for each. A crash of the interpreter
(a library built for another machine) is told like any other failure.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

# The groups of one process: the mm packages import torch, which takes seconds.
_PROCESSES = (("base",), ("cv2", "hotcoco"), ("torch", "mm"))
_TIME_LIMIT = 180.0


def probe() -> dict[str, Any]:
    """Return, for each group, what was found; ``error`` where it could not be imported.

    The processes run at the same time, each with a time limit of three minutes.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "psis_bench.doctor_probe", *groups],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for groups in _PROCESSES
    ]
    return {
        group: answer
        for groups, process in zip(_PROCESSES, running, strict=True)
        for group, answer in _answers(groups, process).items()
    }


def _answers(groups: Sequence[str], process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read a line ``group: {...}`` for each group; those that are missing are where the process ended."""
    try:
        output, complaint = process.communicate(timeout=_TIME_LIMIT)
        failure = f"the import ended Python with code {process.returncode}: "
        failure += (complaint.strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        failure = f"the import took longer than {_TIME_LIMIT:.0f} s"
    answers: dict[str, Any] = {group: {"error": failure} for group in groups}
    for line in output.splitlines():
        group, _, text = line.partition(": ")
        if group in answers:
            with contextlib.suppress(ValueError):
                answers[group] = json.loads(text)
    return answers


def main(groups: Sequence[str]) -> None:
    """Import groups and print what was found, a line each."""
    look: dict[str, Callable[[], dict[str, Any]]] = {
        "base": _base,
        "cv2": lambda: {"error": _failure("cv2")},
        "hotcoco": lambda: {"error": _failure("hotcoco")},
        "torch": _torch,
        "mm": _mm,
    }
    for group in groups:
        sys.stdout.write(f"\n{group}: {json.dumps(look[group]())}\n")
        sys.stdout.flush()


def _failure(module: str) -> str | None:
    """Return why a module cannot be imported, in one line; None when it can."""
    try:
        importlib.import_module(module)
    except BaseException as error:  # a broken package may even call sys.exit
        return _told(error)
    return None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _base() -> dict[str, Any]:
    from psis_bench.doctor import BASE

    return {name: _failure(name) for name in BASE}


def _torch() -> dict[str, Any]:
    if reason := _failure("torch"):
        return {"error": reason}
    import torch

    facts: dict[str, Any] = {"version": str(torch.__version__), "cuda": torch.version.cuda, "devices": []}
    try:
        import torchvision

        facts["torchvision"] = str(torchvision.__version__)
        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except Exception as error:
        facts["torchvision_error"] = _told(error)
    try:
        if torch.cuda.is_available():
            facts["devices"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        elif torch.version.cuda:
            torch.zeros(1, device="cuda")
    except Exception as error:
        facts["cuda_error"] = _told(error)
    return facts


def _mm() -> dict[str, Any]:
    if reason := _failure("mmcv"):
        return {"error": f"mmcv: {reason}"}
    facts: dict[str, Any] = {"error": None, "ext_error": None}
    ops = _failure("mmcv._ext")
    if ops is not None and "No module named 'mmcv._ext'" not in ops:
        return facts | {"ext_error": ops}
    try:
        from psis_bench.models.ops import install_ops

        install_ops()
    except Exception as error:
        return facts | {"error": _told(error)}
    return facts | {"error": _failure("mmdet.models")}


if __name__ == "__main__":
    main(sys.argv[1:])
