"""The process in which predictions of a stranger are opened: bounded in memory and time, and allowed to die.

A Parquet file of a few kilobytes can say that it unpacks to terabytes, and what it says of itself need not be true.
So its own words are checked first, and everything is read in a process whose limits grow only with the bytes that are
really there. Run by `psis_bench.submissions.rescoring`; takes a task as JSON on standard input, and writes the scores
into a folder, or one problem as JSON to standard output.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from psis_bench.errors import UserError

REFUSED = 3
"""Exit code when the predictions cannot be scored; the problem is on standard output."""

_BASE_BYTES = 700 * 2**20
_BASE_SECONDS = 60
_MAX_ROWS = 20_000_000
_MAX_ROW_GROUPS = 10_000
_RECORD_BYTES = 40  # an annotation takes more than that in its file
_RATIO = 100  # masks are long texts that zstd makes three times shorter
_MAX_BYTES = 4 * 2**30
_CURE = "write the predictions again; psis-bench bundle does"


def main() -> int:
    """Do one task; return the exit code."""
    task = json.load(sys.stdin)
    annotations, predictions = Path(task["annotations"]), Path(task["predictions"])
    try:
        # Nothing of the stranger's is opened before the limit holds; it is widened by what is allowed to be there.
        _limit(resource.RLIMIT_DATA, _BASE_BYTES)
        _limit(resource.RLIMIT_CPU, _BASE_SECONDS)
        truth = annotations.stat().st_size
        limits = {
            "detections": task["images"] * task["split"]["max_detections"],
            "gt_box_masks": truth // _RECORD_BYTES,
        }
        rows, unpacked = _measure(predictions, limits)
        _limit(resource.RLIMIT_DATA, _BASE_BYTES + 12 * truth + 1500 * rows + 10 * unpacked)
        _limit(resource.RLIMIT_CPU, _BASE_SECONDS + truth // 2**20 + rows // 1000 + unpacked // 2**20)
        score_task(task, predictions, annotations)
    except UserError as error:
        json.dump({"what": error.what, "where": error.where, "cure": error.cure}, sys.stdout)
        return REFUSED
    except MemoryError:
        json.dump({"what": "needs more memory than its size explains", "where": None, "cure": _CURE}, sys.stdout)
        return REFUSED
    return 0


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _measure(predictions: Path, limits: dict[str, int]) -> tuple[int, int]:
    """Return how many rows there are and how many bytes they unpack to, both as the files say.

    Args:
        predictions: The folder.
        limits: How many rows each kind may have.

    Raises:
        UserError: A file is no Parquet of our columns, or says that it is larger than its bytes explain.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    all_rows = all_bytes = 0
    for kind, limit in limits.items():
        most, rows = min(limit, _MAX_ROWS), 0
        for path in sorted((predictions / kind).glob("part-*.parquet")):
            try:
                metadata = pq.read_metadata(path)
            except (pa.ArrowException, OSError, MemoryError) as error:
                raise UserError(f"is no Parquet file ({_first_line(error)})", where=str(path), cure=_CURE) from error
            rows += metadata.num_rows
            all_bytes += _unpacked(metadata, path)
            if rows > most:
                what = f"{kind} has {rows:,} rows or more; {most:,} are allowed"
                raise UserError(what, where=str(path), cure="keep what is scored; psis-bench bundle does")
        all_rows += rows
    if all_bytes > _MAX_BYTES:
        raise UserError(f"unpack to {all_bytes:,} bytes", where=str(predictions), cure=_CURE)
    return all_rows, all_bytes


def _unpacked(metadata: Any, path: Path) -> int:
    """Return how many bytes a file says that it unpacks to."""
    if metadata.num_row_groups > _MAX_ROW_GROUPS or metadata.num_columns > 16 or metadata.num_rows < 0:
        raise UserError("has too many row groups or columns", where=str(path), cure=_CURE)
    size = path.stat().st_size
    total = 0
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            unpacked = metadata.row_group(group).column(column).total_uncompressed_size
            if not 0 <= unpacked <= max(2**20, _RATIO * size):
                raise UserError(f"unpacks to {unpacked:,} bytes from {size:,}", where=str(path), cure=_CURE)
            total += int(unpacked)
    return total


def score_task(task: dict[str, Any], predictions: Path, annotations: Path) -> None:
    """Write the scores of predictions into the folder ``out`` of a task.

    Raises:
        UserError: Why they cannot be scored.
    """
    from psis_bench.scoring.score import score_run
    from psis_bench.splits.protocol import SplitProtocol

    fields = task["split"] | {name: tuple(task["split"][name]) for name in ("seen", "unseen")}
    score_run(
        predictions=predictions,
        annotations=annotations,
        split=SplitProtocol(**fields),
        out=Path(task["out"]),
        boundary=task["boundary"],
        class_agnostic=task["class_agnostic"],
        on_bad_boxes=task["on_bad_boxes"],
    )


def _first_line(error: BaseException) -> str:
    return ascii(str(error).partition("\n")[0][:200])


if __name__ == "__main__":
    sys.exit(main())
