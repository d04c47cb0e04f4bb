"""From the variables of a checkpoint to the tensors of a model: all of them, or an error that names each misfit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from psis_bench.convert.sources import Array, Source, Translate
from psis_bench.convert.tf_checkpoint import TfCheckpoint
from psis_bench.errors import UserError

# Counts the batches a norm has seen; Keras has no such variable, and only a momentum of None would read it.
_UNSAVED = "num_batches_tracked"


class PartialConversionError(UserError):
    """A checkpoint and a model that do not fit.

    Args:
        where: The checkpoint.
        missing: Tensors of the model without a variable.
        unused: Variables without a tensor.
        misshapen: Tensors whose variable has another shape, each with both shapes.
    """

    def __init__(self, *, where: str, missing: list[str], unused: list[str], misshapen: list[str]) -> None:
        self.missing, self.unused, self.misshapen = missing, unused, misshapen
        first = (misshapen or missing or unused)[0]
        super().__init__(
            f"the checkpoint does not fit the model: {len(missing)} tensors have no variable, {len(unused)} variables "
            f"have no tensor, {len(misshapen)} differ in shape; the first is {first}",
            where=where,
            cure="give the model= and mask_head= that it was trained with",
        )

    def report(self) -> str:
        """Return every misfit, one a line."""
        lines = [f"no variable for  {name}" for name in self.missing]
        lines += [f"no tensor for    {name}" for name in self.unused]
        lines += [f"another shape    {name}" for name in self.misshapen]
        return "\n".join(lines)


def convert(checkpoint: TfCheckpoint, shapes: Mapping[str, tuple[int, ...]], translate: Translate) -> dict[str, Array]:
    """Return the tensors of a model from the variables of a checkpoint.

    Args:
        checkpoint: The variables.
        shapes: Name and shape of every tensor of the model's state dict.
        translate: From a tensor's name to its source, None where it has none.

    Returns:
        Arrays by the names of the state dict, in this package's order of axes. ``num_batches_tracked`` is 0.

    Raises:
        PartialConversionError: A tensor has no variable, a variable no tensor, or two differ in shape.
    """
    converted: dict[str, Array] = {}
    missing, misshapen, used = [], [], set()
    for name, shape in shapes.items():
        if name.endswith(_UNSAVED):
            converted[name] = np.zeros((), np.int64)
            continue
        source = translate(name)
        if source is None or source.variable not in checkpoint.entries:
            missing.append(f"{name} ({source.variable})" if source else name)
            continue
        used.add(source.variable)
        values = _turned(checkpoint.read(source.variable), source)
        if values is None or values.shape != tuple(shape):
            there = checkpoint.entries[source.variable].shape
            misshapen.append(f"{name} {tuple(shape)}, {source.variable} {there}")
            continue
        converted[name] = np.ascontiguousarray(values)
    unused = [name for name in checkpoint.names() if name not in used]
    if missing or unused or misshapen:
        raise PartialConversionError(where=str(checkpoint.prefix), missing=missing, unused=unused, misshapen=misshapen)
    return converted


def _turned(values: Array, source: Source) -> Array | None:
    try:
        return source.turn(values)
    except (ValueError, IndexError):
        return None
