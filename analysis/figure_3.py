"""Figure 3: mask heads by depth and family, on seen and on unseen classes.

Paper, Deep-MAC at 512 x 512, mask AP: from 38.8 to 40.0 on seen classes, from 25.0 to 32.5 on unseen ones. Trains the
heads of the figure that are missing, then draws it:

    python analysis/figure_3.py seed=0,1,2
    python analysis/figure_3.py data=coco data.root=/data/coco model=deep_mac/hg104 launcher=slurm

Every ``key=value`` of ``psis-bench sweep`` may be given. ``psis-bench plot figure3`` draws runs that are there.
"""

from __future__ import annotations

import sys

from psis_bench.cli import main

HEADS = {
    "resnet": (4, 8, 12, 16, 20),
    "hourglass": (10, 20, 32, 52, 100),
    "resnet_bottleneck": (6, 9, 12, 15, 21),
    "resnet_bottleneck_quarter": (6, 12, 21, 30, 51),
}
DEFAULTS = {
    "split": "voc2nonvoc",
    "mask_head": ",".join(f"{family}{depth}" for family, depths in HEADS.items() for depth in depths),
    "out": "runs/sweeps/figure_3",
}


def run(arguments: list[str]) -> int:
    """Run the sweep, then draw what is scored so far; return the first exit code that is not 0."""
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    defaults = [f"{key}={value}" for key, value in DEFAULTS.items() if key not in given]
    folder = given.get("out", DEFAULTS["out"])
    code = main(["sweep", *defaults, *arguments])
    if code not in (0, 1) or {"--dry-run", "launcher=print"} & set(arguments):
        return code
    drawn = main(["plot", "figure3", folder, f"out={folder}/figures"])
    return code or drawn


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
