"""Figure 5: masks of one class alone. (a) a bar a source class; (b) the transfer matrix.

Paper, 512 x 512, Hourglass-52, non-VOC mask AP: from 12.5 to 27.8, the best source is bottle, the worst are dining
table, bicycle and potted plant. Trains what is missing, 20 sources and the run with all masks, then draws both:

    python analysis/figure_5.py seed=0,1,2
    python analysis/figure_5.py data=coco data.root=/data/coco model=deep_marc/r50 mask_head=hourglass52 launcher=slurm

Every ``key=value`` of ``psis-bench sweep`` may be given. ``psis-bench plot`` draws a sweep that is there.
"""

from __future__ import annotations

import sys

from psis_bench.cli import main
from psis_bench.splits.categories import VOC_NAMES

OUT = "runs/sweeps/figure_5"
SPLITS = ",".join(["fully_supervised", *(f"single_source/{name.replace(' ', '_')}" for name in VOC_NAMES)])


def run(arguments: list[str]) -> int:
    """Run the sweep, then draw what is scored so far; return the first exit code that is not 0."""
    given = {argument.partition("=")[0] for argument in arguments}
    defaults = [f"{key}={value}" for key, value in (("split", SPLITS), ("out", OUT)) if key not in given]
    folder = next((a.removeprefix("out=") for a in arguments if a.startswith("out=")), OUT)
    code = main(["sweep", *defaults, *arguments])
    if code not in (0, 1) or {"--dry-run", "launcher=print"} & set(arguments):
        return code
    drawn = [main(["plot", name, folder, f"out={folder}/figures"]) for name in ("figure5a", "figure5b")]
    return code or max(drawn)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
