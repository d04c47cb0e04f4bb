"""``psis-bench sweep`` whose jobs are `stub_job`."""

from __future__ import annotations

import sys
from pathlib import Path

from psis_bench.cli import main
from psis_bench.sweep import local

if __name__ == "__main__":
    local.WORKER = (sys.executable, str(Path(__file__).with_name("stub_job.py")))
    sys.exit(main(["sweep", *sys.argv[1:]]))
