"""Probe mode against trainings of their own: what it costs, and how alike both rank targets and sources.

Not in the paper. Runs both sweeps of the same sources, as far as they are missing, and compares the matrices:

    python analysis/probe_mode.py sources=bottle,dining_table,person mask_head=resnet4 iterations=300

Every ``key=value`` of ``psis-bench sweep`` may be given; ``probe.*`` is for probe mode alone. Times are of this call.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from psis_bench.cli import main
from psis_bench.console import out
from psis_bench.sweep.agreement import Agreement, agreements
from psis_bench.sweep.assemble import assemble, find_entries

OUT = "runs/sweeps/probe_mode"
SOURCES = "bottle,dining_table,person"


def run(arguments: list[str]) -> int:
    """Run both sweeps and print how alike they are; return the first exit code that is not 0."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    folder = Path(given.pop("out", OUT))
    sources = given.pop("sources", SOURCES).split(",")
    keys = [f"{key}={value}" for key, value in ({"model": "deep_marc/small"} | given).items()]
    split = "split=" + ",".join(f"single_source/{name}" for name in sources)
    plain = [key for key in keys if not key.startswith("probe.")]
    for name, own in (("full", plain), ("probe", [*keys, "probe=true"])):
        begin, processor = time.monotonic(), _processor_seconds()
        code = main(["sweep", split, *own, f"out={folder / name}"])
        if code:
            return code
        seconds = time.monotonic() - begin
        out.print(f"{name}: {seconds:.0f} s, {_processor_seconds() - processor:.0f} s of processor time")
    matrices = [assemble(find_entries([folder / name]), metric="gt_box_miou") for name in ("full", "probe")]
    for what, found in agreements(*matrices).items():
        out.print(f"{what:<18} {_told(what, found)}", soft_wrap=True)
    return 0


def _told(what: str, found: Agreement) -> str:
    name = "of the pairs of sources in the same order" if what == "sources by target" else "Spearman"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}] {name}, {found.number} compared"


def _processor_seconds() -> float:
    """Return the processor time of this process and of the children that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
