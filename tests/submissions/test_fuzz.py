"""Submissions damaged at random: whatever is in them, a check ends with a report and leaves no trace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import World

from psis_bench.errors import UserError
from psis_bench.submissions import rescoring
from psis_bench.submissions.bundle import pack
from psis_bench.submissions.plain_json import parse_json
from psis_bench.submissions.schema import Tier

BOUNDED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def unscored(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which predictions are not opened: other tests do that."""

    def refuse(*_: Any, **__: Any) -> None:
        raise UserError("not scored here", where="predictions")

    monkeypatch.setattr(rescoring, "rescore", refuse)
    return world


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value in a JSON document."""
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*place, key))


def check_damaged(world: World, path: Path, content: bytes) -> None:
    """Check the submission with one file replaced, and put it back."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        report = world.check(world.submission if path.is_relative_to(world.submission) else path)
    finally:
        path.write_bytes(before)
    assert report.problems
    assert report.tier is Tier.REPORTED
    for problem in report.problems:
        assert str(problem).isprintable()


@BOUNDED
@given(data=st.data())
def test_a_document_with_any_value_anywhere_ends_in_a_report(unscored: World, data: st.DataObject) -> None:
    path = unscored.submission / data.draw(st.sampled_from(["submission.json", "metrics.json"]))
    content = json.loads(path.read_text())
    *parents, last = data.draw(st.sampled_from(list(places(content))))
    owner = content
    for parent in parents:
        owner = owner[parent]
    owner[last] = data.draw(values)
    text = json.dumps(content, allow_nan=True)
    check_damaged(unscored, path, text.encode("utf-8", "surrogatepass"))


@BOUNDED
@given(data=st.data())
def test_damaged_bytes_end_in_a_report(unscored: World, data: st.DataObject) -> None:
    archive = unscored.folder / "damaged.zip"
    if not archive.exists():
        shutil.copyfile(pack(unscored.submission), archive)
    names = ["submission.json", "metrics.json", "per_class.csv"]
    path = data.draw(st.sampled_from([unscored.submission / name for name in names] + [archive]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["replace", "insert", "cut"]))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        if how == "cut":
            del content[place : place + len(piece) * 16]
            content += b"\0"
        elif how == "insert":
            content[place:place] = piece
        else:
            content[place : place + len(piece)] = piece
    check_damaged(unscored, path, bytes(content))


@settings(max_examples=200)
@given(content=st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_bytes_are_json_that_is_safe_or_refused(content: bytes) -> None:
    try:
        value = parse_json(content, where="x")
    except UserError:
        return
    # What has passed can be written again in the strictest form.
    json.dumps(value, allow_nan=False).encode("utf-8")
