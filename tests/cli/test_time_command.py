"""``psis-bench time``: its arguments, and what it shows; what it measures is tested with the engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from psis_bench.cli import main
from psis_bench.commands import timing

TIMES = {"mean": 2.0, "p10": 1.0, "median": 2.0, "p90": 3.0, "p99": 4.25}
RESULT = {
    "model": "deep_marc/small",
    "mask_head": "resnet4",
    "device": "a processor (cpu)",
    "threads": 1,
    "weights": "random",
    "image": [640, 480],
    "boxes": 100,
    "measured": [
        {
            "batch": 2,
            "images": 20,
            "stages": dict.fromkeys(("load", "backbone", "detection", "mask_head", "encode"), TIMES),
            "end_to_end": {**TIMES, "median": 10.5},
            "images_per_second": 95.25,
            "peak_memory": 3 * 2**20,
        }
    ],
    "parameters": {"backbone": 1_500_000, "all": 1_500_000},
    "multiply_adds": {"backbone": 2_000_000_000, "mask_head": 500_000_000, "all": 2_500_000_000},
    "versions": {"torch": "2.6"},
}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["deep_marc/small"], "'deep_marc/small' is not key=value; write model=deep_marc/small"),
        (["modl=deep_marc/small"], "unknown key 'modl'; did you mean 'model'?"),
        (["images=0"], "images is '0'; give a whole number of at least 1"),
        (["batch=1,x"], "batch is 'x'"),
        (["size=640"], "size is '640'; give width x height in pixels, as in size=640x480"),
        (["boxes="], "boxes has no value"),
        (["model=nothing"], "nothing"),
        (["run=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["time", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert error.startswith("psis-bench: error: ")
    assert "\n" not in error


def test_what_is_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(timing, "_measure", lambda *given: asked.append(given) or RESULT)
    assert main(["time", "model=deep_marc/small", "batch=2", f"out={tmp_path / 'timing.json'}"]) == 0
    shown = capsys.readouterr().out
    whole = next(line for line in shown.splitlines() if "end to end" in line)
    assert re.findall(r"[\d.]+", whole) == ["10.5", "3.0", "4.2"]
    assert "paste and encode" in shown
    assert "parameters 1.50 M; multiply-adds 2.50 G (backbone 2.00, mask head 0.50)" in shown
    assert "batch 2: 95.2 images/s, peak memory 3 MiB, 20 images" in shown
    assert json.loads((tmp_path / "timing.json").read_text()) == RESULT
    config, weights, values = asked[0]
    assert (config.model, weights, values["batch"]) == ("deep_marc/small", None, "2")
    assert main(["time", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == RESULT
