"""Boxes as the drawing component tells of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from psis_bench.demo.boxes import MOST, after_drawing, checked_boxes, shape_of
from psis_bench.errors import UserError

DOG = {"xywh": [10.0, 20.0, 30.0, 40.0], "label": "dog"}
CAT = {"xywh": [50.0, 5.0, 20.0, 20.0], "label": "cat"}


def test_a_drawn_shape_becomes_a_box_whichever_way_it_was_dragged():
    event = {"shapes": [shape_of(DOG), {"x0": 90, "y0": 70, "x1": 60, "y1": 30.5}]}
    assert after_drawing([DOG], event) == [DOG, {"xywh": [60.0, 30.5, 30.0, 39.5], "label": None}]


def test_a_moved_box_has_lost_its_label_and_the_others_keep_theirs():
    event = {"shapes[1].x0": 55, "shapes[1].x1": 75, "shapes[1].y0": 5, "shapes[1].y1": 25}
    assert after_drawing([DOG, CAT], event) == [DOG, {"xywh": [55.0, 5.0, 20.0, 20.0], "label": None}]


@pytest.mark.parametrize(
    "event", [{}, {"autosize": True}, {"xaxis.range[0]": 3}, {"shapes[7].x0": 3}, {"shapes": [shape_of(DOG)]}]
)
def test_other_events_change_nothing(event: dict[str, Any]):
    assert after_drawing([DOG], event) is None


def test_an_erased_shape_is_gone():
    assert after_drawing([DOG, CAT], {"shapes": [shape_of(CAT)]}) == [CAT]


def test_boxes_are_cut_off_at_the_picture_and_clicks_are_none():
    given = [
        {"xywh": [-10, -10, 30, 40], "label": "x" * 100},
        {"xywh": [90, 90, 50, 50]},
        {"xywh": [5, 5, 1, 60]},
        {"xywh": [200, 5, 30, 60]},
    ]
    assert checked_boxes(given, width=100, height=100) == [
        {"xywh": [0.0, 0.0, 20.0, 30.0], "label": "x" * 60},
        {"xywh": [90.0, 90.0, 10.0, 10.0], "label": None},
    ]


@pytest.mark.parametrize(
    "given",
    [
        7,
        "boxes",
        [7],
        [{}],
        [{"xywh": [1, 2, 3]}],
        [{"xywh": "1234"}],
        [{"xywh": [1, 2, 3, math.inf]}],
        [{"xywh": [1, 2, 3, math.nan]}],
        [{"xywh": [1, 2, 3, "4"]}],
        [{"xywh": [1, 2, 3, None]}],
        [DOG] * (MOST + 1),
    ],
)
def test_what_is_no_box_is_refused(given: Any):
    with pytest.raises(UserError):
        checked_boxes(given, width=100, height=100)
