"""Figure 7 and appendix E: how carefully classes are annotated, and how far two annotations of an object agree.

Paper: the three worst source classes, bicycle, dining table and potted plant, are annotated unevenly; COCO against
experts has an IoU of 83 to 87, LVIS against experts 90 to 92 (appendix B.1, quoting the LVIS paper).

    python analysis/figure_7.py data=coco data.root=/data/coco other=lvis_v1_val.json
"""

from __future__ import annotations

import sys

from psis_bench.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "figure7", *sys.argv[1:]]))
