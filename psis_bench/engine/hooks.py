"""What happens around each training iteration: seeding, logging, and stopping on a loss that is not a number."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from psis_bench.console import Bar
from psis_bench.engine.checkpoints import LOWER_THE_RATE
from psis_bench.engine.stream import derived_seed
from psis_bench.errors import UserError


class SeedEachIteration(Hook):
    """Seed the model's own randomness (sampling of proposals, dropout) from the iteration's number.

    An iteration then depends on the state it starts from and on nothing that came before, which a
    resumed run needs in order to repeat what the stopped one would have done.
    """

    priority = "VERY_HIGH"

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Seed torch's generators of all devices."""
        torch.manual_seed(derived_seed(self.seed, "model", runner.iter, runner.rank))


class TrainLog(Hook):
    """Append the mean losses of every ``interval`` iterations to a JSON-lines file, and move the bar.

    Args:
        path: One object a line: ``iteration``, each loss, ``lr`` and ``seconds`` since this process began.
            After a resume an iteration may occur twice; the later line counts. Of several processes the losses are
            averaged, which for a loss of this package gives that of the whole batch, and the main one writes.
        interval: Iterations a line.
        bar: The progress bar.
    """

    priority = "LOW"

    def __init__(self, *, path: Path, interval: int, bar: Bar) -> None:
        self.path = path
        self.interval = interval
        self.bar = bar
        self.began = time.monotonic()
        self.sums: dict[str, float] = {}
        self.count = 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Collect the iteration's losses; write a line when it is time.

        Raises:
            UserError: A loss is NaN or infinite. The last checkpoint, from before it, stays.
        """
        iteration = runner.iter + 1
        losses = self._losses(outputs or {})
        for name, value in losses.items():
            if not math.isfinite(value):
                raise UserError(
                    f"{name} is {value} at iteration {iteration}",
                    where=str(self.path),
                    cure=LOWER_THE_RATE,
                )
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.bar.advance(note=f"loss {losses.get('loss', math.nan):.3f}")
        if iteration % self.interval == 0 or iteration == runner.max_iters:
            self._write(runner, iteration)

    @staticmethod
    def _losses(outputs: dict[str, Any]) -> dict[str, float]:
        names = [name for name in outputs if "loss" in name]
        values = torch.stack([outputs[name].detach().float() for name in names]) if names else torch.empty(0)
        all_reduce(values, "mean")
        return dict(zip(names, values.tolist(), strict=True))

    def _write(self, runner: Runner, iteration: int) -> None:
        line = {"iteration": iteration, **{name: total / self.count for name, total in self.sums.items()}}
        line["lr"] = runner.optim_wrapper.get_lr()["lr"][0]
        line["seconds"] = time.monotonic() - self.began
        if is_main_process():
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        self.sums, self.count = {}, 0
