"""A large annotation file, read in a process of its own, is what it is when it is read here."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from psis_bench.errors import UserError
from psis_bench.scoring.inputs import annotation_process
from psis_bench.scoring.inputs.annotation_process import reading_annotations
from psis_bench.scoring.inputs.annotations import Annotations, read_annotations


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
    with reading_annotations(path, on_bad_boxes="drop") as read:
        found = read()
    assert len(apart) == 1
    assert same(found, read_annotations(path, on_bad_boxes="drop"))


def test_a_fault_is_told_in_the_same_words(world, tmp_path, apart):
    truth, _ = world(3)
    truth["annotations"][0]["bbox"][2] = -1
    path = tmp_path / "odd name ' of.json"
    path.write_text(json.dumps(truth))
    with pytest.raises(UserError) as here:
        read_annotations(path)
    with reading_annotations(path, on_bad_boxes="error") as read, pytest.raises(UserError) as there:
        read()
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
    monkeypatch.setattr(annotation_process, "_CODE", "import os; os._exit(9)")
    with reading_annotations(path, on_bad_boxes="error") as read:
        found = read()
    assert len(apart) == 1
    assert same(found, read_annotations(path))


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
        with reading_annotations(given, on_bad_boxes="error") as read:
            assert len(read().truth.annotation_ids) == len(truth["annotations"])
    missing = tmp_path / "missing.json"
    with (
        pytest.raises(UserError, match="no such annotation file"),
        reading_annotations(missing, on_bad_boxes="error"),
    ):
        pass
    assert apart == []
