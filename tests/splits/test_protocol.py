"""Splits resolved against annotation files, and the hash that stands for their content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psis_bench.errors import UserError
from psis_bench.splits import SplitProtocol

SPLIT = SplitProtocol(name="mine", version=1, seen=("cat", "dog"), unseen=("bird",), description="Pets.")
CATEGORIES = [
    {"id": 30, "name": "bird"},
    {"id": 10, "name": "cat"},
    {"id": 20, "name": "dog"},
    {"id": 5, "name": "fox"},
]


def test_ids_come_from_the_file_by_name() -> None:
    resolved = SPLIT.resolve(CATEGORIES)
    assert resolved.seen_ids == {10, 20}
    assert resolved.unseen_ids == {30}
    assert resolved.names == {5: "fox", 10: "cat", 20: "dog", 30: "bird"}
    assert resolved.groups() == {"all": [5, 10, 20, 30], "seen": [10, 20], "unseen": [30]}
    assert [resolved.group_of(identity) for identity in (5, 10, 30)] == ["other", "seen", "unseen"]


def test_rest_is_every_class_that_is_not_seen() -> None:
    resolved = replace(SPLIT, unseen=(), unseen_is_rest=True).resolve(CATEGORIES)
    assert resolved.unseen_ids == {5, 30}


def test_missing_class_names_the_nearest() -> None:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "doggy"}, {"id": 3, "name": "bird"}]
    with pytest.raises(UserError) as caught:
        SPLIT.resolve(categories, where="mine.json")
    message = str(caught.value)
    assert message.startswith("mine.json: has no class 'dog', which split 'mine' needs; did you mean 'doggy'?")
    assert "\n" not in message


def test_several_missing_classes_are_counted() -> None:
    with pytest.raises(UserError, match=r"no class 'cat' \(and 1 more\)"):
        SPLIT.resolve([{"id": 1, "name": "bird"}])


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"seen": ("cat",)}, {"unseen": ("fox",)}, {"max_detections": 300}, {"name": "other"}]
)
def test_hash_changes_with_whatever_changes_numbers(change: dict[str, object]) -> None:
    assert replace(SPLIT, **change).hash() != SPLIT.hash()


def test_hash_ignores_order_and_wording() -> None:
    assert replace(SPLIT, seen=("dog", "cat"), description="Animals.").hash() == SPLIT.hash()
    assert replace(SPLIT, unseen=(), unseen_is_rest=True).hash() != replace(SPLIT, unseen=()).hash()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"unseen": ("cat",)}, "'cat' is both seen and unseen"),
        ({"seen": ("cat", "cat")}, "'cat' is listed twice in seen"),
        ({"seen": ()}, "no class is seen"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        replace(SPLIT, **change)
