"""``psis-bench zoo`` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from psis_bench.cli import main

Put = Callable[..., dict[str, object]]
Capture = pytest.CaptureFixture[str]


def test_list_shows_those_with_weights_and_names_the_others(root: Path, put: Put, capsys: Capture):
    put("tiny")
    assert main(["zoo", "list"]) == 0
    told = capsys.readouterr().out
    row = next(line for line in told.splitlines() if line.strip().startswith("tiny"))
    assert "GT-box" in row
    assert "64.5" in told
    assert "here" in told
    without = told[told.index(" with weights, ") :]
    assert "deep_marc_r50" in without
    assert "tiny" not in without


def test_list_as_json_and_of_a_word(root: Path, put: Put, capsys: Capture):
    entry = put("tiny")
    assert main(["zoo", "list", "tin", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["weights"]) == ("tiny", entry["Weights"])
    assert row["path"] == str(root / str(entry["Weights"]))
    assert row["metrics"] == {"GT-box mIoU unseen": 64.5}


def test_get_prints_the_path(root: Path, put: Put, capsys: Capture, tmp_path: Path):
    put("tiny")
    assert main(["zoo", "get", "tiny", f"out={tmp_path / 'here'}"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_verify_tells_of_every_damage(root: Path, put: Put, capsys: Capture):
    put("good")
    damaged = root / str(put("damaged")["Weights"])
    missing = root / str(put("missing")["Weights"])
    assert main(["zoo", "verify"]) == 0
    damaged.write_bytes(damaged.read_bytes()[:-1])
    missing.unlink()
    capsys.readouterr()
    assert main(["zoo", "verify", "--json"]) == 1
    found = {row["name"]: row["problem"] for row in json.loads(capsys.readouterr().out)}
    assert found["good"] is None
    assert "221 bytes and should have 222" in found["damaged"]
    assert "no such file" in found["missing"]
    assert main(["zoo", "verify", "good"]) == 0
    assert main(["zoo", "verify", str(damaged)]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do is given; choose one of: list, get, verify"),
        (["lst"], "unknown command 'zoo lst'; did you mean 'list'"),
        (["get"], "no model is given; psis-bench zoo get NAME"),
        (["get", "nothing"], "no model 'nothing' in the zoo"),
        (["get", "deep_marc_r50"], "model 'deep_marc_r50' has no weights; train it"),
        (["verify", "a", "b"], "'b' is too much; give one word, or none"),
        (["add"], "no run is given; psis-bench zoo add runs/..."),
        (["add", "runs/x", "licence=MIT"], "name is missing; add name=..."),
        (["add", "runs/x", "name=x"], "licence is missing; add licence=..."),
        (["add", "nowhere", "name=x", "licence=MIT"], "nowhere/config.yaml: no such file"),
        (["add", "nowhere", "name=x", "licence=MIT", "half=yes"], "half must be true or false, not 'yes'"),
        (["index", "now"], "zoo index takes no 'now'"),
        (["upload", "deep_marc_r50"], "repo is missing"),
    ],
)
def test_mistakes_are_one_line(root: Path, arguments: list[str], message: str, capsys: Capture):
    assert main(["zoo", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
