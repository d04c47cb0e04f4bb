"""Figure 1: what several mask heads make of the same objects of unseen classes.

Which objects: at even steps in the order of the difference between the last run and the first, none chosen by eye.

    python analysis/figure_1.py RUN_OF_ONE_HEAD RUN_OF_ANOTHER ... out=FOLDER
"""

from __future__ import annotations

import sys

from psis_bench.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "figure1", *sys.argv[1:]]))
