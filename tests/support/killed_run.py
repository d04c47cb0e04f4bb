"""Runs that end in ``kill -9`` at a chosen moment, from a process that has imported torch once for all of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

# Threads that wait for their turn on a busy machine must not keep a core busy with waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_IMPORTS = [
    "psis_bench.engine.train",
    "psis_bench.engine.predict",
    "psis_bench.commands.stages",
    "psis_bench.pipeline",
    "psis_bench.scoring.score",
    "psis_bench.scoring.results.table",
    "psis_bench.report.command",
    "matplotlib.backends.backend_svg",
    "omegaconf",
    "pandas",
    "pyarrow.parquet",
]


def run(arguments: Sequence[str], *, killed_at: tuple[str, str] | None = None) -> int:
    """Run ``psis-bench run`` in a process of its own and return its exit code (-9: killed).

    Args:
        arguments: The keys of the run.
        killed_at: ``("before", name)`` or ``("after", name)``: when a file of this name is moved to its place.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTS)
    process = context.Process(target=_child, args=(list(arguments), killed_at))
    process.start()
    process.join()
    return process.exitcode or 0


def _child(arguments: list[str], killed_at: tuple[str, str] | None) -> None:
    from mmengine.config import Config

    from psis_bench.cli import main

    # Formatting configs takes longer than a tiny training.
    Config.pretty_text = property(lambda self: repr(self.to_dict()))
    move = Path.replace

    def move_or_die(source: Path, target: Path) -> Path:
        moment = ("before", Path(target).name)
        if moment == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = move(source, target)
        if ("after", moment[1]) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = move_or_die  # type: ignore[method-assign,assignment]
    raise SystemExit(main(["run", *arguments]))
