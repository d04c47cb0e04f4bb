"""The examples in the docstrings of the scoring package say what is so."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import psis_bench.scoring

MODULES = [
    "psis_bench.scoring",
    *(f"psis_bench.scoring.{found.name}" for found in pkgutil.iter_modules(psis_bench.scoring.__path__)),
]
WITH_EXAMPLES = {"boundary", "gt_box_iou", "intervals", "score"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name: str):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert tried or name.rpartition(".")[2] not in WITH_EXAMPLES
