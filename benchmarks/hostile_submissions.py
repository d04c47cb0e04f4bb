"""How long hostile submissions take to be refused, and how much memory that needs: ``make hostile``.

Each case of tests/support/hostile_submissions.py is checked by a ``psis-bench validate`` of its own. Fails when one
needs more than 5 seconds or a process of it more than 1 GB, when it is not refused, or when it leaves a trace.

    python benchmarks/hostile_submissions.py [name ...]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from hostile_submissions import HOSTILE
from small_world import World, make_world

from psis_bench.console import out

# A small process in between: the memory of a new process is counted from that of the one that starts it.
LAUNCHER = """
import json, os, sys, time
begin = time.monotonic()
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
spent = [time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]
print(json.dumps([os.waitstatus_to_exitcode(status), *spent]))
"""
SECONDS, MEGABYTES = 5.0, 1024.0


class Measured(NamedTuple):
    """One check: wall-clock and CPU seconds, resident megabytes of its largest process, and what is wrong with it."""

    seconds: float
    cpu: float
    megabytes: float
    faults: list[str]


def measure(name: str, made: Path) -> Measured:
    """Check one hostile submission in a copy of the world."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world")
        shutil.copytree(made, world.folder)
        path = HOSTILE[name].make(world)
        before = listing(Path(folder))
        command = [
            sys.executable,
            "-m",
            "psis_bench.cli",
            "validate",
            str(path),
            f"data={world.annotations}",
            "zoo=none",
        ]
        launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
        done = subprocess.run(launched, cwd=world.folder, capture_output=True, text=True, check=True)
        shown, _, last = done.stdout.rstrip().rpartition("\n")
        code, seconds, cpu, megabytes = json.loads(last)
        faults = []
        if code != 1 or HOSTILE[name].told not in shown:
            faults.append(f"not refused as expected: {shown.strip()[-200:]}")
        if listing(Path(folder)) != before:
            faults.append("left a trace")
        faults += [f"more than {SECONDS} s"] if seconds > SECONDS else []
        faults += [f"more than {MEGABYTES} MB"] if megabytes > MEGABYTES else []
        return Measured(seconds, cpu, megabytes, faults)


def listing(folder: Path) -> list[str]:
    """Return everything below a folder, with sizes."""
    return sorted(f"{path} {path.lstat().st_size}" for path in folder.rglob("*"))


def main(names: list[str]) -> int:
    """Measure the cases, a line each; return 1 when one is at fault."""
    found: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "world"
        made.mkdir()
        make_world(made)
        for name in names or HOSTILE:
            measured = measure(name, made)
            found.append(measured)
            told = f"  {'; '.join(measured.faults)}" if measured.faults else ""
            numbers = f"{measured.seconds:6.2f} s {measured.cpu:6.2f} s of CPU {measured.megabytes:5.0f} MB"
            out.print(f"{numbers}  {name}{told}", markup=False, soft_wrap=True)
    wrong = sum(bool(measured.faults) for measured in found)
    most = [max(numbers) for numbers in zip(*((one.seconds, one.cpu, one.megabytes) for one in found), strict=True)]
    out.print(f"most: {most[0]:.2f} s, {most[1]:.2f} s of CPU, {most[2]:.0f} MB")
    out.print(f"{len(found)} hostile submissions, {wrong} at fault")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
