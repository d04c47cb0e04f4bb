"""GrabCut on many boxes at once, in as many processes as are wanted; the masks are the same for any number of them.

A process has its own interpreter with NumPy and OpenCV and is given cut-outs, so that it costs little memory. Each is
fed by a thread, through pipes: when the main process dies, by whatever signal, their input ends and so do they.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import psis_bench
from psis_bench.grabcut.cut import CutOut, CutSettings, cut_out

_AHEAD = 32
"""Boxes for each process that may wait: enough to keep all busy, few enough to end soon when something goes wrong."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class GrabCutPool:
    """Processes that cut.

    Args:
        settings: See `CutSettings`.
        processes: How many; they are started with the first box.
    """

    def __init__(self, settings: CutSettings, *, processes: int) -> None:
        self.settings = settings
        self._workers: list[subprocess.Popen[bytes]] = []
        self._own = threading.local()
        self._places = threading.BoundedSemaphore(_AHEAD * processes)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="grabcut")
        weakref.finalize(self, _stop, self._threads, self._workers)

    def submit(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> list[Future[str]]:
        """Begin to cut; return when at most `_AHEAD` boxes a process are still waiting.

        Args:
            image: uint8 (H, W, 3), channels in any order; it may be thrown away afterwards.
            boxes: (N, 4) xyxy in its pixels.

        Returns:
            For each box, what becomes the compressed run lengths of its mask in the image.
        """
        height, width = image.shape[:2]
        parts = [cut_out(image, (box[0], box[1], box[2], box[3]), self.settings) for box in boxes.tolist()]
        return [self._begin(part, height, width) for part in parts]

    def close(self) -> None:
        """End the processes; what still waits is given up."""
        _stop(self._threads, self._workers)

    @property
    def process_ids(self) -> list[int]:
        """The numbers of the processes that were started."""
        return [worker.pid for worker in self._workers]

    def _begin(self, part: CutOut, height: int, width: int) -> Future[str]:
        self._places.acquire()
        task = self._threads.submit(self._ask, part, height, width)
        task.add_done_callback(lambda _: self._places.release())
        return task

    def _ask(self, part: CutOut, height: int, width: int) -> str:
        worker = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = _start()
            self._workers.append(worker)
        assert worker.stdin is not None and worker.stdout is not None  # noqa: S101, PT018 - both were asked for
        try:
            pickle.dump((part, self.settings, height, width), worker.stdin, protocol=5)
            worker.stdin.flush()
            return str(pickle.load(worker.stdout))  # noqa: S301 - of a process that this one has started
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise RuntimeError(f"a GrabCut process ended with code {worker.wait()}; its message is above") from error


def _start() -> subprocess.Popen[bytes]:
    # The package may lie in a checkout that is on nobody's path but this process's.
    package = str(Path(psis_bench.__file__).resolve().parent.parent)
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": path}
    command = [sys.executable, "-m", "psis_bench.grabcut.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _stop(threads: ThreadPoolExecutor, workers: list[subprocess.Popen[bytes]]) -> None:
    threads.shutdown(wait=True, cancel_futures=True)
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.close()
        worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()
