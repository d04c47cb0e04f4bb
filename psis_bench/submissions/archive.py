"""Unpacking the zip archive of a stranger: only known names, bounded in number, size and ratio, no links.

Everything is decided from the directory at the archive's end before a byte is unpacked, and that directory itself is
bounded before Python's ``zipfile`` reads it: a million entries would take it a gigabyte.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

from psis_bench.data.problems import Problem
from psis_bench.files import write_error
from psis_bench.submissions.contents import MAX_FILES, MAX_TOTAL, limit_of, missing_files, problem_of_name, shown
from psis_bench.submissions.reading import InvalidFileError

MAX_RATIO = 20
"""Bytes that one byte of the archive may become, in a file of more than a megabyte. Parquet stays below 3."""

_END = struct.Struct("<4s4H2LH")  # APPNOTE.TXT section 4.3.16
_MAX_DIRECTORY = MAX_FILES * 300
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_CHUNK = 2**20
_AGAIN = "pack the folder again with psis-bench bundle --zip"


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive into an empty folder.

    Args:
        archive: The zip file. Its files may lie in one folder inside it.
        target: An empty folder. Nothing is written outside of it.

    Raises:
        InvalidFileError: Every reason why the archive is refused; nothing has been unpacked then, or only a part when
            its contents are not what its directory says.
        UserError: The target cannot be written to.
    """
    _check_end(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            files = [entry for entry in opened.infolist() if not entry.is_dir()]
            prefix = _common_folder(files)
            problems = _problems(archive, opened.infolist(), prefix)
            if problems:
                raise InvalidFileError(problems)
            for entry in files:
                _unpack_one(opened, entry, target / entry.filename.removeprefix(prefix))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        ValueError,
    ) as error:
        raise _refusal(archive, f"cannot be unpacked ({type(error).__name__}: {shown(str(error))})") from None


def _check_end(archive: Path) -> None:
    """Hold the end record to one plain form, so that what is checked here is what ``zipfile`` reads."""
    size = archive.stat().st_size
    with archive.open("rb") as handle:
        handle.seek(max(0, size - _END.size - 20))
        tail = handle.read()
    if len(tail) < _END.size or not tail[-_END.size :].startswith(b"PK\5\6"):
        raise _refusal(archive, "is no zip archive, or has a comment at its end")
    _, disk, start, here, entries, length, _, comment = _END.unpack(tail[-_END.size :])
    if tail.startswith(b"PK\6\7") or 0xFFFF in (disk, start, here, entries) or comment:
        raise _refusal(archive, "is a zip archive with extensions for many or large files")
    if entries > MAX_FILES or length > _MAX_DIRECTORY:
        raise _refusal(archive, f"has {entries} entries in a directory of {length:,} bytes; {MAX_FILES} are allowed")


def _problems(archive: Path, entries: list[zipfile.ZipInfo], prefix: str) -> list[Problem]:
    problems: list[Problem] = []
    names: list[str] = []
    for entry in entries:
        name = entry.orig_filename.removeprefix(prefix)
        if not entry.is_dir():
            names.append(name)
        fault = _fault(entry, name)
        if fault is not None:
            problems.append(Problem(where=f"{archive}: {shown(entry.orig_filename)}", what=fault, cure=_AGAIN))
        elif not entry.is_dir() and limit_of(name) is None:
            problems.append(problem_of_name(str(archive), name))
    if len({name.lower() for name in names}) < len(names):
        problems.append(Problem(where=str(archive), what="has a name twice", cure=_AGAIN))
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL:
        problems.append(
            Problem(where=str(archive), what=f"unpacks to {total:,} bytes", cure=f"{MAX_TOTAL:,} are allowed")
        )
    return (problems + missing_files(archive, names))[:50]


def _fault(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Return why an entry may not be unpacked."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    limit = limit_of(name) or 0
    parts = entry.orig_filename.rstrip("/").split("/")
    if entry.orig_filename != entry.filename or any(part in ("", ".", "..") for part in parts) or "\\" in name:
        return "has a path that leaves the folder, or is no plain relative path"
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return "is a link or no regular file"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is packed by a method other than deflate"
    if entry.file_size > limit and not (entry.is_dir() and entry.file_size == 0) and limit:
        return f"unpacks to {entry.file_size:,} bytes, more than {limit:,}"
    if entry.file_size > max(_CHUNK, MAX_RATIO * entry.compress_size):
        return f"unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}"
    return None


def _unpack_one(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(entry) as packed, path.open("xb") as handle:
            left = entry.file_size
            while left > 0:
                chunk = packed.read(min(_CHUNK, left))
                if not chunk:
                    raise zipfile.BadZipFile(f"{entry.filename} is shorter than the archive says")
                handle.write(chunk)
                left -= len(chunk)
            packed.read(1)  # the end: the check sum is compared
    except OSError as error:
        raise write_error(path, error) from error


def _common_folder(files: list[zipfile.ZipInfo]) -> str:
    """Return the folder that everything lies in, with its slash, when somebody packed the folder and not its files."""
    first = {entry.filename.partition("/")[0] for entry in files}
    inside = all("/" in entry.filename for entry in files)
    folder = first.pop() if len(first) == 1 and inside else ""
    return "" if folder in ("", ".", "..", "predictions", "weights") else f"{folder}/"


def _refusal(archive: Path, what: str) -> InvalidFileError:
    return InvalidFileError([Problem(where=str(archive), what=what, cure=_AGAIN)])
