"""Converts what the official code saved and compares: the end of `make parity`.

    python tests/parity/compare.py FOLDER

FOLDER has what the scripts ``official_*.py`` saved in ``heads``, ``deep_mac`` and ``deep_marc``. Prints a table in
Markdown, with versions; exit code 1 when anything differs by more than 1e-4 of the largest official value.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import compare_deep_mac
import compare_deep_marc
import compare_heads
import torch
from table import LARGEST, Row, markdown, timed

from psis_bench.convert.conversion import PartialConversionError
from psis_bench.models import registered  # noqa: F401

PARTS = {"heads": compare_heads, "deep_mac": compare_deep_mac, "deep_marc": compare_deep_marc}


def main() -> int:
    """Compare every part; 1 when one is missed."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    refused = 0
    for name, part in PARTS.items():
        with timed(seconds, name):
            try:
                for found in part.compare(folder / name):
                    rows.append(found)
                    sys.stderr.write(f"{found.relative:.1e}  {found.what}\n")
            except PartialConversionError as error:
                sys.stderr.write(f"{error}\n{error.report()}\n")
                refused += 1
    versions = (folder / "versions.txt").read_text(encoding="utf-8").split()
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, CPU, float32; ")
    sys.stdout.write(f"torch {torch.__version__}; official code: {', '.join(versions)}.\n\n{markdown(rows)}\n\n")
    missed = [found.what for found in rows if not found.passes]
    took = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    sys.stdout.write(f"{len(rows)} comparisons, {len(missed)} differ by more than {LARGEST:g}; {took}.\n")
    for what in missed:
        sys.stderr.write(f"too large a difference: {what}\n")
    return 1 if missed or refused or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
