"""A submission among others: those of the model zoo and those given with it. Duplicates, missing seeds, names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psis_bench.data.problems import Problem
from psis_bench.files import sha256_of_file
from psis_bench.submissions.contents import MAX_FILES, shown
from psis_bench.submissions.reading import SUBMISSION, InvalidFileError, read_model
from psis_bench.submissions.schema import Submission, place_of

FEWEST_SEEDS = 3  # protocol 8.2
DEPTH = 3
"""Folders between ``submissions`` and the files of one: split, model, seed."""

Neighbour = tuple[Path, Submission]


@dataclass(kw_only=True)
class Found:
    """Problems and notes about one submission."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def shown_place(submission: Submission) -> str:
    """Return ``<split>@<version>/<model>/<seed>``."""
    return str(place_of(submission))


def folders_in(zoo: Path) -> list[Path]:
    """Return the folders of all submissions of a model zoo, in order."""
    return sorted(path.parent for path in (zoo / "submissions").glob(f"*/*/*/{SUBMISSION}"))


def unlike(folders: Sequence[Path], zoo: Path, base: Path) -> list[Path]:
    """Return the submissions of a model zoo that another one does not hold in the same form, byte for byte."""
    return [folder for folder in folders if _files(folder) != _files(base / folder.relative_to(zoo))]


def strays(zoo: Path) -> list[Problem]:
    """Return a problem for everything under ``submissions`` that lies in no folder of a submission."""
    root = zoo / "submissions"
    homes = set(folders_in(zoo))
    cure = "leave it out; psis-bench add places submissions"
    lost = []
    for path in sorted(root.glob("*/*/*")) + sorted(root.glob("*/*")) + sorted(root.glob("*")):
        depth = len(path.relative_to(root).parts)
        is_home = path in homes if depth == DEPTH else any(path in home.parents for home in homes)
        if not is_home or path.is_symlink():
            name = shown(path.relative_to(root).as_posix())
            lost.append(Problem(where=name, what="is not the folder of a submission", cure=cure))
    return lost[:50]


def _files(folder: Path) -> dict[str, str]:
    """Return the hashes of the files of a submission; what is not a regular file has none."""
    if not folder.is_dir():
        return {}
    paths = [path for path in sorted(folder.rglob("*"))[: 2 * MAX_FILES] if not path.is_dir() or path.is_symlink()]
    return {
        path.relative_to(folder).as_posix(): sha256_of_file(path) if path.is_file() and not path.is_symlink() else ""
        for path in paths
    }


def in_zoo(zoo: Path) -> list[Neighbour]:
    """Return the submissions of a model zoo that can be read; the others are reported when they are validated."""
    found = []
    for folder in folders_in(zoo):
        try:
            found.append((folder, read_model(folder / SUBMISSION, Submission)))
        except InvalidFileError:
            continue
    return found


def check(
    path: Path, submission: Submission, *, given: Sequence[Neighbour], zoo: Sequence[Neighbour], root: Path | None
) -> Found:
    """Look at a submission together with its neighbours.

    Args:
        path: The submission.
        submission: Its description.
        given: All submissions that are checked together, this one among them.
        zoo: Those of the model zoo; this one may be among them.
        root: The model zoo.
    """
    found = Found()
    mine = path.resolve()
    others = [(place, other) for place, other in [*given, *zoo] if place.resolve() != mine]
    _check_place(mine, submission, found, root)
    hashes = {file.sha256 for file in submission.predictions.files}
    for place, other in others:
        if other == submission:
            found.notes.append(f"is already there as {shown(str(place))}")
        elif place_of(other) == place_of(submission):
            what, cure = f"is also {shown(str(place))}", "give it another model.name or seed"
            found.problems.append(Problem(where=f"{SUBMISSION}: model.name", what=what, cure=cure))
        elif other.split == submission.split and hashes == {file.sha256 for file in other.predictions.files}:
            what = f"are those of {shown_place(other)}, byte for byte"
            cure = "give each model and seed its own predictions"
            found.problems.append(Problem(where=f"{SUBMISSION}: predictions.files", what=what, cure=cure))
    _check_row(submission, [other for _, other in others if _row(other) == _row(submission)], found)
    found.problems = list(dict.fromkeys(found.problems))
    return found


def _row(submission: Submission) -> tuple[str, ...]:
    return place_of(submission).parts[:2]


def _check_place(mine: Path, submission: Submission, found: Found, root: Path | None) -> None:
    """Hold the folder of a submission in the zoo to its name."""
    if root is None or not mine.is_relative_to((root / "submissions").resolve()):
        return
    place = mine.relative_to((root / "submissions").resolve())
    if place.as_posix() != shown_place(submission):
        what = f"lies in {shown(place.as_posix())}, not in {shown_place(submission)}"
        found.problems.append(Problem(where=SUBMISSION, what=what, cure="add it with psis-bench add"))


def _check_row(submission: Submission, siblings: Sequence[Submission], found: Found) -> None:
    """Hold the seeds of one row together: all there, and all of one model."""
    there = {submission.training.seed, *(sibling.training.seed for sibling in siblings)}
    missing = sorted(set(submission.training.seeds) - there)
    where = f"{SUBMISSION}: training.seeds"
    if missing:
        what = f"seed {', '.join(map(str, missing))} of this row is neither given nor in the model zoo"
        cure = "give all seeds in one command, or list only those there are"
        found.problems.append(Problem(where=where, what=what, cure=cure))
    unlisted = sorted(there - set(submission.training.seeds))
    if unlisted:
        what = f"seed {', '.join(map(str, unlisted))} of this row is there but not listed"
        found.problems.append(Problem(where=where, what=what, cure="list every seed of the row in each of them"))
    for sibling in siblings:
        for name in ("model", "dataset", "supervision", "paper", "licence"):
            if getattr(sibling, name) != getattr(submission, name):
                what = f"is not that of seed {sibling.training.seed} of the same row"
                found.problems.append(Problem(where=f"{SUBMISSION}: {name}", what=what, cure="one row is one model"))
    if len(submission.training.seeds) < FEWEST_SEEDS:
        found.notes.append(
            f"{len(submission.training.seeds)} seed(s): a comparison needs {FEWEST_SEEDS} (protocol 8.2)"
        )
