"""Every kind of broken or hostile prediction file that is known: one line, which names file, row and field.

Nothing of pycocotools or hotcoco may see a mask of such a file: they read and write out of bounds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hotcoco
import pytest
from broken_folders import FOLDERS, changed, parts
from broken_results import FILES, GOOD, LIST, OTHER, ROWS, TRUTH
from pycocotools import mask as coco_mask

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.scoring.inputs.records import read_parts

KINDS = [
    *(("row", name, f"results.json: {told}") for name, (_, told) in ROWS.items()),
    *(("file", name, f"results.json: {told}") for name, (_, told) in FILES.items()),
    *(("folder", name, f"found/{told}".replace("found/val.json", "val.json")) for name, (_, told) in FOLDERS.items()),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: annotations and a split."""
    monkeypatch.chdir(tmp_path)
    Path("val.json").write_text(json.dumps(TRUTH))
    Path("pets.yaml").write_text("{name: pets, version: 1, seen: [cat], unseen: [dog], description: Pets.}")
    return tmp_path


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever decodes or evaluates masks outside of this package fails when it is reached."""

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError("a decoder was reached")

    for name in ("decode", "area", "toBbox", "iou", "merge", "encode"):
        monkeypatch.setattr(coco_mask, name, reached)
    monkeypatch.setattr(hotcoco, "COCOeval", reached)
    monkeypatch.setattr("pycocotools.cocoeval.COCOeval", reached)


@pytest.mark.usefixtures("folder", "no_decoder")
@pytest.mark.parametrize(("form", "name", "told"), KINDS, ids=[f"{form}: {name}" for form, name, _ in KINDS])
def test_each_kind_is_refused_with_one_line(
    capsys: pytest.CaptureFixture[str], form: str, name: str, told: str
) -> None:
    if form == "row":
        Path("results.json").write_text(json.dumps([GOOD, ROWS[name][0], {**OTHER, "score": 0.25}]))
    elif form == "file":
        FILES[name][0](Path("results.json"))
    else:
        FOLDERS[name][0](Path("found"))
    given = "found" if form == "folder" else "results.json"
    assert main(["score", given, "split=pets.yaml", "data=val.json", "out=out"]) == 2
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("psis-bench: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"psis-bench: error: {told}")
    assert shown.err == f"{lines[0]}\n"
    assert len(lines[0]) < 400
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not Path("out").exists()


def test_there_are_many_kinds() -> None:
    assert len(KINDS) == len({(form, name) for form, name, _ in KINDS}) >= 25


@pytest.mark.parametrize(
    ("kept", "cut", "told"),
    [
        ((0, 1, 2), 2, "2 of 3 parts are whole and hold 4 rows"),
        ((0, 1, 2), 0, "2 of 3 parts are whole and hold 4 rows"),
        ((0,), 0, "it is the only part, so that no row is whole"),
    ],
)
def test_a_part_cut_short_says_how_much_is_whole(tmp_path: Path, kept: tuple[int, ...], cut: int, told: str) -> None:
    parts(*kept, cut=cut)(tmp_path)
    with pytest.raises(UserError, match=f"; {told}; write the predictions again"):
        list(read_parts(tmp_path / "detections", kind="detections"))
    (tmp_path / "manifest.json").touch()
    with pytest.raises(UserError, match=f"; {told}; make the predictions again: psis-bench run .* overwrite=predict"):
        list(read_parts(tmp_path / "detections", kind="detections"))


@pytest.mark.usefixtures("folder")
def test_what_is_not_broken_is_scored() -> None:
    """The file that the kinds are made from has no fault of its own."""
    Path("results.json").write_text(LIST)
    assert main(["score", "results.json", "split=pets.yaml", "data=val.json"]) == 0
    changed("detections")(Path("found"))
    changed("gt_box_masks")(Path("found"))
    assert main(["score", "found", "split=pets.yaml", "data=val.json"]) == 0
