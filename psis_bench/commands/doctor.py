"""``psis-bench doctor``: show the findings; exit code 1 when one of them is a problem."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from psis_bench.doctor import Finding, State, examine
from psis_bench.errors import UserError

_SIGNS = {State.OK: ("ok", "32"), State.NOTE: ("--", "33"), State.PROBLEM: ("!!", "31")}


def execute(options: argparse.Namespace) -> int:
    """Show what is installed and found."""
    folder = Path()
    for argument in options.arguments:
        key, _, value = argument.partition("=")
        if key != "out" or not value:
            raise UserError(f"doctor takes no {argument!r}", cure="give out=DIR, or nothing")
        folder = Path(value).expanduser()
    if sys.stderr.isatty() and not options.json:
        sys.stderr.write("looking (some seconds: torch is imported) ...\n")
    findings = examine(folder=folder)
    problems = [finding for finding in findings if finding.state is State.PROBLEM]
    if options.json:
        value = {"ok": not problems, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(value, indent=2) + "\n")
    else:
        # Plain text: the doctor has to speak also where rich is broken.
        sys.stdout.writelines(f"{line}\n" for finding in findings for line in _lines(finding))
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else "no problems"
        sys.stdout.write(f"{count} found\n")
    return 1 if problems else 0


def _lines(finding: Finding) -> list[str]:
    sign, colour = _SIGNS[finding.state]
    if sys.stdout.isatty():
        sign = f"\x1b[{colour}m{sign}\x1b[0m"
    lines = [f"{sign} {finding.subject:<14} {finding.text}"]
    if finding.cure:
        lines.append(f"   {'':<14} {'mend' if finding.state is State.PROBLEM else 'if needed'}: {finding.cure}")
    return lines
