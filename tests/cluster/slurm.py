"""A SLURM of two nodes on this machine: munged, slurmctld and two slurmd, in a folder of their own.

Needs root and Debian's packages slurmctld, slurmd, slurm-client and munge.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
NODES = ("n1", "n2")
PATIENCE = 600.0

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=17000
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=10
MpiDefault=none
{nodes}
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Cluster:
    """The running cluster.

    Attributes:
        folder: Configuration, logs and state.
        environment: Variables under which SLURM's commands reach it.
    """

    folder: Path
    environment: dict[str, str]
    _daemons: list[Path] = field(default_factory=list)

    def command(self, *words: str) -> str:
        """Run a command of SLURM and return what it prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def start(self, *words: str, pid_file: Path) -> None:
        """Start a daemon that goes to the background by itself."""
        subprocess.run(words, env=self.environment, check=True, stdin=subprocess.DEVNULL)
        wait_for(pid_file.exists, f"{words[0]} to start")
        self._daemons.append(pid_file)

    def kill_node(self, name: str) -> None:
        """End a node as a power cut would: its slurmd, the steps on it and all that they run."""
        on_node = [pid for pid in _processes() if f"SLURMD_NODENAME={name}" in _environment(pid)]
        steps = {parent for pid in on_node if (parent := _parent(pid)) and _name(parent).startswith("slurmstepd")}
        _kill(int((self.folder / f"{name}.pid").read_text()))
        for pid in (*steps, *on_node):
            _kill(pid)

    def stop(self) -> None:
        """End every daemon by its pid file, the last one first."""
        subprocess.run(["scancel", "--user=root"], env=self.environment, check=False, capture_output=True)
        for pid_file in reversed(self._daemons):
            if pid_file.exists():
                _kill(int(pid_file.read_text()), signal.SIGTERM)
        wait_for(lambda: not any(path.exists() for path in self._daemons[1:]), "the daemons to end", fail=False)


def missing_programs() -> list[str]:
    """Return the programs that are not installed here."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster while the block runs."""
    host = socket.gethostname().split(".")[0]
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={17001 + place} CPUs=1 RealMemory=4000"
        for place, name in enumerate(NODES)
    )
    (folder / "slurm.conf").write_text(_CONF.format(host=host, folder=folder, nodes=nodes, names=",".join(NODES)))
    for name in ("state", *(f"spool/{node}" for node in NODES)):
        (folder / name).mkdir(parents=True)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    environment["PATH"] = f"{environment['PATH']}:/usr/sbin:/sbin"
    made = Cluster(folder=folder, environment=environment)
    try:
        _start_munge(made)
        made.start("slurmctld", pid_file=folder / "slurmctld.pid")
        for name in NODES:
            made.start("slurmd", "-N", name, pid_file=folder / f"{name}.pid")
        wait_for(lambda: made.command("sinfo", "-h", "-o", "%T").split() == ["idle"], "both nodes to be idle")
        yield made
    finally:
        made.stop()


def _start_munge(made: Cluster) -> None:
    folder = made.folder / "munge"
    folder.mkdir(mode=0o755)
    shutil.chown(folder, "munge", "munge")
    for parent in (made.folder, *made.folder.parents):
        if parent.stat().st_uid == 0 and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o055)  # pytest's folders are for their owner alone
    as_munge = ["runuser", "-u", "munge", "--"]
    subprocess.run([*as_munge, "mungekey", "--create", f"--keyfile={folder}/key"], check=True, env=made.environment)
    made.start(
        *as_munge, "munged", "--force", f"--key-file={folder}/key", f"--socket={folder}/socket",
        f"--pid-file={folder}/pid", f"--log-file={folder}/log", f"--seed-file={folder}/seed",
        pid_file=folder / "pid",
    )  # fmt: skip


def wait_for(condition: Callable[[], bool], what: str, *, fail: bool = True) -> None:
    """Wait for a condition, for minutes if need be."""
    deadline = time.monotonic() + (PATIENCE if fail else 20)
    while not condition():
        if time.monotonic() > deadline:
            if fail:
                raise TimeoutError(f"waited for {what}")
            return
        time.sleep(0.2)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _environment(pid: int) -> list[str]:
    return _read(pid, "environ").split("\0")


def _name(pid: int) -> str:
    return _read(pid, "comm").strip()


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
