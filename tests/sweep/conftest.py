"""Sweeps in processes of their own, whose jobs train nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SUPPORT = Path(__file__).resolve().parent.parent / "support"
PATIENCE = 60.0


class StubSweeps:
    """A folder, and sweeps on it in processes of their own.

    Attributes:
        folder: The folder of the sweep.
    """

    def __init__(self, folder: Path, *, data: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._data = data
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a sweep."""
        command = [sys.executable, str(SUPPORT / "stub_sweep.py"), *arguments, f"out={self.folder}"]
        if arguments and arguments[0].startswith("split="):
            command += ["device=cpu", f"data={self._data}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._processes.append(process)
        return process

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a sweep to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def hold(self) -> None:
        """Let jobs wait once they have begun."""
        (self.folder / "hold").touch()

    def release(self) -> None:
        """Let the jobs that wait go on."""
        (self.folder / "hold").unlink()

    def begun(self) -> list[tuple[str, int]]:
        """Return the id and the process of each job that was begun, in order."""
        try:
            lines = (self.folder / "started.log").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def states(self, *arguments: str) -> dict[str, Any]:
        """Return what ``--dry-run --json`` tells."""
        done = self.run(*arguments, "--dry-run", "--json")
        content: dict[str, Any] = json.loads(done.stdout)
        return content

    def end(self) -> None:
        """Kill what is left: sweeps, and jobs that outlived theirs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for _, pid in self.begun():
            kill(pid)


@pytest.fixture(scope="session")
def no_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a data set that nobody reads; one for all tests, since its path is part of a job's hash."""
    path = tmp_path_factory.mktemp("data") / "data.yaml"
    parts = {part: {"annotations": f"{part}.json", "images": part} for part in ("train", "val")}
    path.write_text(json.dumps({"name": "none", **parts}))
    return path


@pytest.fixture
def sweeps(tmp_path: Path, no_data: Path) -> Iterator[StubSweeps]:
    """Sweeps on a folder of the test's own."""
    sweeps = StubSweeps(tmp_path / "sweep", data=no_data)
    yield sweeps
    sweeps.end()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when it does not come about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def kill(pid: int) -> None:
    """``kill -9``, also of a process that is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
