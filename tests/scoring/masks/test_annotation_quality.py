"""Facts of hand-made masks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from drawn_annotations import SIZE, annotation, file, rle, square

from psis_bench.scoring.masks.annotation_quality import class_summary, mask_facts, quality_table, with_care


def test_corners_are_counted_for_each_hundred_pixels_of_outline() -> None:
    facts = mask_facts({"segmentation": [square(5, 5, 10), square(30, 5, 20)]}, **SIZE)
    # Two squares: 8 corners on an outline of 40 + 80 pixels.
    assert facts["points"] == 8
    assert facts["detail"] == pytest.approx(100 * 8 / 120)
    assert (facts["polygons"], facts["holes"], facts["area"]) == (2, 0, 100 + 400)


def test_holes_and_parts_of_run_lengths() -> None:
    pixels = np.zeros((40, 60))
    pixels[5:25, 5:25] = 1
    pixels[8:12, 8:12] = 0
    pixels[15:20, 15:20] = 0
    pixels[30:35, 40:50] = 1
    facts = mask_facts({"segmentation": rle(pixels)}, **SIZE)
    assert (facts["polygons"], facts["holes"], facts["area"]) == (2, 2, 400 - 16 - 25 + 50)
    assert math.isnan(facts["detail"])


def test_an_empty_mask_has_no_parts() -> None:
    assert mask_facts({"segmentation": rle(np.zeros((40, 60)))}, **SIZE)["polygons"] == 0


def test_crowds_and_instances_without_a_mask_are_left_out() -> None:
    content = file(
        annotation(1, [square(0, 0, 10)], [0, 0, 10, 10]),
        annotation(2, rle(np.ones((40, 60))), [0, 0, 60, 40], iscrowd=1),
        annotation(3, [], [0, 0, 5, 5]),
        annotation(4, [square(20, 20, 5), square(30, 20, 5)], [20, 20, 15, 5], category=2),
    )
    table = quality_table(content["images"], content["annotations"], content["categories"])
    assert list(table["annotation_id"]) == [1, 4]
    chosen = quality_table(content["images"], content["annotations"], content["categories"], classes=["dog"])
    assert list(chosen["name"]) == ["dog"]
    summary = class_summary(table).set_index("name")
    assert list(summary.index) == ["cat", "dog"], "the crudest class first"
    assert summary.loc["cat", "median_detail"] == pytest.approx(10.0)
    assert summary.loc["dog", "several_polygons"] == 1.0


def test_care_is_the_mean_rank_in_a_class() -> None:
    nan = math.nan
    table = pd.DataFrame(
        {
            "name": ["cat", "dog", "cat", "cat", "cow", "elk", "elk"],
            "detail": [9.0, 7.0, 1.0, 5.0, nan, nan, nan],
            "polygons": [1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 4.0],
            "holes": [0.0, 1.0, 0.0, 0.0, 2.0, 3.0, 3.0],
        }
    )
    # Cats: by detail 1, 0, 1/2; by parts 1/4, 1/4, 1, of which two are alike; by holes all three are. A class of one is
    # half-way, and run lengths have no corners.
    wanted = [(1 + 0.25 + 0.5) / 3, 0.5, (0 + 0.25 + 0.5) / 3, (0.5 + 1 + 0.5) / 3, 0.5, 0.25, 0.75]
    assert with_care(table)["care"].tolist() == pytest.approx(wanted)
