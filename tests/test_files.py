from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.files import atomic_path, sha256_of_file, sha256_of_json, write_error, write_json, write_text


def test_a_file_appears_whole_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_keeps_every_digit_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"ap": 0.1 + 0.2})
    assert json.loads(path.read_text())["ap"] == 0.1 + 0.2
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"ap": float("nan")})
    assert json.loads(path.read_text())["ap"] == 0.1 + 0.2


def test_a_file_where_a_folder_is_needed_is_named_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken/a\.txt: cannot write: .*; choose another place"):
        write_text(tmp_path / "taken" / "a.txt", "x")


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EROFS, "choose a folder"),
        (errno.ENOENT, "choose a folder that can be made"),
        (errno.EIO, None),
    ],
)
def test_failed_writes_become_errors_of_one_line(number: int, cure: str | None) -> None:
    error = write_error(Path("runs/a"), OSError(number, "reason"))
    assert str(error).startswith("runs/a: cannot write: reason")
    assert (error.cure is None) if cure is None else str(error.cure).startswith(cure)


def test_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_json({"b": 1, "a": [2]}) == hashlib.sha256(b'{"a": [2], "b": 1}').hexdigest()
    assert sha256_of_json({"a": [2], "b": 1}) == sha256_of_json({"b": 1, "a": [2]})
