"""The examples in the docstrings of the scoring package, and those of its page, say what is so."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import psis_bench.scoring

MODULES = [
    "psis_bench.scoring",
    *(found.name for found in pkgutil.walk_packages(psis_bench.scoring.__path__, "psis_bench.scoring.")),
]
WITH_EXAMPLES = {
    "psis_bench.scoring.comparing.bootstrap",
    "psis_bench.scoring.comparing.intervals",
    "psis_bench.scoring.comparing.ranks",
    "psis_bench.scoring.inputs.json_results",
    "psis_bench.scoring.masks.boundary",
    "psis_bench.scoring.masks.box_jitter",
    "psis_bench.scoring.masks.gt_box_iou",
    "psis_bench.scoring.masks.quality",
    "psis_bench.scoring.results.details",
    "psis_bench.scoring.score",
}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name: str):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert tried or name not in WITH_EXAMPLES


def test_what_should_have_examples_is_there():
    assert set(MODULES) > WITH_EXAMPLES


def test_the_examples_of_the_page(repository: Path):
    failed, tried = doctest.testfile(str(repository / "docs" / "scoring.md"), module_relative=False, encoding="utf-8")
    assert (failed, tried > 8) == (0, True)


def test_the_page_names_what_the_package_exports(repository: Path):
    page = (repository / "docs" / "scoring.md").read_text("utf-8")
    assert [name for name in psis_bench.scoring.__all__ if f"`{name}`" not in page] == []
