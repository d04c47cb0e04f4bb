"""Idle threads sleep soon unless the user says otherwise; the setting only counts before torch is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import builtins, os, sys
real = builtins.__import__
def spy(name, *rest, **named):
    if name == "torch" and "torch" not in sys.modules:
        print(os.environ.get("GOMP_SPINCOUNT"))
        sys.stdout.flush()
        os._exit(0)
    return real(name, *rest, **named)
builtins.__import__ = spy
import psis_bench.models
"""


@pytest.mark.parametrize(("given", "expected"), [(None, "10000"), ("1000", "1000")])
def test_threads_sleep_before_torch_is_imported(given: str | None, expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    if given is not None:
        environment["GOMP_SPINCOUNT"] = given
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
