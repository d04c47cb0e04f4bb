"""``psis-bench demo`` as it is typed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from psis_bench.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prot=1"], "unknown key 'prot'; did you mean 'port'"),
        (["port=x"], "port=x is no port; give a number from 0"),
        (["port=70000"], "port=70000 is no port"),
        (["port="], "port has no value"),
        (["my_run"], "'my_run' is not key=value; write run=my_run, or checkpoint=my_run"),
        (["run=nowhere"], "nowhere/config.yaml: no such file"),
        (["checkpoint=synthetic_hourglas20"], "did you mean 'synthetic_hourglass20'"),
        (["checkpoint=deep_marc_r50"], "model 'deep_marc_r50' has no weights"),
        (["device=gpu"], "unknown device 'gpu'"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], told: str, capsys: Capture):
    assert main(["demo", *arguments]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_without_the_extra_the_command_that_mends_it_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["demo"]) == 2
    assert "the demo's packages are not installed; pip install '.[train,demo]'" in capsys.readouterr().err


def test_it_prints_its_address_serves_and_ends_at_ctrl_c():
    command = [sys.executable, "-m", "psis_bench.cli", "demo", "port=0", "checkpoint=synthetic_resnet4", "threads=1"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - a server of this test
            assert "<title>psis_bench demo</title>" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert address.startswith("http://127.0.0.1:")
    assert (process.returncode, out) == (0, "")
    assert "open it in a browser on this machine; models: synthetic_resnet4" in err
