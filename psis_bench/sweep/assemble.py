"""From the score files of runs to a transfer matrix."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from psis_bench.errors import UserError, did_you_mean
from psis_bench.sweep.matrix import FULL, METRICS, PROBE, TransferMatrix

ALL_CLASSES = "fully_supervised"
"""The split of the runs that a ratio is taken to."""
PROBE_MARK = "probe.json"
"""A run directory with this file was made in probe mode."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run, scored or not, that gives a row of a matrix.

    Attributes:
        folder: The run directory; it need not exist.
        split: Name of its split.
        seed: Its seed.
        settings: Its other keys, flat, by which runs of one source and seed are told apart; first of all ``probe``,
            and of a run in probe mode its ``probe.`` keys.
    """

    folder: Path
    split: str
    seed: int
    settings: Mapping[str, Any]


def find_entries(paths: Iterable[Path]) -> list[Entry]:
    """Return the runs below folders; of a sweep's folder also those that it has planned and not begun.

    Args:
        paths: Folders of sweeps, of runs, or of anything that holds runs at most three folders deep.

    Raises:
        UserError: A folder has no runs.
    """
    entries: dict[Path, Entry] = {}
    for path in paths:
        found = _planned(path) if (path / "sweep.json").is_file() else _lying_in(path)
        if not found:
            raise UserError("no run is there", where=str(path), cure="give the folder of a sweep, or of runs")
        entries |= {entry.folder.resolve(): entry for entry in found}
    return list(entries.values())


def _planned(folder: Path) -> list[Entry]:
    """Return the jobs that a sweep's folder holds or was last asked for."""
    from psis_bench.config import flatten
    from psis_bench.sweep.plan import JOBS, plan_jobs

    begun = {entry.folder.name: entry for entry in _lying_in(folder / JOBS)}
    plan = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    # In the order of the plan: the folders' names are hashes.
    entries = []
    for job in plan_jobs([str(key) for key in plan["arguments"]], folder=folder, identity=plan.get("identity")):
        config = job.config
        settings = _told_apart(flatten(config), plan.get("probe"))
        planned = Entry(folder=job.folder, split=config.split, seed=config.seed, settings=settings)
        entries.append(begun.pop(job.id, planned))
    # A run of an earlier version, whose configuration had fewer keys, has another hash.
    done = {_identity(entry) for entry in begun.values()}
    entries = [entry for entry in entries if entry.folder.exists() or _identity(entry) not in done]
    return [*entries, *begun.values()]


def _identity(entry: Entry) -> tuple[str, int, str]:
    known = {key: value for key, value in entry.settings.items() if value is not None}
    return entry.split, entry.seed, repr(sorted(known.items()))


def _lying_in(folder: Path) -> list[Entry]:
    files = [path for depth in ("", "*/", "*/*/", "*/*/*/") for path in sorted(folder.glob(f"{depth}config.yaml"))]
    return [_entry(path) for path in files]


def _entry(path: Path) -> Entry:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - a safe loader, the quick one
        flat = _flat(values)
        settings = _told_apart(flat, _probe_of(path.parent))
        return Entry(folder=path.parent, split=str(flat["split"]), seed=int(flat["seed"]), settings=settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"damaged: {error}", where=str(path), cure="leave this folder out") from None


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= {f"{key}.{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _probe_of(folder: Path) -> dict[str, Any] | None:
    """Return the settings of a run in probe mode; None for a training of its own."""
    try:
        content = json.loads((folder / PROBE_MARK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in content.items() if key != "note"}


def _told_apart(flat: Mapping[str, Any], probe: Mapping[str, Any] | None) -> dict[str, Any]:
    from psis_bench.overwriting import NEUTRAL

    own = {"probe": probe is not None, **{f"probe.{key}": value for key, value in (probe or {}).items()}}
    return own | {key: value for key, value in flat.items() if key not in NEUTRAL and key not in ("split", "seed")}


def choose_entries(entries: Sequence[Entry], where: Mapping[str, str]) -> list[Entry]:
    """Return the runs with given settings.

    Args:
        entries: From `find_entries`.
        where: Keys of a run, as typed, and the values that are wanted; ``data`` stands for ``data.name``.

    Raises:
        UserError: No run has the key or the value.
    """
    chosen = list(entries)
    for key, text in where.items():
        name = "data.name" if key == "data" else key
        values = sorted({_typed(entry.settings.get(name)) for entry in chosen})
        chosen = [entry for entry in chosen if _typed(entry.settings.get(name)) == text]
        if not chosen:
            raise UserError(f"no run has {key}={text}", cure=did_you_mean(text, values))
    return chosen


def _typed(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def assemble(
    entries: Sequence[Entry],
    *,
    metric: str,
    sources: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    reference: str = ALL_CLASSES,
) -> TransferMatrix:
    """Return the matrix of the scores of runs.

    A run that is not scored leaves a hole in its source and seed.

    Args:
        entries: Runs that differ in split and seed alone.
        metric: A key of `METRICS`.
        sources: Their order; None: the order of the entries.
        targets: Classes, in this order; None: those that are unseen in one run at least, in the order of the files.
        reference: Name of the split whose runs are the reference, and no source.

    Raises:
        UserError: An unknown metric, two runs of one source and seed, runs of other annotations or of another
            protocol, a source or target that there is not, or no score at all.
    """
    if metric not in METRICS:
        raise UserError(f"unknown metric {metric!r}", cure=did_you_mean(metric, METRICS))
    rows = _rows(entries, metric=metric)
    scored = [row for row in rows if row.scores]
    if not scored:
        raise UserError("no run is scored yet", where=str(entries[0].folder.parent), cure="run psis-bench sweep first")
    protocol = _one_protocol(scored)
    of_sources = [row for row in rows if row.entry.split != reference]
    names = list(dict.fromkeys(row.source for row in of_sources))
    chosen_sources = _checked("source", sources, names)
    known = list(dict.fromkeys(name for row in scored for name in row.scores))
    unseen = {name for row in of_sources for name, group in row.groups.items() if group == "unseen"}
    chosen_targets = _checked("target", targets, [name for name in known if name in unseen or targets is not None])
    seeds = sorted({row.entry.seed for row in of_sources})
    scores = np.full((len(chosen_sources), len(chosen_targets), len(seeds)), np.nan)
    seen = np.zeros(scores.shape[:2], dtype=bool)
    places = {name: place for place, name in enumerate(chosen_sources)}
    for row in of_sources:
        if row.source in places:
            place = places[row.source]
            scores[place, :, seeds.index(row.entry.seed)] = row.line(chosen_targets)
            seen[place] |= [row.groups.get(name) == "seen" for name in chosen_targets]
    lines = [row.line(chosen_targets) for row in scored if row.entry.split == reference]
    return TransferMatrix(
        metric=metric,
        protocol=protocol,
        sources=tuple(chosen_sources),
        targets=tuple(chosen_targets),
        seeds=tuple(seeds),
        scores=scores,
        seen=seen,
        reference=np.array(lines).T if lines else np.empty((len(chosen_targets), 0)),
    )


@dataclass(frozen=True)
class _Row:
    """What the score files of a run say: a score and a group for each class that has them."""

    entry: Entry
    source: str
    scores: Mapping[str, float]
    groups: Mapping[str, str]
    annotations: str | None
    protocol: str

    def line(self, targets: Sequence[str]) -> list[float]:
        return [self.scores.get(name, float("nan")) for name in targets]


def _rows(entries: Sequence[Entry], *, metric: str) -> list[_Row]:
    rows: list[_Row] = []
    taken: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        other = taken.setdefault((entry.split, entry.seed), entry)
        if other is not entry:
            raise _two_of_one(other, entry)
        rows.append(_read(entry, metric=metric))
    first = next((row for row in rows if row.annotations), None)
    for row in rows:
        if first is not None and row.annotations and row.annotations != first.annotations:
            raise UserError(
                f"is scored with other annotations than {first.entry.folder}",
                where=str(row.entry.folder),
                cure="leave one of them out",
            )
    return rows


def _two_of_one(first: Entry, second: Entry) -> UserError:
    differing = [key for key in first.settings if first.settings[key] != second.settings.get(key)]
    keys = [key for key in differing if not key.startswith("mm.")] or differing
    if not keys:
        return UserError(
            f"two runs of split={first.split} seed={first.seed}: {first.folder} and {second.folder}",
            cure="leave one of them out",
        )
    key = "data" if keys[0] == "data.name" else keys[0]
    return UserError(
        f"two runs of split={first.split} seed={first.seed} differ in {key}",
        cure=f"choose one, as in {key}={_typed(first.settings[keys[0]])}",
    )


def _read(entry: Entry, *, metric: str) -> _Row:
    path = entry.folder / "per_class.csv"
    scores: dict[str, float] = {}
    groups: dict[str, str] = {}
    summary: dict[str, Any] = {}
    try:
        # Written last: what is beside it is of the same scoring.
        summary = json.loads((entry.folder / "scores.json").read_text(encoding="utf-8"))
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            columns = next(reader)
            name, group, value = (columns.index(column) for column in ("name", "group", metric))
            for row in reader:
                groups[row[name]] = row[group]
                scores[row[name]] = float(row[value]) if row[value] else float("nan")
    except FileNotFoundError:
        scores, groups = {}, {}
    except (ValueError, IndexError, StopIteration) as error:
        raise UserError(f"damaged: {error}", where=str(path), cure="score the run again: psis-bench score") from None
    seen = [known for known, group in groups.items() if group == "seen"]
    return _Row(
        entry=entry,
        source=seen[0] if len(seen) == 1 else _source_name(entry.split),
        scores=scores,
        groups=groups,
        annotations=(summary.get("dataset") or {}).get("annotations_sha256"),
        protocol=PROBE if entry.settings.get("probe") else FULL,
    )


def _source_name(split: str) -> str:
    """Return the class of a single-source split that is not scored yet, and of any other split its name."""
    name = Path(split).stem if split.endswith((".yaml", ".yml")) else split
    prefix, _, source = name.partition("/")
    return source.replace("_", " ") if prefix == "single_source" else name


def _one_protocol(rows: Sequence[_Row]) -> str:
    protocols = {row.protocol: row for row in rows}
    if len(protocols) > 1:
        raise UserError(
            f"{protocols[PROBE].entry.folder} was made in probe mode, {protocols[FULL].entry.folder} was not",
            cure="choose one, as in probe=false",
        )
    return rows[0].protocol


def _checked(word: str, wanted: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    if wanted is None:
        return list(known)
    # Typed with underscores for the spaces of a name, as in splits.
    names = {name.replace(" ", "_"): name for name in known}
    unknown = [name for name in wanted if name.replace(" ", "_") not in names]
    if unknown:
        raise UserError(f"there is no {word} {unknown[0]!r} in the runs", cure=did_you_mean(unknown[0], known))
    return [names[name.replace(" ", "_")] for name in wanted]
