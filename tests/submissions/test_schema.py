"""The models of a submission: where it lies, and what its fields take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from psis_bench.errors import UserError
from psis_bench.submissions.about import as_slug, read_about, write_template
from psis_bench.submissions.json_schema import as_text
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


def test_the_json_schema_is_current(repository: Path) -> None:
    path = repository / "model_zoo" / "submission.schema.json"
    assert path.read_text("utf-8") == as_text(), (
        "the schema has changed: python -m psis_bench.submissions.json_schema model_zoo/submission.schema.json, "
        "and a new schema_version when old submissions would not fit it any more"
    )


def test_a_template_has_a_line_for_every_field_that_a_person_gives(tmp_path: Path) -> None:
    write_template(tmp_path / "about.yaml", {"title": "two: words", "mask_sources": ["a, b"], "seed": 3})
    with pytest.raises(
        UserError, match="not filled in: model, backbone, pretraining, hardware, software, authors, lic"
    ):
        read_about(tmp_path / "about.yaml")
    text = (tmp_path / "about.yaml").read_text()
    for key in ("model", "backbone", "pretraining", "hardware", "software", "licence"):
        text = text.replace(f"\n{key}:", f"\n{key}: some_{key}")
    (tmp_path / "about.yaml").write_text(text.replace("authors:", "authors: A. Author"))
    about = read_about(tmp_path / "about.yaml")
    assert (about["title"], about["mask_sources"], about["seed"]) == ("two: words", ["a, b"], 3)
    assert (about["authors"], about["model"], about["notes"]) == (["A. Author"], "some_model", None)


@pytest.mark.parametrize(
    ("text", "name"), [("Deep-MARC R50!", "deep-marc_r50"), ("...", "model"), ("x" * 99, "x" * 80)]
)
def test_a_name_for_a_folder_is_made_from_any_text(text: str, name: str) -> None:
    assert as_slug(text) == name
