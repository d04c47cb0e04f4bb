"""``psis-bench leaderboard build``: the static site and the tables of ``model_zoo/README.md``. Imports no torch."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError, did_you_mean

_KEYS = ("out", "zoo", "pictures", "data.root")


def execute(options: argparse.Namespace) -> int:
    """Build the site; 1 when a submission could not be read, in which case nothing is written."""
    word, values = read_arguments(options.arguments, _KEYS)
    if word != "build":
        what = f"unknown command 'leaderboard {word}'" if word else "nothing to do is given"
        raise UserError(what, cure=did_you_mean(word, ["build"]) if word else "psis-bench leaderboard build")
    from psis_bench import console
    from psis_bench.leaderboard.markdown import update_readme
    from psis_bench.leaderboard.pictures import pictures_of
    from psis_bench.leaderboard.site import build_site, read_zoo

    folder = Path(values.get("zoo", "model_zoo")).expanduser()
    out = Path(values.get("out", "site")).expanduser()
    zoo = read_zoo(folder)
    for fault in zoo.faults:
        console.err.print(fault, soft_wrap=True, markup=False)
    if zoo.faults:
        count = len(zoo.faults)
        console.err.print(f"{count} submission{'s' if count > 1 else ''} could not be read; nothing was written")
        return 1
    pictures = pictures_of(values["pictures"], values.get("data.root")) if "pictures" in values else None
    pages = build_site(zoo.boards, out, pictures=pictures)
    if (folder / "README.md").is_file():
        update_readme(folder / "README.md", zoo.boards)
    if options.json:
        found = {"pages": pages, "rows": len(zoo.rows), "splits": len(zoo.boards), "index": str(out / "index.html")}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        console.out.print(
            f"{len(zoo.rows)} rows of {len(zoo.boards)} splits: {out / 'index.html'}", soft_wrap=True, markup=False
        )
    return 0
