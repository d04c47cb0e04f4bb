"""What each mask head costs: parameters, multiply-adds, milliseconds a crop forward and backward, peak memory.

Each head is measured as Deep-MAC has it: crops of 50 channels and 32 x 32 cells, the trunk, a 1x1 convolution to one
logit; a step is forward, mean of the logits, backward, in training mode. Multiply-adds are counted by torch's flop
counter (two flops each) on one crop, forward. Times are the median over repeats, with the smallest and the largest
of the step; on a CPU they are processor time of all threads, which other work on the machine disturbs little. Each
head has a process of its own, so that its peak memory is its own: what the process (CPU) or the allocator (CUDA) held
at most during the steps, beyond what it held before the head was built.

    python benchmarks/mask_heads.py [heads=resnet4,hourglass20] [crops=16] [repeats=5] [threads=1] [device=cpu]
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from psis_bench import console  # noqa: E402
from psis_bench.commands.arguments import read_arguments  # noqa: E402
from psis_bench.config_listing import check_name, config_names  # noqa: E402

CHANNELS, SIDE = 50, 32
DEFAULTS = {"heads": "", "crops": "16", "repeats": "5", "threads": "1", "device": "cpu"}


def measure(name: str, *, crops: int, repeats: int, threads: int, device: str) -> dict[str, Any]:
    """Return the costs of one head; runs in a process of its own."""
    import torch
    from mmdet.registry import MODELS
    from torch.utils.flop_counter import FlopCounterMode

    from psis_bench.models import registered  # noqa: F401
    from psis_bench.models.compose import load_config

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.zeros(1, device=device)
    before = held(device)
    trunk = MODELS.build({**load_config(check_name("mask_heads", name)).trunk, "in_channels": CHANNELS})
    head = torch.nn.Sequential(trunk, torch.nn.Conv2d(trunk.out_channels, 1, 1)).to(device).train()
    parameters = sum(parameter.numel() for parameter in head.parameters())
    batch = torch.randn(crops, CHANNELS, SIDE, SIDE, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        head.eval()(batch[:1])
    head.train()

    def step() -> None:
        head.zero_grad(set_to_none=True)
        head(batch).mean().backward()

    def forward() -> None:
        with torch.no_grad():
            head(batch)

    step()  # kernels are chosen and buffers made by the first
    forwards, steps = (timed(action, repeats, device) for action in (forward, step))
    return {
        "head": name,
        "depth": trunk.depth,
        "parameters": parameters,
        "multiply_adds": counter.get_total_flops() // 2,
        "forward_ms": 1000 * statistics.median(forwards) / crops,
        "step_ms": [1000 * value / crops for value in (min(steps), statistics.median(steps), max(steps))],
        "peak_bytes": held(device, peak=True) - before,
    }


def held(device: str, *, peak: bool = False) -> int:
    """Return the bytes that are held now, or were at most since the process began."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) if peak else torch.cuda.memory_allocated(device)
    if peak:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def timed(action: Callable[[], None], repeats: int, device: str) -> list[float]:
    """Return the seconds of each of ``repeats`` calls."""
    import torch

    cuda = device.startswith("cuda")
    clock = time.perf_counter if cuda else time.process_time
    seconds = []
    for _ in range(repeats):
        started = clock()
        action()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append(clock() - started)
    return seconds


def show(rows: list[dict[str, Any]], values: dict[str, str]) -> None:
    """Print the table, ordered by parameters, and what it was measured with."""
    import torch

    def line(*cells: str) -> None:
        widths = (28, 6, 12, 11, 11, 10, 18, 8)
        text = "".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        console.out.print(text, soft_wrap=True, markup=False)

    line("a crop of 50 x 32 x 32", "depth", "parameters", "G mult-add", "ms forward", "ms step", "range", "peak MB")
    for row in sorted(rows, key=lambda row: row["parameters"]):
        least, middle, most = row["step_ms"]
        line(
            row["head"],
            str(row["depth"]),
            f"{row['parameters']:,}",
            f"{row['multiply_adds'] / 1e9:.2f}",
            f"{row['forward_ms']:.2f}",
            f"{middle:.2f}",
            f"{least:.2f}-{most:.2f}",
            f"{row['peak_bytes'] / 1e6:.0f}",
        )
    device = values["device"]
    where = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"CPU, {values['threads']} threads"
    settings = f"{values['crops']} crops a step, {values['repeats']} repeats"
    console.out.print(f"torch {torch.__version__}; {where}; {settings}", soft_wrap=True, markup=False)


def measure_into(sender: Any, name: str, **settings: Any) -> None:
    """Measure in a process of its own and send what was found."""
    sender.send(measure(name, **settings))


def main() -> None:
    """Measure each head in a process of its own and print the table."""
    _, given = read_arguments(sys.argv[1:], tuple(DEFAULTS))
    values = DEFAULTS | given
    names = [name for name in values["heads"].split(",") if name] or config_names("mask_heads")
    for name in names:
        check_name("mask_heads", name)
    # Imported once, before the processes part: it takes longer than most heads.
    import mmdet.registry  # noqa: F401

    from psis_bench.models import registered  # noqa: F401

    processes = multiprocessing.get_context("fork")
    settings: dict[str, Any] = {key: int(values[key]) for key in ("crops", "repeats", "threads")}
    rows = []
    with console.progress("heads", total=len(names)) as bar:
        for name in names:
            receiver, sender = processes.Pipe(duplex=False)
            process = processes.Process(
                target=measure_into, args=(sender, name), kwargs={**settings, "device": values["device"]}
            )
            process.start()
            sender.close()
            rows.append(receiver.recv())
            process.join()
            bar.advance(note=name)
    show(rows, values)


if __name__ == "__main__":
    main()
