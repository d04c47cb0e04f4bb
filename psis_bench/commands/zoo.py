"""``psis-bench zoo``: list models, get and check weights, add a run. Imports no torch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError, did_you_mean


def execute(options: argparse.Namespace) -> int:
    """Do what the first word says; 1 when ``verify`` found a problem."""
    if not options.arguments:
        raise UserError("nothing to do is given", cure=f"choose one of: {', '.join(_VERBS)}")
    verb, *rest = options.arguments
    if verb not in _VERBS:
        raise UserError(f"unknown command 'zoo {verb}'", cure=did_you_mean(verb, _VERBS))
    return _VERBS[verb](options, rest)


def _list(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    word = _only_word(arguments)
    from psis_bench.zoo.index import read_index
    from psis_bench.zoo.weights import local_file

    rows = [
        {
            "name": model.name,
            "config": model.config,
            "split": model.metadata.get("Split"),
            "data": model.metadata.get("Training Data"),
            "mask_head": model.metadata.get("Mask Head"),
            "parameters": model.metadata.get("Parameters"),
            "metrics": dict(model.metrics),
            "weights": model.weights,
            "bytes": model.size or None,
            "path": str(path) if (path := local_file(model)) else None,
        }
        for model in read_index()
        if word is None or word in model.name
    ]
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        _show(rows)
    return 0


def _show(rows: Sequence[dict[str, Any]]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from psis_bench import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("name", "split", "data", "mask head", "unseen", "weights"):
        # What may break into lines keeps room for its longest word.
        longest = {"unseen": "mIoU 62.8", "weights": "10.0 MB,"}.get(title)
        table.add_column(title, no_wrap=longest is None, min_width=len(longest) if longest else None)
    for row in rows:
        if row["weights"] is None:
            continue
        unseen = next((name for name in row["metrics"] if name.endswith(" unseen")), None)
        score = f"{unseen.removesuffix(' unseen')} {row['metrics'][unseen]:.1f}" if unseen else None
        state = f"{row['bytes'] / 1e6:.1f} MB, {'here' if row['path'] else 'psis-bench zoo get'}"
        cells = (row["name"], row["split"], row["data"], row["mask_head"], score, state)
        table.add_row(*(escape(str(cell)) if cell is not None else "-" for cell in cells))
    if table.row_count:
        console.out.print(table)
    without = [row["name"] for row in rows if row["weights"] is None]
    names = f": {', '.join(without)}" if without else ""
    console.out.print(f"{table.row_count} with weights, {len(without)} configurations without{names}", markup=False)


def _get(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    name, values = read_arguments(arguments, ("out",))
    from psis_bench.zoo.weights import get_weights

    out = Path(values["out"]).expanduser() if "out" in values else None
    path = get_weights(_required(name, "get"), out=out)
    if options.json:
        sys.stdout.write(json.dumps({"name": name, "path": str(path)}, indent=2) + "\n")
    else:
        _print(str(path))
    return 0


def _verify(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    word = _only_word(arguments)
    from psis_bench.zoo.index import find_model, read_index
    from psis_bench.zoo.weights import check_file, local_file

    checks: list[tuple[str, Path, str | None, int | None]] = []
    if word is not None and word.endswith(".safetensors"):
        checks.append((word, Path(word), None, None))
    else:
        models = [find_model(word)] if word is not None else read_index()
        for model in models:
            path = local_file(model)
            if path is not None:
                checks.append((model.name, path, model.sha256, model.size))
            elif model.is_shipped and model.weights is not None:
                checks.append((model.name, Path(model.weights), model.sha256, model.size))
    found: dict[str, str | None] = {}
    for name, path, sha256, size in checks:
        try:
            check_file(path, sha256=sha256, size=size)
            found[name] = None
        except UserError as error:
            found[name] = str(error)
    if options.json:
        sys.stdout.write(json.dumps([{"name": name, "problem": told} for name, told in found.items()], indent=2) + "\n")
    else:
        for name, told in found.items():
            _print(told or f"{name}: whole, and what it says it is")
        _print(f"{len(found)} checked" if found else "there are no weights on this machine to check")
    return int(any(found.values()))


def _add(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    run, values = read_arguments(arguments, ("name", "licence", "url", "half", "replace"))
    from psis_bench.zoo.adding import add_run

    folder = _required(run, "add", what="run")
    for key in ("name", "licence"):
        if key not in values:
            raise UserError(f"{key} is missing", cure=f"add {key}=..., as in name=small licence=Apache-2.0")
    model = add_run(
        Path(folder).expanduser(),
        name=values["name"],
        licence=values["licence"],
        url=values.get("url"),
        half=_flag("half", values),
        replace=_flag("replace", values),
    )
    if options.json:
        sys.stdout.write(
            json.dumps({"name": model.name, "weights": model.weights, "bytes": model.size}, indent=2) + "\n"
        )
    else:
        _print(f"{model.name}: {model.weights} ({model.size / 1e6:.1f} MB)")
        _print(f"its entry is in configs/models/{model.family}/metafile.yml; commit both")
    return 0


def _index(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    word = _only_word(arguments)
    if word is not None:
        raise UserError(f"zoo index takes no {word!r}", cure="psis-bench zoo index")
    from psis_bench.zoo.index import read_index, zoo_root
    from psis_bench.zoo.metafiles import update_index

    changed = update_index(zoo_root())
    count = len(read_index())
    if options.json:
        sys.stdout.write(json.dumps({"changed": changed, "models": count}, indent=2) + "\n")
    else:
        _print(f"{count} models, {len(changed)} entries changed" + (f": {', '.join(changed)}" if changed else ""))
    return 0


def _upload(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    name, values = read_arguments(arguments, ("repo",))
    if "repo" not in values:
        raise UserError("repo is missing", cure="add repo=<owner>/<repository>, a repository of the Hugging Face Hub")
    from psis_bench.zoo.hub import upload_to_hub
    from psis_bench.zoo.weights import get_weights

    address = upload_to_hub(get_weights(_required(name, "upload")), values["repo"])
    if options.json:
        sys.stdout.write(json.dumps({"name": name, "address": address}, indent=2) + "\n")
    else:
        _print(address)
    return 0


def _only_word(arguments: Sequence[str]) -> str | None:
    if len(arguments) > 1 or "=" in "".join(arguments):
        raise UserError(f"{arguments[-1]!r} is too much", cure="give one word, or none")
    return arguments[0] if arguments else None


def _required(word: str | None, verb: str, *, what: str = "model") -> str:
    if word is None:
        shown = "runs/..." if what == "run" else "NAME"
        raise UserError(f"no {what} is given", cure=f"psis-bench zoo {verb} {shown}")
    return word


def _flag(key: str, values: dict[str, str]) -> bool:
    text = values.get(key, "false")
    if text not in ("true", "false"):
        raise UserError(f"{key} must be true or false, not {text!r}")
    return text == "true"


def _print(line: str) -> None:
    from psis_bench import console

    console.out.print(line, soft_wrap=True, markup=False)


_VERBS: dict[str, Callable[[argparse.Namespace, Sequence[str]], int]] = {
    "list": _list,
    "get": _get,
    "verify": _verify,
    "add": _add,
    "index": _index,
    "upload": _upload,
}
