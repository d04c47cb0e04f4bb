"""Mask quality by kind of object against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from psis_bench.scoring.masks.quality import aspects_of, quality_by_part, sizes_of

GROUPS = {"all": [1, 2, 3, 9], "seen": [1, 2], "unseen": [3]}


def test_every_part_equals_a_loop_over_instances() -> None:
    random = np.random.default_rng(0)
    count = 400
    categories = random.choice([1, 2, 3, 9], count)
    areas, widths, heights = (
        random.uniform(100, 12_000, count),
        random.uniform(5, 80, count),
        random.uniform(5, 80, count),
    )
    ious, boxes = random.random(count), random.random(count)
    kinds = {1: "animal", 2: "vehicle", 3: "animal", 9: ""}
    found = quality_by_part(
        {"iou": ious, "full_box_iou": boxes, "boundary_iou": np.full(count, np.nan), "area": areas},
        categories=categories,
        axes={
            "size": sizes_of(areas),
            "aspect": aspects_of(widths, heights),
            "supercategory": [kinds[c] for c in categories.tolist()],
        },
        groups=GROUPS,
    )
    rows = {(row.axis, row.part, row.group): row for row in found}
    assert ("supercategory", "", "all") not in rows
    assert ("supercategory", "vehicle", "unseen") not in rows
    assert [row.part for row in found if row.axis == "size" and row.group == "all"] == ["small", "medium", "large"]
    for (axis, part, group), row in rows.items():
        chosen = []
        for place in range(count):
            size = "small" if areas[place] < 1024 else "medium" if areas[place] < 9216 else "large"
            ratio = widths[place] / heights[place]
            aspect = "wide" if ratio >= 2 else "tall" if ratio <= 0.5 else "compact"
            own = {"size": size, "aspect": aspect, "supercategory": kinds[int(categories[place])]}[axis]
            if own == part and categories[place] in GROUPS[group]:
                chosen.append(place)
        assert (row.instances, row.classes) == (len(chosen), len({int(categories[place]) for place in chosen}))
        assert set(row.means) == {"gt_box_miou", "full_box"}
        for name, values in (("gt_box_miou", ious), ("full_box", boxes)):
            by_class = [
                np.mean([values[place] for place in chosen if categories[place] == category])
                for category in sorted({int(categories[place]) for place in chosen})
            ]
            assert row.means[name] == pytest.approx((np.mean(by_class), np.mean(values[chosen])), abs=1e-12)
    assert sum(row.instances for row in found if row.axis == "aspect" and row.group == "all") == count
    assert (
        rows["size", "small", "seen"].to_dict()["gt_box_miou"]["class_mean"]
        == rows["size", "small", "seen"].means["gt_box_miou"][0]
    )
