"""Where mmcv has no compiled extension one is put in its place; where it has one nothing is touched."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch

from psis_bench.errors import UserError
from psis_bench.models import ops, torchvision_ops

NAME = "mmcv._ext"
supplied_only = pytest.mark.skipif(ops.install_ops() == "compiled", reason="mmcv has its compiled ops here")


@supplied_only
def test_installing_twice_changes_nothing() -> None:
    before = sys.modules[NAME]
    assert ops.install_ops() == "supplied"
    assert sys.modules[NAME] is before
    assert importlib.util.find_spec(NAME) is not None


def test_a_loaded_compiled_extension_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ModuleType(NAME)
    monkeypatch.setitem(sys.modules, NAME, compiled)
    assert ops.install_ops() == "compiled"
    assert sys.modules[NAME] is compiled
    assert not hasattr(compiled, "nms")


def test_an_installed_compiled_extension_is_not_even_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(NAME, loader=None) if name == NAME else None

    monkeypatch.delitem(sys.modules, NAME, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert ops.install_ops() == "compiled"
    assert NAME not in sys.modules


def test_without_mmcv_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'mmcv'", name="mmcv")

    monkeypatch.delitem(sys.modules, NAME, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(UserError, match="mmcv is not installed; in the checkout: pip install"):
        ops.install_ops()


@supplied_only
def test_every_supplied_op_is_the_one_written_here() -> None:
    extension = sys.modules[NAME]
    for name in torchvision_ops.__all__:
        assert getattr(extension, name) is getattr(torchvision_ops, name)


@supplied_only
def test_an_op_that_is_not_supplied_names_itself_and_the_cure() -> None:
    from mmcv.ops import carafe

    with pytest.raises(UserError, match=r"the op 'carafe_forward' needs mmcv's compiled extension.*psis-bench doctor"):
        carafe(torch.zeros(1, 4, 4, 4), torch.zeros(1, 9, 8, 8), 3, 1, 2)
    with pytest.raises(AttributeError, match="__wrapped__"):
        sys.modules[NAME].__wrapped__  # noqa: B018


def test_notices_are_dropped_and_the_rest_is_shown(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "noisy_module.py").write_text(
        "import warnings\n"
        "print('Could not import OneDL. Skipping OneDL datasets.')\n"
        "print('kept')\n"
        "warnings.warn('faster_coco_eval is not installed, metrics will not be computed.')\n"
        "warnings.warn('also kept')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(UserWarning, match="kept") as caught:
        ops.import_quietly("noisy_module")
    assert [str(warning.message) for warning in caught] == ["also kept"]
    assert capsys.readouterr().out == "kept\n"


@pytest.mark.slow
def test_mmdetection_is_imported_without_noise(repository: Any) -> None:
    script = (
        "import psis_bench.models, mmdet.models\n"
        "from psis_bench.models.ops import import_quietly\n"
        "import_quietly('mmdet.datasets'); import_quietly('mmdet.evaluation')\n"
    )
    # Deprecations inside other packages are theirs; all other warnings are asked for.
    command = [sys.executable, "-W", "always", "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    for notice in ("MultiScaleDeformableAttention", "Line NMS", "OneDL", "faster_coco_eval"):
        assert notice not in done.stdout + done.stderr
