"""Tables 1 to 13: the paper's numbers, and beside them what runs have measured, as Markdown, LaTeX and CSV.

    python analysis/tables.py RUNS ... out=FOLDER

Each run stands in the row whose split, mask head and crop source it has, with what it was measured with.
"""

from __future__ import annotations

import sys

from psis_bench.cli import main


def run(arguments: list[str]) -> int:
    """Write all tables; return the largest exit code."""
    return max(main(["plot", f"table{number}", *arguments]) for number in range(1, 14))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
