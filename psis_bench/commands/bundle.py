"""``psis-bench bundle``: a run, or predictions of any software, becomes a submission. Imports no torch."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psis_bench.commands.submission_arguments import existing, paths_and_values
from psis_bench.errors import UserError

if TYPE_CHECKING:
    from psis_bench.submissions.bundle import Source

_KEYS = ("split", "data", "data.root", "about", "out", "seeds")
_OF_THE_RUN = ("seed", "hours", "parameters", "hardware", "software")


def execute(options: argparse.Namespace) -> int:
    """Write one submission a run, or one from a file or folder of predictions."""
    paths, values = paths_and_values(options.arguments, _KEYS)
    if not paths:
        raise UserError("nothing is given to bundle", cure="give the folder of a run, or a COCO results file")
    sources = _sources(paths, values)
    abouts = _abouts(paths, sources, values)
    seeds = _seeds(values.get("seeds"), [about["seed"] for about in abouts])
    from psis_bench.submissions import bundle

    out = Path(values.get("out", "submissions")).expanduser()
    folders = []
    # Other packages print; standard output is for the result alone.
    with contextlib.redirect_stdout(sys.stderr):
        for source, about in zip(sources, abouts, strict=True):
            folder = bundle.bundle(
                source, about, out, seeds=seeds, with_weights=options.weights, replace=options.replace
            )
            folders.append(bundle.pack(folder) if options.zip else folder)
    if options.json:
        sys.stdout.write(json.dumps({"submissions": [str(folder) for folder in folders]}, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{folder}\n" for folder in folders))
    return 0


def _sources(paths: list[Path], values: dict[str, str]) -> list[Source]:
    from psis_bench.submissions.bundle import source_of_run

    runs = [path for path in paths if (path / "config.yaml").is_file()]
    if len(runs) == len(paths):
        for key in ("split", "data", "data.root"):
            if key in values:
                raise UserError(f"{key}= goes with predictions", cure="leave it out: a run knows its own")
        return [source_of_run(path) for path in paths]
    if len(paths) > 1:
        raise UserError("several are given, and not all are runs", cure="bundle predictions one file at a time")
    return [_source_of_predictions(existing(paths[0], "run, results file or prediction folder"), values)]


def _source_of_predictions(path: Path, values: dict[str, str]) -> Source:
    from psis_bench.commands.score import annotations_of
    from psis_bench.splits.registry import get_split
    from psis_bench.submissions.about import as_slug
    from psis_bench.submissions.bundle import Source

    if "split" not in values:
        raise UserError("no split is given", cure="add split=..., as in split=voc2nonvoc (psis-bench ls splits)")
    annotations, on_bad_boxes = annotations_of(values)
    name = values["data"]
    if name.endswith((".yaml", ".yml")):
        from psis_bench.data.dataset_config import get_dataset

        name = get_dataset(name, root=values.get("data.root")).name
    return Source(
        predictions=path,
        annotations=annotations,
        data=as_slug(name.removesuffix(".json").rpartition("/")[2]),
        on_bad_boxes=on_bad_boxes,
        split=get_split(values["split"]),
        known={"mask_sources": [], "extra_data": [], "authors": []},
    )


def _abouts(paths: list[Path], sources: list[Source], values: dict[str, str]) -> list[dict[str, Any]]:
    """Read what the person has filled in; write the file to be filled in when it is not there."""
    from psis_bench.submissions.about import read_about, write_template

    first = paths[0]
    beside = first / "about.yaml" if first.is_dir() else first.with_name(f"{first.stem}.about.yaml")
    path = Path(values.get("about", beside)).expanduser()
    if not path.exists():
        write_template(path, sources[0].known)
        cure = "fill in what is empty, correct the rest, and run the same command again"
        raise UserError("was written for you", where=str(path), cure=cure)
    about = read_about(path)
    if len(sources) == 1:
        return [about]
    return [about | {key: source.known[key] for key in _OF_THE_RUN} for source in sources]


def _seeds(text: str | None, own: list[Any]) -> list[Any]:
    if text is None:
        return sorted(set(own), key=str)
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise UserError(f"seeds must be whole numbers, not {text!r}", cure="write seeds=0,1,2") from None
