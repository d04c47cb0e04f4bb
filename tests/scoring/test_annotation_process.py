"""A large annotation file, read in a process of its own, is what it is when it is read here."""

from __future__ import annotations

import dataclasses
import json
import pickle
import resource
import signal
import subprocess

import numpy as np
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring import annotation_process
from psis_bench.scoring.annotation_process import reading_annotations
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations, read_in_parts
from psis_bench.scoring.masks.trivial import trivial_ious


@pytest.fixture
def apart(monkeypatch) -> list[subprocess.Popen]:
    """Every file counts as large; what was started is listed."""
    started: list[subprocess.Popen] = []
    popen = annotation_process.subprocess.Popen

    def noted(command, **options):
        started.append(popen(command, **options))
        return started[-1]

    monkeypatch.setattr(annotation_process, "_LARGE", 0)
    monkeypatch.setattr(annotation_process.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(annotation_process.subprocess, "Popen", noted)
    return started


def same(one: Annotations, other: Annotations) -> bool:
    def equal(first, second) -> bool:
        return np.array_equal(first, second) if isinstance(first, np.ndarray) else first == second

    def fields_equal(first, second) -> bool:
        if first is None or second is None:
            return first is second
        names = [field.name for field in dataclasses.fields(first)]
        return all(equal(getattr(first, name), getattr(second, name)) for name in names)

    held = fields_equal(one.truth, other.truth) and fields_equal(one.federation, other.federation)
    return held and one.categories == other.categories


@pytest.mark.parametrize("name", ["coco_tiny/annotations/instances_val.json", "lvis_mini/lvis_v0.5_val_mini.json"])
def test_what_is_read_apart_is_the_same(name, shared_data, apart):
    path = shared_data / name
    if not path.is_file():
        pytest.skip(f"no {name} here")
    with reading_annotations(path, on_bad_boxes="drop") as reading:
        found, trivial = reading.annotations(), reading.trivial_ious()
    assert len(apart) == 1
    here = read_annotations(path, on_bad_boxes="drop")
    assert same(found, here)
    assert [ious.tolist() for ious in trivial] == [ious.tolist() for ious in trivial_ious(here.truth)]


def test_a_fault_is_told_in_the_same_words(world, tmp_path, apart):
    truth, _ = world(3)
    truth["annotations"][0]["bbox"][2] = -1
    path = tmp_path / "odd name ' of.json"
    path.write_text(json.dumps(truth))
    with pytest.raises(UserError) as here:
        read_annotations(path)
    with reading_annotations(path, on_bad_boxes="error") as reading, pytest.raises(UserError) as there:
        reading.annotations()
    assert len(apart) == 1
    assert str(there.value) == str(here.value)
    assert (there.value.what, there.value.where, there.value.cure) == (
        here.value.what,
        here.value.where,
        here.value.cure,
    )


def test_a_process_that_dies_is_made_up_for(world, tmp_path, apart, monkeypatch):
    truth, _ = world(3)
    path = tmp_path / "val.json"
    path.write_text(json.dumps(truth))
    here = read_annotations(path)
    boxes, masks = read_in_parts(path)
    parts = [pickle.dumps(part) for part in (boxes, masks())]
    write = "import os, sys; os.write(int(sys.argv[4]), {!r}); os._exit(9)"
    codes = (
        "import os; os._exit(9)",
        "raise SystemError",
        write.format(parts[0][: len(parts[0]) // 2]),
        write.format(parts[0]),
        write.format(parts[0] + parts[1][:-5]),
        write.format(b"".join(parts)),
        write.format(pickle.dumps("something else") + b"".join(parts)),
    )
    for code in codes:
        monkeypatch.setattr(annotation_process, "_CODE", code)
        with reading_annotations(path, on_bad_boxes="error") as reading:
            found, trivial = reading.annotations(), reading.trivial_ious()
        assert same(found, here)
        assert [ious.tolist() for ious in trivial] == [ious.tolist() for ious in trivial_ious(here.truth)]
    assert len(apart) == len(codes)


def test_boxes_come_first_unless_an_area_is_that_of_its_mask(world, tmp_path, apart):
    truth, _ = world(3)
    path = tmp_path / "val.json"
    path.write_text(json.dumps(truth))
    with reading_annotations(path, on_bad_boxes="error") as reading:
        boxes = reading.boxes().truth
        assert not boxes.has_segmentation.any()
        assert boxes.areas.tolist() == [record["area"] for record in truth["annotations"]]
    del truth["annotations"][0]["area"]
    path.write_text(json.dumps(truth))
    with reading_annotations(path, on_bad_boxes="error") as reading:
        boxes = reading.boxes().truth
        assert boxes.has_segmentation.all()
        assert boxes.areas[0] == boxes.mask_pixels[0] > 0
    assert len(apart) == 2


def test_what_a_library_prints_is_not_taken_for_an_answer(world, tmp_path, apart, monkeypatch, capfd):
    path = tmp_path / "val.json"
    path.write_text(json.dumps(world(3)[0]))
    monkeypatch.setattr(annotation_process, "_CODE", "print('g')\n" + annotation_process._CODE)
    monkeypatch.setattr(annotation_process, "read_annotations", lambda *_, **__: pytest.fail("read here"))
    with reading_annotations(path, on_bad_boxes="error") as reading:
        reading.trivial_ious()
    assert len(apart) == 1
    assert capfd.readouterr().out == ""


def test_what_is_dropped_is_told_once_and_where_this_process_tells(world, tmp_path, apart, capsys):
    truth, _ = world(3)
    truth["annotations"][0]["bbox"][2] = 0
    path = tmp_path / "val.json"
    path.write_text(json.dumps(truth))
    with reading_annotations(path, on_bad_boxes="drop") as reading:
        assert len(reading.boxes().truth.images) == len(reading.annotations().truth.images)
    assert capsys.readouterr().err.count("left out 1 annotations") == 1
    assert len(apart) == 1


def test_where_no_process_can_be_had_the_file_is_read_here(world, tmp_path, apart, monkeypatch):
    path = tmp_path / "val.json"
    path.write_text(json.dumps(world(3)[0]))

    def refused(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(annotation_process.subprocess, "Popen", refused)
    with reading_annotations(path, on_bad_boxes="error") as reading:
        assert same(reading.annotations(), read_annotations(path))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**30, 2**30))
    monkeypatch.setattr(annotation_process, "_started", lambda *_: pytest.fail("started"))
    with reading_annotations(path, on_bad_boxes="error") as reading:
        assert same(reading.annotations(), read_annotations(path))


def test_who_stops_before_the_end_leaves_no_process_behind(world, tmp_path, apart, monkeypatch):
    path = tmp_path / "val.json"
    path.write_text(json.dumps(world(3)[0]))
    monkeypatch.setattr(annotation_process, "_CODE", "import time; time.sleep(3600)")
    with pytest.raises(KeyError), reading_annotations(path, on_bad_boxes="error"):
        raise KeyError
    assert [process.returncode for process in apart] == [-signal.SIGKILL]


def test_small_files_and_content_are_read_here(world, tmp_path, apart, monkeypatch):
    monkeypatch.setattr(annotation_process, "_LARGE", 10**9)
    truth, _ = world(3)
    path = tmp_path / "val.json"
    path.write_text(json.dumps(truth))
    for given in (path, truth):
        with reading_annotations(given, on_bad_boxes="error") as reading:
            assert len(reading.annotations().truth.annotation_ids) == len(truth["annotations"])
    missing = tmp_path / "missing.json"
    with (
        pytest.raises(UserError, match="no such annotation file"),
        reading_annotations(missing, on_bad_boxes="error"),
    ):
        pass
    assert apart == []
