"""Which evaluator computes: hotcoco where it is installed and safe to use, pycocotools or our own NumPy elsewhere.

`hotcoco <https://github.com/derekallman/hotcoco>`_ hangs in a process that was forked from one that has used it.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Literal

from psis_bench.errors import UserError

Engine = Literal["auto", "hotcoco", "pycocotools"]

_process_of_hotcoco: int | None = None


def hotcoco_is_usable(engine: Engine) -> bool:
    """Tell whether hotcoco is to be used; where it is, note that this process has used it.

    Raises:
        UserError: ``engine="hotcoco"`` cannot be used here.
    """
    global _process_of_hotcoco  # noqa: PLW0603 - the thread pool it stands for belongs to the process
    if engine == "pycocotools":
        return False
    installed = importlib.util.find_spec("hotcoco") is not None
    forked = _process_of_hotcoco not in (None, os.getpid())
    if engine == "hotcoco" and not installed:
        raise UserError("the evaluator hotcoco is not installed", cure="pip install 'hotcoco>=1.3,<2'")
    if engine == "hotcoco" and forked:
        raise UserError("hotcoco was used before this process was forked", cure="use the engine pycocotools here")
    if not installed or forked:
        return False
    _process_of_hotcoco = os.getpid()
    return True
