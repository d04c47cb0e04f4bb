"""Columns of numbers between pyarrow and NumPy, by their buffers.

pyarrow's own conversions import pandas, and what it computes with, first: more time than a small score takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def to_arrow(values: Any) -> Any:
    """Return numbers as a pyarrow array; its own way from NumPy imports pandas first."""
    import pyarrow as pa

    if not isinstance(values, np.ndarray):
        return values
    kinds = {"int64": pa.int64(), "float64": pa.float64()}
    return pa.Array.from_buffers(
        kinds[values.dtype.name], len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    )


def flat_boxes(boxes: Any) -> Any:
    """Return the numbers of an array of boxes; pyarrow's own way imports all that it can compute first."""
    return boxes.values.slice(boxes.offset * 4, len(boxes) * 4)


def numbers_of(column: Any) -> npt.NDArray[Any]:
    """Return an array of numbers, none of them null; pyarrow's own way imports pandas first."""
    content = column.buffers()[1]
    dtype = np.dtype(column.type.to_pandas_dtype())
    if content is None:
        return np.zeros(0, dtype)
    return np.frombuffer(content, dtype, count=column.offset + len(column))[column.offset :]


def is_null(column: Any) -> npt.NDArray[np.bool_]:
    """Tell which values of an array are null, bool (n,)."""
    if not column.null_count:
        return np.zeros(len(column), bool)
    bits = np.frombuffer(column.buffers()[0], np.uint8)
    there = np.unpackbits(bits, bitorder="little")[column.offset : column.offset + len(column)]
    return np.asarray(there == 0)
