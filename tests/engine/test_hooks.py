"""What happens around an iteration: seeds, the log, and a loss that is not a number."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from psis_bench.engine.hooks import SeedEachIteration, TrainLog
from psis_bench.errors import UserError


class Bar:
    """Counts what a progress bar is told."""

    def __init__(self) -> None:
        self.steps = 0.0
        self.note = ""

    def advance(self, steps: float = 1, *, note: str = "") -> None:
        self.steps += steps
        self.note = note


def runner(iteration: int, *, rank: int = 0) -> Any:
    wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.25]})
    return SimpleNamespace(iter=iteration - 1, max_iters=7, optim_wrapper=wrapper, rank=rank)


def losses(**values: float) -> dict[str, Any]:
    return {name: torch.tensor(value) for name, value in values.items()} | {"acc": torch.tensor(float("nan"))}


def test_log_lines_are_means_of_their_interval(tmp_path: Path) -> None:
    path, bar = tmp_path / "train_log.jsonl", Bar()
    log = TrainLog(path=path, interval=3, bar=bar)
    for iteration in range(1, 8):
        log.after_train_iter(runner(iteration), 0, outputs=losses(loss=float(iteration), loss_mask=2.0 * iteration))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["iteration"], line["loss"], line["loss_mask"]) for line in lines] == [
        (3, 2, 4),
        (6, 5, 10),
        (7, 7, 14),
    ]
    assert all(line["lr"] == 0.25 and line["seconds"] >= 0 and "acc" not in line for line in lines)
    assert (bar.steps, bar.note) == (7, "loss 7.000")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, value: float) -> None:
    log = TrainLog(path=tmp_path / "train_log.jsonl", interval=3, bar=Bar())
    log.after_train_iter(runner(4), 0, outputs=losses(loss=1.0, loss_mask=1.0))
    with pytest.raises(UserError, match=rf"loss_mask is {value} at iteration 5; lower the learning rate") as error:
        log.after_train_iter(runner(5), 0, outputs=losses(loss=1.0, loss_mask=value))
    assert "train_log.jsonl" in str(error.value)
    assert not (tmp_path / "train_log.jsonl").exists()


def test_a_resumed_log_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "train_log.jsonl"
    for begin in (1, 2):
        log = TrainLog(path=path, interval=1, bar=Bar())
        for iteration in range(begin, begin + 2):
            log.after_train_iter(runner(iteration), 0, outputs=losses(loss=float(10 * begin)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["iteration"], line["loss"]) for line in lines] == [(1, 10), (2, 10), (2, 20), (3, 20)]


def test_an_iterations_randomness_depends_on_its_number_alone() -> None:
    def draw(seed: int, iteration: int, rank: int = 0) -> float:
        SeedEachIteration(seed=seed).before_train_iter(runner(iteration, rank=rank), 0)
        return float(torch.rand(()))

    torch.manual_seed(1)
    first = draw(0, 5)
    torch.manual_seed(2)
    assert draw(0, 5) == first
    assert len({first, draw(1, 5), draw(0, 6), draw(0, 5, rank=1)}) == 4
