"""Measuring commands, each in a process of its own: seconds that it tells, and the peak of its memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PEAK = """
import time
print(time.process_time())
with open("/proc/self/status") as file:
    peak = next(line for line in file if line.startswith("VmHWM:"))
print(int(peak.split()[1]) / 1024)
"""

_EVERY = 0.02
"""Seconds between two looks at the memory of a command and of what it started."""

CPU_OF_ALL = """
def busy_seconds():
    import os
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
"""
"""Defines processor seconds of all threads and of all processes that were started and have ended."""


def run(script: str, *arguments: str) -> dict[str, float]:
    """Run a Python script whose last line of output is ``{"seconds": ...}``.

    Returns:
        What it told, ``cpu`` unless it told that: processor seconds of all its threads, imports included, and
        ``megabytes``: the peak of its memory, or of that and the processes that it started together, looked at often.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", script + _PEAK, *arguments], stdout=out, stderr=err, text=True
        )
        together = 0.0
        while process.poll() is None:
            together = max(together, sum(map(_megabytes, [process.pid, *_children(process.pid)])))
            time.sleep(_EVERY)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{err.read()[-3000:]}\nthe script ended with {process.returncode}")
        told, cpu, peak = out.read().strip().splitlines()[-3:]
    found: dict[str, float] = json.loads(told)
    return {"cpu": float(cpu), **found, "megabytes": max(float(peak), together)}


def _megabytes(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0  # it has ended


def _children(process: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def numbers(arguments: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``key=value`` arguments over their defaults, each of its default's type."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise SystemExit(f"unknown key {unknown[0]!r}; there are {', '.join(defaults)}")
    return {key: type(value)(given.get(key, value)) for key, value in defaults.items()}


def kept(path: Path, rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Append rounds to a file and return all that are in it, so that a measurement can be made in parts."""
    rounds = (json.loads(path.read_text()) if path.is_file() else []) + rounds
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounds, indent=1))
    return rounds


def median(rounds: Sequence[Mapping[str, Mapping[str, float]]], name: str, key: str = "seconds") -> float:
    """Return the median over rounds of a number of one command."""
    return statistics.median(entry[name][key] for entry in rounds if name in entry)


def ratio(rounds: Sequence[Mapping[str, Mapping[str, float]]], slow: str, fast: str) -> float:
    """Return the median over rounds of how many times longer one command took than another in the same round."""
    return statistics.median(entry[slow]["seconds"] / entry[fast]["seconds"] for entry in rounds)
