"""Measuring commands, each in a process of its own: seconds that it tells, and the peak of its memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PEAK = """
import resource, time
print(time.process_time())
with open("/proc/self/status") as file:
    peak = next(line for line in file if line.startswith("VmHWM:"))
print((int(peak.split()[1]) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024)
"""

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
        ``megabytes``: the peak of its memory and that of the largest process that it started, added up even where the
        two did not come together.
    """
    command = [sys.executable, "-c", script + _PEAK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr[-3000:]}\nthe script ended with {done.returncode}")
    told, cpu, peak = done.stdout.strip().splitlines()[-3:]
    found: dict[str, float] = json.loads(told)
    return {"cpu": float(cpu), **found, "megabytes": float(peak)}


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
