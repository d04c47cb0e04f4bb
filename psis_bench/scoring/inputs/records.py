"""Prediction files: their columns, atomic writing, and streaming, checked reading.

A folder holds ``part-00000.parquet``, ``part-00001.parquet``, ...; each part is written whole or not at
all. COCO's own results format, a JSON list, is read to the same columns. Boxes are xywh in absolute
pixels of the original image, masks compressed run lengths (the ``counts`` of a COCO RLE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from psis_bench.errors import UserError
from psis_bench.files import atomic_path
from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import Measured, decode_strings, encode_string, measure_strings
from psis_bench.run_lengths import Ints, RunLengths, merge_empty_runs, offsets_of
from psis_bench.scoring.inputs.arguments import check_choice
from psis_bench.scoring.inputs.arrow_columns import flat_boxes, is_null, numbers_of
from psis_bench.scoring.inputs.column_types import converted, foreign_columns
from psis_bench.scoring.inputs.json_results import load_results
from psis_bench.scoring.inputs.result_columns import columns_of_results
from psis_bench.scoring.inputs.result_rows import Sizes, refuse_unknown_images, row_of_result

_Found = TypeVar("_Found")
Kind = Literal["detections", "gt_box_masks"]

_ROWS_AT_A_TIME = 8192


def again(predictions: Path) -> str:
    """Return the cure of a broken prediction folder: only a run, which leaves a manifest, can make it again."""
    if (predictions / "manifest.json").exists():
        return "make the predictions again: psis-bench run ... overwrite=predict"
    return "write the predictions again"


def schema_of(kind: Kind) -> Any:
    """Return the ``pyarrow.Schema`` of a kind of prediction file.

    ``mask`` is null in ``detections`` for a detection without a mask; nothing else may be null.
    """
    import pyarrow as pa

    def whole(name: str) -> Any:
        return pa.field(name, pa.int64(), nullable=False)

    size = [pa.field("height", pa.int32(), nullable=False), pa.field("width", pa.int32(), nullable=False)]
    if kind == "gt_box_masks":
        ids = [whole("image_id"), whole("annotation_id"), whole("category_id")]
        return pa.schema([*ids, *size, pa.field("mask", pa.string(), nullable=False)])
    box = pa.field("bbox", pa.list_(pa.field("element", pa.float64(), nullable=False), 4), nullable=False)
    score = pa.field("score", pa.float64(), nullable=False)
    return pa.schema([whole("image_id"), whole("category_id"), score, box, *size, pa.field("mask", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Records:
    """Some consecutive rows of one prediction file.

    Args:
        path: The file.
        first_row: Place of the first of these rows in the file, from 0.
        table: The rows, a ``pyarrow.RecordBatch`` of a schema of `schema_of`.
        measured: Of the masks that there are, where these have been checked already and have no runs of no pixels.
    """

    path: Path
    first_row: int
    table: Any
    measured: Measured | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column of numbers, (n,), or the boxes as float64 (n, 4)."""
        column = self.table.column(name)
        if name == "bbox":
            return numbers_of(flat_boxes(column)).reshape(-1, 4)
        return numbers_of(column)

    def has_mask(self) -> npt.NDArray[np.bool_]:
        """Tell which rows have a mask, bool (n,)."""
        return ~is_null(self.table.column("mask"))

    def mask_strings(self) -> list[str]:
        """Return the compressed run lengths of the rows that have a mask."""
        data, offsets = self._characters()
        text = data.tobytes().decode("ascii")
        return [text[start:stop] for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]

    def masks(self) -> RunLengths:
        """Return the run lengths of the rows that have a mask, each checked before it is decoded.

        Raises:
            UserError: One does not fit its row's height and width; names file, row and field.
        """
        return self._of_strings(decode_strings)

    def checked_characters(self) -> tuple[memoryview, Ints, Measured]:
        """Check the masks as `masks` does; return them as text without runs of no pixels.

        Returns:
            The characters of all that there are, one after the other; where each begins and the last ends, int64
            (m + 1,); and what was measured of them.

        Raises:
            UserError: As `masks`.
        """
        measured = self._of_strings(measure_strings) if self.measured is None else self.measured
        data, offsets = self._characters()
        if not measured.has_empty_runs.any():
            return data.data, offsets, measured
        masks, texts = self.masks(), self.mask_strings()
        for place in np.flatnonzero(measured.has_empty_runs):
            texts[place] = encode_string(merge_empty_runs(masks[place]))
        offsets = offsets_of(np.array([len(text) for text in texts], np.int64))
        return memoryview("".join(texts).encode("ascii")), offsets, measured

    def _of_strings(self, compute: Callable[[npt.NDArray[np.uint8], Ints, Ints], _Found]) -> _Found:
        rows = np.flatnonzero(self.has_mask())
        data, offsets = self._characters()
        pixels = self.column("height").astype(np.int64) * self.column("width").astype(np.int64)
        try:
            return compute(data, offsets, pixels[rows])
        except RleError as error:
            raise self.error(int(rows[error.index]), "mask", error.reason) from error

    def _characters(self) -> tuple[npt.NDArray[np.uint8], Ints]:
        """Return the bytes of the masks that there are, and where each begins and the last ends, int64 (m + 1,)."""
        strings = self.table.column("mask")
        if strings.null_count:
            strings = strings.drop_null()
        _, offsets, data = strings.buffers()
        places = np.frombuffer(offsets or b"\0\0\0\0", np.int32)[strings.offset :][: len(strings) + 1].astype(np.int64)
        return np.frombuffer(data or b"", np.uint8)[places[0] : places[-1]], places - places[0]

    def refuse(self, wrong: npt.NDArray[np.bool_], field: str, what: str, cure: str | None = None) -> None:
        """Raise an error that names the first wrong row, if there is one; ``{}`` in ``what`` is its value."""
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self.error(row, field, what.format(self.column(field)[row].tolist()), cure)

    def error(self, row: int, field: str, what: str, cure: str | None = None) -> UserError:
        """Return an error that names file, row and field; ``row`` counts from the first of these rows."""
        return UserError(what, where=f"{self.path}: row {self.first_row + row}, {field}", cure=cure)


def write_part(
    folder: str | Path, index: int, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, kind: Kind
) -> Path:
    """Write one part of a prediction folder atomically and return its path.

    Args:
        folder: The folder; it is made when missing.
        index: Number of the part, from 0; an existing part of that number is replaced.
        rows: One mapping a row, or one mapping from column names to columns of equal length (arrays or
            lists; ``bbox`` (n, 4)). The columns are those of `schema_of`.
        kind: Which schema.

    Raises:
        UserError: There is no such kind, or the folder cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_choice("kind", kind, Kind)
    schema = schema_of(kind)
    by_column = isinstance(rows, Mapping)
    columns = [rows[name] if by_column else [row[name] for row in rows] for name in schema.names]
    table = pa.Table.from_arrays([_array(*pair) for pair in zip(columns, schema, strict=True)], schema=schema)
    table.validate(full=True)
    path = part_path(Path(folder), index)
    with atomic_path(path) as temporary:
        # No two masks are the same text, so that a dictionary of them would be made in vain, as would one of scores.
        repeated = [name for name in schema.names if name.endswith("_id") or name in {"height", "width"}]
        pq.write_table(table, temporary, compression="zstd", use_dictionary=repeated, write_statistics=repeated)
    return path


def part_path(folder: Path, index: int) -> Path:
    """Return the path of one part of a prediction folder."""
    return folder / f"part-{index:05d}.parquet"


def read_parts(folder: Path, *, kind: Kind) -> Iterator[Records]:
    """Read a prediction folder part by part, some thousand rows at a time.

    Args:
        folder: The folder with the parts.
        kind: Which schema they must have.

    Raises:
        UserError: The folder, all parts or one between others are missing, a part is not whole, or its columns
            do not hold what the schema says.
    """
    cure = again(folder.parent)
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder), cure=cure)
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        others = sorted(path.name for path in folder.glob("*.parquet"))
        if others:
            cure = f"rename {others[0]}: parts are called part-00000.parquet, part-00001.parquet, ..."
        raise UserError("has no part-00000.parquet in it", where=str(folder), cure=cure)
    for index, path in enumerate(paths):
        if path != part_path(folder, index):
            raise UserError("this part of the predictions is missing", where=str(part_path(folder, index)), cure=cure)
        yield from _read_part(path, kind)


def read_results(path: Path, *, sizes: Sizes) -> Iterator[Records]:
    """Read a COCO results file, a JSON list of detections, as records of kind ``detections``.

    A result without ``bbox`` gets the box around its mask, as pycocotools does.

    Args:
        path: The file: ``[{"image_id", "category_id", "score", "bbox" and/or "segmentation"}, ...]``.
        sizes: The sizes of the images of the annotation file.

    Raises:
        UserError: The file is not such a list; names file, row and field.
    """
    yield from records_of_results(load_results(path), sizes=sizes, path=path)


def records_of_results(
    results: Sequence[Any], *, sizes: Sizes, path: Path = Path("results"), annotations: str = "the annotation file"
) -> Iterator[Records]:
    """Turn the content of a COCO results file into records, as `read_results` does.

    Args:
        results: The detections.
        sizes: The sizes of the images of the annotation file.
        path: What errors call the file.
        annotations: What errors call the annotation file.

    Raises:
        UserError: A detection is malformed; names file, row and field.
    """
    images_checked = False
    for first in range(0, len(results), _ROWS_AT_A_TIME):
        chosen = results[first : first + _ROWS_AT_A_TIME]
        found = columns_of_results(chosen, sizes)
        if found is not None:
            table = _batch_of_columns(found.columns)
            yield Records(path=path, first_row=first, table=table, measured=found.measured)
            continue
        if not images_checked:
            refuse_unknown_images(results, sizes=sizes, path=path, annotations=annotations)
            images_checked = True
        rows = [row_of_result(path, first + place, result, sizes) for place, result in enumerate(chosen)]
        columns = {name: [row[name] for row in rows] for name in schema_of("detections").names}
        yield Records(path=path, first_row=first, table=_batch_of_columns(columns))


def _read_part(path: Path, kind: Kind) -> Iterator[Records]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(kind)
    try:
        with pq.ParquetFile(path) as file:
            foreign = foreign_columns(file.schema_arrow, schema, path=path, kind=kind)
            first_row = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME):
                table = converted(batch, schema, foreign, path=path, first_row=first_row) if foreign else batch
                records = Records(path=path, first_row=first_row, table=table)
                _check_nulls(records, kind)
                yield records
                first_row += len(records)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(". ")
        raise UserError(
            f"not a whole Parquet file ({reason}); {_what_is_whole(path)}",
            where=str(path),
            cure=again(path.parent.parent),
        ) from error


def _what_is_whole(broken: Path) -> str:
    """Say how much beside a broken part can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = list(broken.parent.glob("part-*.parquet"))
    rows = []
    for path in paths:
        try:
            rows += [pq.read_metadata(path).num_rows] if path != broken else []
        except (pa.ArrowException, OSError):
            continue
    if len(paths) == 1:
        return "it is the only part, so that no row is whole"
    return f"{len(rows)} of {len(paths)} parts are whole and hold {sum(rows)} rows"


def _check_nulls(records: Records, kind: Kind) -> None:
    for name in schema_of(kind).names:
        column = records.table.column(name)
        if name == "mask" and kind == "detections":
            continue
        if column.null_count:
            raise records.error(int(np.argmax(is_null(column))), name, "the value is missing")
        if name == "bbox" and flat_boxes(column).null_count:
            raise records.error(int(np.argmax(is_null(flat_boxes(column)))) // 4, name, "the value is missing")


def _batch_of_columns(columns: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    schema = schema_of("detections")
    return pa.RecordBatch.from_arrays([_array(columns[field.name], field) for field in schema], schema=schema)


def _array(values: Any, field: Any) -> Any:
    """Return a column as a pyarrow array of the field's type."""
    import pyarrow as pa

    if field.name == "bbox":
        numbers = np.asarray(values, np.float64).reshape(len(values), 4).ravel()
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=field.type)
    if field.name == "score":
        values = np.asarray(values, np.float64)
    return pa.array(values, type=field.type)
