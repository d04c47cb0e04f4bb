"""A large annotation file, read in a process of its own, is what it is when it is read here."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring import annotation_process
from psis_bench.scoring.annotation_process import reading_annotations
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations
from psis_bench.scoring.masks.trivial import trivial_ious


@pytest.fixture
def apart(monkeypatch) -> list[list[str]]:
    """Every file counts as large; what was started is listed."""
    started: list[list[str]] = []
    popen = annotation_process.subprocess.Popen

    def noted(command, **options):
        started.append(command)
        return popen(command, **options)

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
    whole = pickle.dumps(here)
    for code in (
        "import os; os._exit(9)",
        "raise SystemError",
        f"import os; os.write(1, {whole[: len(whole) // 2]!r}); os._exit(9)",
        f"import os; os.write(1, {whole!r}); os._exit(9)",
        "print('a library talks')",
    ):
        monkeypatch.setattr(annotation_process, "_CODE", code)
        with reading_annotations(path, on_bad_boxes="error") as reading:
            found, trivial = reading.annotations(), reading.trivial_ious()
        assert same(found, here)
        assert [ious.tolist() for ious in trivial] == [ious.tolist() for ious in trivial_ious(here.truth)]
    assert len(apart) == 5


def test_who_stops_before_the_end_leaves_no_process_behind(world, tmp_path, apart, monkeypatch):
    path = tmp_path / "val.json"
    path.write_text(json.dumps(world(3)[0]))
    monkeypatch.setattr(annotation_process, "_CODE", "import time; time.sleep(3600)")
    with pytest.raises(KeyError), reading_annotations(path, on_bad_boxes="error"):
        raise KeyError
    assert len(apart) == 1


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
