"""Several processes compute what one does with the same batch, also when one of them has no mask to learn from."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import killed_run
import pytest
import torch
from tiny_data import IDS, SEEN, TinyData

from psis_bench.config import config_to_yaml, resolve_config
from psis_bench.engine.checkpoints import load_weights
from psis_bench.engine.stream import derived_seed
from psis_bench.engine.train import training_dataloader
from psis_bench.errors import UserError
from psis_bench.models.mask_loss import mask_cross_entropy, mask_dice, mean_over_instances
from psis_bench.run import RunDirectory

ITERATIONS = 10
# Nothing that depends on how a batch is put together: images of one size, and no batch statistics.
SAME_WHOEVER_COMPUTES = [
    "mask_head=conv4",
    "mm.train_pipeline.2.keep_ratio=false",
    "mm.train_pipeline.2.ratio_range=[1.0,1.0]",
    "mm.model.backbone.norm_cfg={type: GN, num_groups: 4}",
    "+mm.model.mask_branch.trunk.norm_type=null",
    "mm.optim_wrapper.optimizer={type: SGD, lr: 0.02, weight_decay: 0.0}",
    "mm.only_images_with_masks=false",
]


def _child(rank: int, processes: int, port: int, folder: str) -> None:
    from mmengine.config import Config

    from psis_bench.engine import rank as entry
    from psis_bench.engine.train import train

    Config.pretty_text = property(lambda self: repr(self.to_dict()))
    if processes == 1:
        train(entry.local_run(RunDirectory.load(Path(folder))))
        return
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    raise SystemExit(entry.main([folder]))


def together(folder: Path, processes: int) -> list[int]:
    """Train a run directory with several processes; return their exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(killed_run._IMPORTS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [context.Process(target=_child, args=(rank, processes, port, str(folder))) for rank in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return [child.exitcode or 0 for child in children]


def prepared(tiny: TinyData, out: str, *more: str) -> Path:
    arguments = tiny.arguments("detection_free/small", *SAME_WHOEVER_COMPUTES, *more, out=out, iterations=ITERATIONS)
    config = resolve_config(arguments)
    run = RunDirectory.of(config)
    run.create()
    run.state.mkdir()
    run.config_file.write_text(config_to_yaml(config))
    return run.path


def half_without_masks(tiny: TinyData) -> set[int]:
    """Leave the seen classes to the first half of the images; return the ids of the others."""
    others = {image["id"] for image in tiny.train["images"][len(tiny.train["images"]) // 2 :]}
    seen = {IDS[name] for name in SEEN}
    kept = [a for a in tiny.train["annotations"] if a["image_id"] not in others or a["category_id"] not in seen]
    tiny.train["annotations"] = [{**annotation, "iscrowd": 0} for annotation in kept]
    tiny.write()
    return others


def shares_of_first_iterations(tiny: TinyData, without: set[int]) -> set[tuple[bool, bool]]:
    """Return which pairs (first process has masks, second has) the iterations hold, from the order of the stream."""
    import numpy as np

    images = [image["id"] for image in tiny.train["images"]]
    pairs = set()
    order: list[int] = []
    for epoch in range(4):
        generator = np.random.default_rng(derived_seed(0, "order", epoch))
        order += [images[place] for place in generator.permutation(len(images))]
    for iteration in range(ITERATIONS):
        first, second = order[2 * iteration : 2 * iteration + 2]
        pairs.add((first not in without, second not in without))
    return pairs


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == list(range(1, ITERATIONS + 1))
    return [line["loss_mask"] for line in lines]


def test_two_processes_have_the_losses_and_weights_of_one(tiny: TinyData) -> None:
    without = half_without_masks(tiny)
    pairs = shares_of_first_iterations(tiny, without)
    assert len(pairs & {(True, False), (False, True)}) > 0, "an iteration has to leave a process without masks"
    one, two = prepared(tiny, "one"), prepared(tiny, "two", "gpus=2")
    assert together(one, 1) == [0]
    assert together(two, 2) == [0, 0]
    assert losses(two) == pytest.approx(losses(one), abs=1e-5)
    assert max(losses(one)) > 0.1
    ends = [load_weights(folder / "checkpoints" / "final.safetensors").tensors for folder in (one, two)]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, atol=1e-5, rtol=1e-4, msg=name)
    assert sorted(path.name for path in (two / "checkpoints").iterdir()) == sorted(
        path.name for path in (one / "checkpoints").iterdir()
    )


def test_a_mistake_is_left_for_the_command_that_started_the_processes(tiny: TinyData) -> None:
    folder = prepared(tiny, "odd", "gpus=2", "mm.batch_size=3")
    assert together(folder, 2) == [2, 2]
    told = json.loads((folder / ".state" / "distributed-failure.json").read_text())["error"]
    assert told.startswith("a batch of 3 images cannot be shared out to 2 processes")


def test_a_batch_is_shared_out(monkeypatch: pytest.MonkeyPatch, tiny: TinyData) -> None:
    from mmengine.config import Config

    from psis_bench.data.dataset_config import Subset

    monkeypatch.setattr("psis_bench.engine.train.get_world_size", lambda: 4)
    config = Config({"batch_size": 8, "train_pipeline": [], "only_images_with_masks": False})
    subset = Subset(annotations=tiny.folder / "train.json", images=tiny.folder / "train")
    settings: dict[str, Any] = {"subset": subset, "classes": ["a"], "seen_ids": [], "seed": 0, "workers": 0}
    assert training_dataloader(config, **settings)["batch_size"] == 2
    config.batch_size = 6
    with pytest.raises(UserError, match="choose gpus= and nodes= that divide it"):
        training_dataloader(config, **settings)


def test_the_mean_of_the_shares_is_the_mean_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((7, 4, 4), generator=generator)
    targets = torch.rand((7, 4, 4), generator=generator)
    has_mask = torch.tensor([1, 0, 1, 1, 0, 0, 0], dtype=torch.bool)
    whole = {loss: loss(logits, targets, has_mask) for loss in (mask_cross_entropy, mask_dice)}
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 3)
    counts: list[float] = []

    def all_reduce(count: torch.Tensor) -> None:
        counts.append(float(count))
        count.fill_(3.0)

    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    for loss, expected in whole.items():
        counts.clear()
        shares = [loss(logits[part], targets[part], has_mask[part]) for part in (slice(0, 3), slice(3, 4), slice(4, 7))]
        assert counts == [2.0, 1.0, 0.0]  # the others wait for the process without masks, too
        assert float(shares[2]) == 0.0
        assert sum(map(float, shares)) / 3 == pytest.approx(float(expected), rel=1e-6)


def test_with_no_mask_anywhere_the_loss_is_zero_and_reaches_every_parameter() -> None:
    logits = torch.ones((2, 3, 3), requires_grad=True)
    loss = mean_over_instances(logits.new_zeros(0), logits)
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
