"""Which files a submission may hold, and looking into a folder without opening anything.

The list is closed and has data formats only: no code, no pickles, no links. What is not on it is refused by its name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from psis_bench.data.problems import Problem

MAX_FILES = 2100
MAX_TOTAL = 4 * 2**30
_MEGABYTE = 2**20
_LIMITS = (
    (re.compile(r"(submission|metrics|verification|config|environment)\.json|per_class\.csv"), 4 * _MEGABYTE),
    (re.compile(r"predictions/(detections|gt_box_masks)/part-[0-9]{5}\.parquet"), 512 * _MEGABYTE),
    (re.compile(r"weights/[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\.safetensors"), 2048 * _MEGABYTE),
)
_FOLDERS = frozenset({"predictions", "predictions/detections", "predictions/gt_box_masks", "weights"})
_CODE = (".py", ".pyc", ".sh", ".so", ".ipynb", ".yaml", ".yml", ".exe", ".bat")
_PICKLES = (".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".bin", ".npy", ".npz", ".joblib")
_REQUIRED = ("submission.json", "metrics.json", "per_class.csv")


def limit_of(name: str) -> int | None:
    """Return how many bytes the file of a relative POSIX path may have; None: there is no such file."""
    return next((limit for pattern, limit in _LIMITS if pattern.fullmatch(name)), None)


def shown(name: str) -> str:
    """Return a stranger's file name so that it can be printed: in quotes and escaped where it is not plain."""
    return name if re.fullmatch(r"[A-Za-z0-9_./@~+-]{1,160}", name) else ascii(name[:160])


def printable(text: str) -> str:
    """Return a message that may quote a stranger's file so that it can be printed: escaped, and not long."""
    escaped = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return escaped if len(escaped) <= 400 else f"{escaped[:400]}..."


def problem_of_name(where: str, name: str) -> Problem:
    """Return why a file may not be in a submission."""
    suffix = Path(name).suffix.lower()
    if suffix in _PICKLES:
        what, cure = "is a format that can hold code", "give weights as .safetensors and predictions as Parquet"
    elif suffix in _CODE:
        what, cure = "is code or a file that is not needed", "leave it out: settings are in config.json"
    else:
        what, cure = "is no file of a submission", "leave it out; docs/submit.md lists the files"
    return Problem(where=f"{where}: {shown(name)}", what=what, cure=cure)


def check_folder(folder: Path) -> list[Problem]:
    """Look at names, kinds and sizes of everything in a folder; nothing is opened and no link is followed."""
    problems: list[Problem] = []
    names: list[str] = []
    total = 0
    for name, entry in _walk(folder, ""):
        where = f"{folder}: {shown(name)}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            if name not in _FOLDERS:
                problems.append(problem_of_name(str(folder), f"{name}/"))
        elif not stat.S_ISREG(status.st_mode):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no regular file"
            problems.append(Problem(where=where, what=f"is {kind}", cure="put the file itself here"))
        elif (limit := limit_of(name)) is None:
            problems.append(problem_of_name(str(folder), name))
        elif status.st_size > limit:
            what = f"has {status.st_size:,} bytes, more than {limit:,}"
            problems.append(Problem(where=where, what=what, cure="a file of this name is smaller"))
        names.append(name)
        total += status.st_size
        if len(names) > MAX_FILES or len(problems) > 50:
            what = f"has more than {MAX_FILES} files" if len(names) > MAX_FILES else "has many more wrong files"
            return [*problems, Problem(where=str(folder), what=what, cure="give the folder of one submission")]
    if total > MAX_TOTAL:
        problems.append(Problem(where=str(folder), what=f"has {total:,} bytes", cure=f"{MAX_TOTAL:,} are allowed"))
    return problems + missing_files(folder, names)


def missing_files(where: Path, names: list[str]) -> list[Problem]:
    """Return a problem for each file that must be there and is not among ``names``."""
    cure = "make the submission with psis-bench bundle"
    return [Problem(where=f"{where}: {name}", what="is missing", cure=cure) for name in _REQUIRED if name not in names]


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything below a folder; only folders that may be there are entered, so the depth is bounded."""
    with os.scandir(folder / prefix) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            yield name, entry
            if name in _FOLDERS and entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{name}/")
