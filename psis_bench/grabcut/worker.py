"""A process that cuts: pickled tasks on standard input, pickled answers on standard output, until the input ends.

Only `psis_bench.grabcut.pool` starts it and writes to it. It imports NumPy and OpenCV and nothing larger.
"""

from __future__ import annotations

import pickle
import signal
import sys
from typing import BinaryIO

import cv2

from psis_bench.grabcut.cut import CutOut, CutSettings, cut
from psis_bench.rle import encode_crop


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Answer each task, a `CutOut` with its settings and the image's height and width, with a mask's run lengths."""
    while True:
        try:
            part, settings, height, width = pickle.load(tasks)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        pickle.dump(answer(part, settings, height=height, width=width), answers, protocol=5)
        answers.flush()


def answer(part: CutOut, settings: CutSettings, *, height: int, width: int) -> str:
    """Return the compressed run lengths of the mask of a cut-out in its image of ``height`` x ``width`` pixels."""
    placed = cut(part, settings)
    return encode_crop(placed.mask, x=placed.x, y=placed.y, height=height, width=width)


if __name__ == "__main__":
    # The process that started this one is told of Ctrl-C too, and closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    serve(sys.stdin.buffer, sys.stdout.buffer)
