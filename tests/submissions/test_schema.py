"""The models of a submission: where it lies, and what its fields take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from psis_bench.submissions.schema import Submission, place_of


def example() -> dict[str, Any]:
    """The smallest submission.json that there is."""
    file = {"path": "gt_box_masks/part-00000.parquet", "bytes": 1, "sha256": "0" * 64}
    return {
        "schema_version": 1,
        "created": "2026-01-31",
        "split": {"name": "random/20/0", "version": 1, "hash": "0" * 64},
        "dataset": {"name": "coco", "annotations_sha256": "0" * 64},
        "model": {"name": "deep_marc_r50", "title": "Deep-MARC", "backbone": "ResNet-50", "pretraining": "none"},
        "supervision": {"mask_sources": ["COCO train2017, seen classes"]},
        "training": {"seed": 3, "seeds": [3], "hardware": "1 GPU"},
        "code": {"software": "psis_bench 0.1.0"},
        "predictions": {"files": [file]},
        "authors": ["A. Author"],
        "licence": "CC-BY-4.0",
    }


def read(value: Any) -> Submission:
    return Submission.model_validate_json(json.dumps(value))


def test_a_submission_lies_by_split_model_and_seed() -> None:
    assert str(place_of(read(example()))) == "random~20~0@1/deep_marc_r50/3"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("schema_version", 2),
        ("created", "31.1.2026"),
        ("split.name", "../../x"),
        ("split.name", "a/../b"),
        ("split.version", True),
        ("split.hash", "0" * 63),
        ("model.name", ".."),
        ("model.name", "con"),
        ("model.name", "A"),
        ("model.title", ""),
        ("model.title", "two\nlines"),
        ("model.title", "right\u202eto left"),
        ("model.title", "zero\u200bwidth"),
        ("model.title", "<img src=x>"),
        ("model.title", "x" * 201),
        ("model.parameters", 1.5),
        ("training.seed", -1),
        ("training.seeds", []),
        ("training.hours", 0),
        ("code.commit", "main"),
        ("code.url", "javascript:alert(1)"),
        ("code.url", "https://user:secret@host/"),
        ("code.url", 'https://host/"onclick='),
        ("authors", []),
        ("authors", "A. Author"),
        ("predictions.files", []),
        ("weights", [{"name": "final.pth", "bytes": 1, "sha256": "0" * 64}]),
        ("unknown", 1),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_refused(place: str, value: Any) -> None:
    changed = example()
    *parents, last = place.split(".")
    owner = changed
    for parent in parents:
        owner = owner[parent]
    owner[last] = value
    with pytest.raises(ValidationError) as caught:
        read(changed)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])).startswith(place)


def test_a_comparison_sign_is_no_markup() -> None:
    changed = example()
    changed["notes"] = "AP < 50, and p<0.05"
    assert read(changed).notes == "AP < 50, and p<0.05"
