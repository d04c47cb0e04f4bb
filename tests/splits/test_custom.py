"""Splits from YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from psis_bench.errors import UserError
from psis_bench.splits import get_split

GOOD = "name: pets\nversion: 3\nseen: [cat, dog]\nunseen: [bird]\ndescription: Pets.\nmax_detections: 300\n"


def write(folder: Path, text: str) -> str:
    path = folder / "split.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_key_is_read(tmp_path: Path) -> None:
    split = get_split(write(tmp_path, GOOD))
    assert (split.name, split.version, split.seen, split.unseen) == ("pets", 3, ("cat", "dog"), ("bird",))
    assert (split.description, split.max_detections, split.unseen_is_rest) == ("Pets.", 300, False)


def test_defaults_and_rest(tmp_path: Path) -> None:
    split = get_split(write(tmp_path, "name: pets\nseen: [cat]\nunseen: rest\n"))
    assert (split.version, split.max_detections, split.description) == (1, 100, "")
    resolved = split.resolve([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    assert resolved.groups() == {"all": [1, 2], "seen": [1], "unseen": [2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("unseen:", "unsen:"), "unknown key 'unsen'; did you mean 'unseen'"),
        (GOOD.replace("seen: [cat, dog]\n", "", 1), "has no 'seen'"),
        (GOOD.replace("[cat, dog]", "cat"), "split.yaml: seen: 'cat' is not a list of class names"),
        (GOOD.replace("[bird]", "others"), "unseen: 'others' is not a list of class names, or the word rest"),
        (GOOD.replace("dog", "no"), "seen[1]: False is not a class name; put the name in quotes"),
        (GOOD.replace("version: 3", "version: one"), "version: 'one' is not a whole number, 1 or more"),
        (GOOD.replace("300", "0"), "max_detections: 0 is not a whole number, 1 or more"),
        (GOOD.replace("300", "true"), "max_detections: True is not a whole number"),
        (GOOD.replace("pets", "voc2nonvoc", 1), "'voc2nonvoc' is a split of the package"),
        (GOOD.replace("pets", "random/5/1", 1), "'random/5/1' is not a name"),
        (GOOD.replace("name: pets", "name: 5"), "name: 5 is not text"),
        (GOOD.replace("[bird]", "[cat]"), "split.yaml: class 'cat' is both seen and unseen"),
        ("seen: [cat\n", "split.yaml: not YAML: "),
        ("- cat\n", "not a split file"),
        ("", "not a split file"),
        ("a: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("[" * 1200, "not YAML"),
    ],
)
def test_faults_are_one_line_with_file_and_cure(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        get_split(path)
    message = str(caught.value)
    assert expected in message
    assert "split.yaml" in message
    assert "\n" not in message
    assert caught.value.cure


def test_binary_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match="not a text file"):
        get_split(str(tmp_path / "binary.yaml"))
    with pytest.raises(UserError, match="cannot read"):
        get_split(str(tmp_path / "folder.yaml"))
