"""Who runs a job: claims that only one process can win, and that tell when their process is gone.

::

    <job>/.state/attempts/0001.json        the first attempt's claim: process, host, time; its mtime is the heartbeat
    <job>/.state/attempts/0001.end.json    how it ended; a killed attempt has none

A claim is a file that is made whole and only if there is none of its number (a hard link), and none is ever removed.
So two processes that both find a job free, or its last attempt dead, make the same next number, and one of them fails.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from psis_bench.files import write_error, write_json

HEARTBEAT_SECONDS = 15.0
"""How often a running attempt touches its claim."""
DEAD_AFTER_SECONDS = 180.0
"""Silence after which an attempt on another machine counts as dead."""

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try to run a job.

    Attributes:
        number: From 1.
        path: The claim.
        claim: Its content: ``host``, ``pid``, ``machine``, ``process``, ``claimed`` (seconds since 1970), ...
        end: How it ended: ``outcome`` (``done``, ``failed`` or ``interrupted``), ``message``, ``seconds``; None:
            it goes on, or was killed.
    """

    number: int
    path: Path
    claim: Mapping[str, Any]
    end: Mapping[str, Any] | None

    def is_alive(self, *, now: float) -> bool:
        """Whether the attempt still runs.

        On this machine the process is looked for; on another one its heartbeat has to be recent.

        Args:
            now: The time by the clock that the heartbeat is written with (see `clock_of`).
        """
        if self.end is not None:
            return False
        if self.claim.get("machine") == machine():
            return self.claim.get("process") == process_start(int(self.claim.get("pid", 0)))
        try:
            return now - self.path.stat().st_mtime < DEAD_AFTER_SECONDS
        except OSError:
            return False

    def finish(self, outcome: str, *, message: str = "") -> None:
        """Note how the attempt ended."""
        seconds = time.time() - float(self.claim.get("claimed", time.time()))
        write_json(
            self.path.with_suffix(".end.json"), {"outcome": outcome, "message": message, "seconds": max(0.0, seconds)}
        )

    def beat(self) -> bool:
        """Touch the claim; return whether the attempt is still the job's last one."""
        os.utime(self.path)
        return not self.path.with_name(f"{self.number + 1:04d}.json").exists()


def attempts_folder(job: Path) -> Path:
    """Return the folder with the attempts of a job."""
    return job / ".state" / "attempts"


def last_attempt(job: Path) -> Attempt | None:
    """Return the newest attempt of a job; None when there was none."""
    folder = attempts_folder(job)
    try:
        names = os.listdir(folder)  # noqa: PTH208 - thousands of jobs are looked at
    except OSError:
        return None
    numbers = [name[:-5] for name in names if name.endswith(".json") and name[:-5].isdigit()]
    if not numbers:
        return None
    stem = max(numbers, key=int)
    end = _read(folder / f"{stem}.end.json") if f"{stem}.end.json" in names else None
    path = folder / f"{stem}.json"
    return Attempt(number=int(stem), path=path, claim=_read(path) or {}, end=end)


def claim(job: Path, *, after: int, more: Mapping[str, Any] | None = None) -> Attempt | None:
    """Claim a job for this process.

    Args:
        job: The job's directory.
        after: The number of the last attempt that was looked at when the job was found free; 0: there was none.
        more: What else the claim shall tell.

    Returns:
        The attempt, or None when somebody else was first.

    Raises:
        UserError: The directory cannot be written to.
    """
    folder = attempts_folder(job)
    path = folder / f"{after + 1:04d}.json"
    content = {**this_process(), "claimed": time.time(), **(more or {})}
    whole = folder / f".{after + 1:04d}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole.write_text(json.dumps(content), encoding="utf-8")
        try:
            _make_whole(whole, path)
        except FileExistsError:
            return None
        finally:
            whole.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return Attempt(number=after + 1, path=path, claim=content, end=None)


def _make_whole(whole: Path, path: Path) -> None:
    """Give a written file its name, unless there is one of this name.

    Raises:
        FileExistsError: There is.
    """
    try:
        os.link(whole, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links: a reader may see the claim empty for a moment, which is a living one.
        with path.open("x", encoding="utf-8") as made:
            made.write(whole.read_text(encoding="utf-8"))


def this_process() -> dict[str, Any]:
    """Return what tells this process from every other, also from a later one of the same number."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "machine": machine(),
        "process": process_start(os.getpid()),
    }


@cache
def machine() -> str:
    """Return a name for the set of processes that this process can look for: a boot of a machine, and a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def process_start(pid: int) -> str | None:
    """Return when a process of this machine started, as text; None when there is none (a zombie is none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        return _start_without_proc(pid)
    except OSError:
        return None
    # The name of the program, in brackets, may hold spaces and brackets.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _start_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "running"
    return "running"


def clock_of(folder: Path) -> float:
    """Return the time by the clock of a folder's file system, which may be another machine's."""
    probe = folder / f".clock.{os.getpid()}.{time.monotonic_ns()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
