"""Conversion is all or nothing, and turns every axis to its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_bundle

from psis_bench.convert.conversion import PartialConversionError, convert
from psis_bench.convert.sources import Source, layer, norm, of_dense
from psis_bench.convert.tf_checkpoint import TfCheckpoint

SHAPES = {
    "conv.weight": (5, 4, 3, 2),
    "conv.bias": (5,),
    "norm.weight": (5,),
    "norm.bias": (5,),
    "norm.running_mean": (5,),
    "norm.running_var": (5,),
    "norm.num_batches_tracked": (),
    "dense.weight": (7, 6),
}
VARIABLES = {
    "m/c/kernel": (3, 2, 4, 5),
    "m/c/bias": (5,),
    "m/n/gamma": (5,),
    "m/n/beta": (5,),
    "m/n/moving_mean": (5,),
    "m/n/moving_variance": (5,),
    "m/d/kernel": (6, 7),
}


def translate(name: str) -> Source | None:
    part, _, leaf = name.partition(".")
    if part == "norm":
        return norm("m/n", leaf)
    return layer("m/c", leaf) if part == "conv" else layer("m/d", leaf, turn=of_dense)


def written(folder: Path, shapes: dict[str, tuple[int, ...]]) -> tuple[TfCheckpoint, dict[str, np.ndarray]]:
    generator = np.random.default_rng(1)
    variables = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tf_bundle.write_checkpoint(folder / "ckpt", variables)
    return TfCheckpoint(folder / "ckpt"), variables


def test_every_axis_goes_to_its_place(tmp_path: Path) -> None:
    checkpoint, variables = written(tmp_path, VARIABLES)
    found = convert(checkpoint, SHAPES, translate)
    assert {name: values.shape for name, values in found.items()} == SHAPES
    for out, of, row, column in ((0, 0, 0, 0), (4, 3, 2, 1), (1, 2, 0, 1)):
        assert found["conv.weight"][out, of, row, column] == variables["m/c/kernel"][row, column, of, out]
    assert found["dense.weight"][6, 2] == variables["m/d/kernel"][2, 6]
    for here, there in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean")):
        np.testing.assert_array_equal(found[f"norm.{here}"], variables[f"m/n/{there}"])
    np.testing.assert_array_equal(found["norm.running_var"], variables["m/n/moving_variance"])
    assert found["norm.num_batches_tracked"] == 0


def test_a_partial_conversion_is_refused_and_every_misfit_named(tmp_path: Path) -> None:
    shapes = {**VARIABLES, "m/c/kernel": (3, 2, 4, 9), "m/other/kernel": (1,)}
    del shapes["m/n/beta"], shapes["m/d/kernel"]
    checkpoint, _ = written(tmp_path, shapes)
    with pytest.raises(
        PartialConversionError, match=r"2 tensors have no variable, 1 variables have no tensor, 1"
    ) as caught:
        convert(checkpoint, SHAPES, translate)
    assert caught.value.missing == ["norm.bias (m/n/beta)", "dense.weight (m/d/kernel)"]
    assert caught.value.unused == ["m/other/kernel"]
    assert caught.value.misshapen == ["conv.weight (5, 4, 3, 2), m/c/kernel (3, 2, 4, 9)"]
    report = caught.value.report()
    assert [report.count(name) for name in ("m/n/beta", "m/d/kernel", "m/other/kernel", "m/c/kernel")] == [1, 1, 1, 1]
    assert "\n" not in str(caught.value)


def test_a_variable_with_too_few_axes_is_a_misfit_and_no_crash(tmp_path: Path) -> None:
    checkpoint, _ = written(tmp_path, {**VARIABLES, "m/c/kernel": (5,)})
    with pytest.raises(PartialConversionError, match=r"conv.weight \(5, 4, 3, 2\), m/c/kernel \(5,\)"):
        convert(checkpoint, SHAPES, translate)
