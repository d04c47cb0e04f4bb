"""``kill -9`` at any moment: the same command goes on and ends in the same bytes as a run that was never stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from killed_run import run
from tiny_data import TinyData

from psis_bench.engine.checkpoints import load_weights, weights_sha256

FREE, MARC, MAC = "detection_free/small", "deep_marc/small", "deep_mac/small"
ITERATIONS = 6
# A file, and whether the process dies just before or just after it gets its name.
MOMENTS = [
    ("before", "iter_2.pth"),  # nothing to go on from
    ("before", "iter_4.pth"),  # written, but not named yet
    ("after", "iter_4.pth"),  # named, but last.json still tells of the one before
    ("before", "final.safetensors"),
    ("before", "train.json"),  # trained, but the stage is not marked
    ("after", "part-00000.parquet"),  # one of two kinds of predictions
    ("before", "manifest.json"),
    ("before", "scores.json"),
    ("before", "report.html"),
]
SOME = [("after", "iter_4.pth"), ("after", "part-00000.parquet")]


def arguments(tiny: TinyData, model: str, out: str, *more: str, iterations: int = ITERATIONS) -> list[str]:
    few = ("mask_head=resnet4", "mm.test_images_per_part=2", *more)
    return tiny.arguments(model, *few, out=out, iterations=iterations)


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of everything that counts, and the hash of the weights."""
    names = ["scores.json", "per_class.csv", "per_instance.parquet"]
    names += sorted(str(path.relative_to(folder)) for path in folder.glob("predictions/*/*.parquet"))
    weights = weights_sha256(load_weights(folder / "checkpoints" / "final.safetensors").tensors)
    return {name: (folder / name).read_bytes() for name in names} | {"weights": weights.encode()}


def last_losses(folder: Path) -> dict[int, float]:
    """Return the loss of each iteration; after a resume the later line counts."""
    lines = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
    return {line["iteration"]: line["loss"] for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "workers", "moments"), [(FREE, 0, MOMENTS), (MARC, 1, SOME), (MAC, 0, SOME)], ids=[FREE, MARC, MAC]
)
def test_killed_at_chosen_moments(tiny: TinyData, model: str, workers: int, moments: list[tuple[str, str]]) -> None:
    # Deep-MARC samples at random. Without loading processes, drawing an image would seed that as well.
    assert run(arguments(tiny, model, "whole", f"workers={workers}")) == 0
    expected = results(tiny.folder / "whole")
    stopped = arguments(tiny, model, "stopped", f"workers={workers}")
    for moment in moments:
        assert run(stopped, killed_at=moment) == -signal.SIGKILL, moment
    assert run(stopped) == 0
    assert results(tiny.folder / "stopped") == expected
    losses = last_losses(tiny.folder / "stopped")
    assert losses == last_losses(tiny.folder / "whole")
    assert set(losses) == set(range(1, ITERATIONS + 1))
    checkpoints = sorted(path.name for path in (tiny.folder / "stopped" / "checkpoints").glob("*.pth"))
    assert checkpoints == [f"iter_{ITERATIONS}.pth"]


def kill_when(process: subprocess.Popen[bytes], happened: Callable[[], bool], log: Path) -> None:
    """Kill a process, and no process that it has started, as soon as something has happened."""
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.002)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_killed_from_outside_with_loading_processes(tiny: TinyData) -> None:
    """The command as it is typed, with its loading process, which outlives it by some seconds, and two threads."""
    assert run(arguments(tiny, FREE, "whole", "threads=2", iterations=12)) == 0
    folder, log = tiny.folder / "stopped", tiny.folder / "log.txt"
    stopped = arguments(tiny, FREE, "stopped", "threads=2", "workers=1", iterations=12)
    with log.open("wb") as output:
        command = [sys.executable, "-m", "psis_bench.cli", "run", *stopped]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    kill_when(process, (folder / "checkpoints" / "last.json").is_file, log)
    assert not (folder / "checkpoints" / "final.safetensors").exists()
    assert run(stopped) == 0  # at once: nothing that the killed one has left behind is in the way
    assert results(folder) == results(tiny.folder / "whole")
