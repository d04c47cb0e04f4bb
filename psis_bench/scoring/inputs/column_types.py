"""Columns of a Parquet file that hold the same values in another type, as pandas and polars write them.

What converts without loss is taken: ids of fewer bits, scores of single precision, texts with 64-bit offsets, boxes as
lists that happen to have four numbers. A type that holds something else is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psis_bench.errors import UserError

_BOX = "must be four numbers x, y, width, height"


def foreign_columns(found: Any, schema: Any, *, path: Path, kind: str) -> list[str]:
    """Return the names of the columns whose type is another one, which converts.

    Args:
        found: The ``pyarrow.Schema`` of the file.
        schema: The ``pyarrow.Schema`` that is wanted.
        path: The file.
        kind: What errors call the schema.

    Raises:
        UserError: A column is missing, or of a type that does not convert.
    """
    foreign = []
    for field in schema:
        place = f"{path}: column {field.name}"
        if field.name not in found.names:
            raise UserError("the column is missing", where=place, cure=f"the columns of {kind} are needed")
        got = found.field(field.name).type
        # The name of a list's element is not part of what it holds.
        same = got == field.type or (field.name == "bbox" and str(got).endswith("[4]") and got.value_type == "double")
        if same:
            continue
        if not _converts(got, field.type):
            cure = f"write it as {field.type}, as psis_bench.scoring.inputs.records.write_part does"
            raise UserError(f"the column holds {got}, not {field.type}", where=place, cure=cure)
        foreign.append(field.name)
    return foreign


def converted(batch: Any, schema: Any, foreign: list[str], *, path: Path, first_row: int) -> Any:
    """Return rows with the columns of `foreign_columns` in the types that are wanted.

    Args:
        batch: The rows, a ``pyarrow.RecordBatch``.
        schema: The ``pyarrow.Schema`` that is wanted.
        foreign: Names of the columns.
        path: The file.
        first_row: Place of the first row in the file, from 0.

    Raises:
        UserError: A value does not convert without loss; names file, row and field.
    """
    import pyarrow as pa

    columns = {name: batch.column(name) for name in batch.schema.names}
    for name in foreign:
        wanted = schema.field(name).type
        try:
            columns[name] = columns[name].cast(wanted)
        except pa.ArrowException as error:
            row = _first_that_fails(columns[name], wanted)
            what = _BOX if name == "bbox" else f"is no {wanted} ({columns[name][row].as_py()!r})"
            raise UserError(what, where=f"{path}: row {first_row + row}, {name}") from error
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _converts(got: Any, wanted: Any) -> bool:
    """Whether a column converts, as far as its type tells; single values may still be too large."""
    from pyarrow import types

    if types.is_fixed_size_list(wanted):
        is_list = types.is_list(got) or types.is_large_list(got) or types.is_fixed_size_list(got)
        return is_list and _converts(got.value_type, wanted.value_type)
    if types.is_string(wanted):
        text = got.value_type if types.is_dictionary(got) else got
        return bool(types.is_string(text) or types.is_large_string(text) or text == "string_view")
    whole = types.is_integer(got)
    return bool(whole or types.is_floating(got)) if types.is_floating(wanted) else bool(whole)


def _first_that_fails(column: Any, wanted: Any) -> int:
    import pyarrow as pa

    for row in range(len(column)):
        try:
            column.slice(row, 1).cast(wanted)
        except pa.ArrowException:
            return row
    return 0
