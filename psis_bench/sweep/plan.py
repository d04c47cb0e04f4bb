"""From ``key=value`` arguments with lists and patterns to the jobs of a sweep.

A job is a run. Its directory is named by the hash of its resolved configuration, so the same job is found again by any
later command, whatever else that command asks for. Settings that change no result (where, how fast) are not hashed.
"""

from __future__ import annotations

import fnmatch
import glob
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from psis_bench.config import DataKeys, RunConfig, flatten, resolve_config
from psis_bench.errors import UserError, did_you_mean
from psis_bench.overwriting import NEUTRAL

JOBS = "jobs"
_ID_DIGITS = 16
_FILES = (".yaml", ".yml", ".py")
_NOT_SWEPT = ("out", "overwrite")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a sweep.

    Attributes:
        id: First 16 digits of the SHA-256 of the resolved configuration.
        config: The resolved configuration; ``out`` is the job's directory.
        settings: The keys in which the jobs of the sweep differ, with this job's values.
    """

    id: str
    config: RunConfig
    settings: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The job's directory, a run directory."""
        return Path(str(self.config.out))

    @property
    def title(self) -> str:
        """The settings as one would type them, e.g. ``split=single_source/cat seed=1``."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items()) or self.id


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A key and the values that it takes, as they were typed, patterns expanded."""

    key: str
    values: tuple[str, ...]


def plan_jobs(arguments: Sequence[str], *, folder: Path, identity: Mapping[str, Any] | None = None) -> list[Job]:
    """Return every combination of the values that the arguments list, each once, the last key varying fastest.

    Args:
        arguments: ``key=value``; a value may be a list (``seed=0,1,2``) of values and patterns
            (``split=single_source/*``).
        folder: The folder of the sweep.
        identity: What else the directories of the jobs are hashed from.

    Raises:
        UserError: An unknown key, name or value, or a pattern that nothing matches.
    """
    axes = [read_axis(argument) for argument in arguments]
    _refuse_twice(axes)
    home = (folder / JOBS).expanduser().resolve()
    first = [f"{axis.key}={axis.values[0]}" for axis in axes]
    base = flatten(resolve_config([*first, f"out={home}"]))
    choices = [_choices(axis, place, first, base=base, home=home) for place, axis in enumerate(axes)]
    _check_names(base, choices)
    swept = [axis.key for axis in axes if len(axis.values) > 1]
    typed = _typed_keys(swept)
    jobs: dict[str, Job] = {}
    for combination in itertools.product(*choices):
        flat = dict(base)
        for changed in combination:
            flat |= changed
        name = job_id({**flat, **(identity or {})})
        if name not in jobs:
            config = replace(_unflattened(flat), out=str(home / name))
            jobs[name] = Job(id=name, config=config, settings={key: flat[typed[key]] for key in swept})
    return list(jobs.values())


def job_id(flat: Mapping[str, Any]) -> str:
    """Return the name of a job's directory from its configuration, flat as by `psis_bench.config.flatten`."""
    identity = {key: repr(value) for key, value in flat.items() if key not in NEUTRAL}
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:_ID_DIGITS]


def read_axis(argument: str) -> Axis:
    """Split ``key=a,b*`` into its key and the values it stands for.

    Raises:
        UserError: It is not ``key=value``, the key cannot be swept, or a pattern matches nothing.
    """
    key, equals, text = argument.partition("=")
    if not equals or not text:
        raise UserError(f"{argument!r} is not key=value", cure="arguments look like split=single_source/*")
    if key in _NOT_SWEPT:
        raise UserError(f"{key}= has no meaning for a job of a sweep", cure="leave it out")
    values = [value for item in split_list(text) for value in _expanded(key, item)]
    if not values:
        raise UserError(f"{key} has no value", cure=f"write {key}=...")
    if len(set(values)) > 1 and key in NEUTRAL:
        raise UserError(f"{key} does not tell jobs apart, so it takes one value", cure=f"write {key}={values[0]}")
    return Axis(key=key, values=tuple(dict.fromkeys(values)))


def split_list(text: str) -> list[str]:
    """Split at commas that stand outside brackets, braces and quotes; empty items are left out."""
    items, depth, quote, begin = [], 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth <= 0:
            items.append(text[begin:place])
            begin = place + 1
    return [item for item in (part.strip() for part in [*items, text[begin:]]) if item]


def _expanded(key: str, item: str) -> list[str]:
    """Return what a pattern matches, in the order of the listing; a plain value stands for itself."""
    if key.startswith(("mm.", "+mm.")) or not glob.has_magic(item):
        return [item]
    if item.endswith(_FILES):
        found, place = sorted(glob.glob(str(Path(item).expanduser()))), "the file system"  # noqa: PTH207 - a typed path
    else:
        names = _names(key)
        found, place = [name for name in names if fnmatch.fnmatchcase(name, item)], f"the names of {key}"
        if not found and names:
            place += f" ({did_you_mean(item, names)})"
    if not found:
        raise UserError(f"{key}={item} matches nothing in {place}", cure="write a name, or another pattern")
    return found


def _names(key: str) -> list[str]:
    """Return the names that a pattern of a key is matched with."""
    if key == "split":
        from psis_bench.splits.registry import list_splits

        return [split.name for split in list_splits()]
    if key in ("data", "data.name"):
        from psis_bench.data.dataset_config import list_datasets

        return [listing.name for listing in list_datasets()]
    kinds = {"model": "models", "mask_head": "mask_heads", "schedule": "schedules"}
    if key in kinds:
        from psis_bench.config_listing import config_names

        return config_names(kinds[key])
    if key == "crop_source":
        from psis_bench.config import CROP_SOURCES

        return list(CROP_SOURCES)
    raise UserError(f"{key} takes no pattern", cure=f"list its values, as in {key}=0,1,2")


def _refuse_twice(axes: Sequence[Axis]) -> None:
    keys = [axis.key for axis in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is given twice", cure=f"list its values once, as in {twice}=a,b")


def _choices(
    axis: Axis, place: int, first: Sequence[str], *, base: Mapping[str, Any], home: Path
) -> list[dict[str, Any]]:
    """Return, for each value of an axis, what it changes of the base configuration.

    Each value is resolved once, beside the first values of all other keys, rather than in each combination: keys are
    resolved one by one, and a sweep of 10,000 jobs has few values a key.
    """
    found = [_own_keys(axis.key, base)]
    for value in axis.values[1:]:
        known = _plain(axis.key, value)
        if known is None:
            known = flatten(resolve_config([*first[:place], f"{axis.key}={value}", *first[place + 1 :], f"out={home}"]))
        found.append(_own_keys(axis.key, known))
    return found


def _plain(key: str, text: str) -> dict[str, Any] | None:
    """Return the key with its value where nothing is to be resolved, for the two keys that may have many values.

    Names of splits are looked up later (`_check_names`).
    """
    if key == "seed" and text.isascii() and text.isdecimal() and len(text) < 10:
        return {key: int(text)}
    if key == "split" and text != "null" and not text.endswith(_FILES) and "${" not in text:
        return {key: text}
    return None


def _own_keys(key: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    name = _typed_keys([key])[key]
    return {name: flat[name]}


def _typed_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return the key of a flat configuration for each key as it is typed."""
    return {key: "data.name" if key == "data" else key for key in keys}


def _check_names(base: Mapping[str, Any], choices: Iterable[list[dict[str, Any]]]) -> None:
    """Find misspelt splits and data sets now, rather than in each job."""
    from psis_bench.data.dataset_config import get_dataset
    from psis_bench.splits.registry import get_split

    changed = [item for options in choices for item in options]
    for split in dict.fromkeys([base["split"], *(item["split"] for item in changed if "split" in item)]):
        get_split(split)
    roots = dict.fromkeys([base["data.root"], *(item["data.root"] for item in changed if "data.root" in item)])
    for name in dict.fromkeys([base["data.name"], *(item["data.name"] for item in changed if "data.name" in item)]):
        for root in roots:
            get_dataset(name, root=root)


def _unflattened(flat: Mapping[str, Any]) -> RunConfig:
    plain = {item.name: flat[item.name] for item in fields(RunConfig) if item.name not in ("data", "mm")}
    mm = {key.replace("mm.", "", 1): value for key, value in flat.items() if key.startswith(("mm.", "+mm."))}
    return RunConfig(data=DataKeys(name=flat["data.name"], root=flat["data.root"]), mm=mm, **plain)
