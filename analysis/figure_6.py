"""Figure 6: masks in boxes that you drew, on images of your own (docs/user_boxes.md makes them).

psis-bench predict image=photos boxes=boxes.csv run=RUN out=masks
python analysis/figure_6.py masks out=FOLDER
"""

from __future__ import annotations

import sys

from psis_bench.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "figure6", *sys.argv[1:]]))
