"""A training that is stopped on its way, in the process of the test."""

from __future__ import annotations

from typing import Any

import pytest

from psis_bench.engine.hooks import TrainLog
from psis_bench.engine.train import train
from psis_bench.run import RunDirectory


class StoppedError(Exception):
    """Ends a training from within."""


def stop_in_the_third_iteration(run: RunDirectory) -> None:
    """Train up to the checkpoint of the second iteration, and a little further."""
    log = TrainLog.after_train_iter

    def log_or_stop(hook: TrainLog, runner: Any, *more: Any, **named: Any) -> None:
        if runner.iter + 1 == 3:
            raise StoppedError
        log(hook, runner, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainLog, "after_train_iter", log_or_stop)
        with pytest.raises(StoppedError):
            train(run)
    assert not run.final_weights.exists()
