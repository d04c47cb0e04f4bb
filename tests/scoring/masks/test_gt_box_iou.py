from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.errors import UserError
from psis_bench.scoring.inputs.records import read_parts, write_part
from psis_bench.scoring.masks.gt_box_iou import gt_box_ious, mean_iou


def iou_of_pixels(first: np.ndarray, second: np.ndarray) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def predictions_of(truth, results) -> list[dict]:
    """Use the detections' masks as masks on boxes: any mask of the right size will do."""
    rows = []
    for annotation in truth["annotations"]:
        same = [result for result in results if result["image_id"] == annotation["image_id"]]
        rle = same[len(rows) % len(same)]["segmentation"] if same else annotation["segmentation"]
        row = {"image_id": annotation["image_id"], "annotation_id": annotation["id"], "mask": rle["counts"]}
        height, width = rle["size"]
        rows.append({**row, "category_id": annotation["category_id"], "height": height, "width": width})
    return rows


def read(folder, rows, truth):
    write_part(folder, 0, rows[1::2], kind="gt_box_masks")
    write_part(folder, 1, rows[0::2], kind="gt_box_masks")
    by_engine = [
        gt_box_ious(read_parts(folder, kind="gt_box_masks"), truth, engine=engine) for engine in ("auto", "pycocotools")
    ]
    assert np.array_equal(*by_engine)
    return by_engine[0]


def expected_ious(truth, rows) -> dict[int, list[float]]:
    """Category -> IoUs of its non-crowd instances, from full-size masks, one by one."""
    ious: dict[int, list[float]] = {}
    for annotation, row in zip(truth["annotations"], rows, strict=True):
        if not annotation["iscrowd"]:
            drawn = coco_mask.decode(annotation["segmentation"]).astype(bool)
            predicted = coco_mask.decode({"size": [row["height"], row["width"]], "counts": row["mask"]}).astype(bool)
            ious.setdefault(annotation["category_id"], []).append(iou_of_pixels(drawn, predicted))
    return ious


def test_every_iou_and_both_means_equal_a_loop_over_pixels(tmp_path, world, ground_truth):
    scored = 0
    for seed in range(40):
        truth, results = world(seed)
        rows = predictions_of(truth, results)
        arrays = ground_truth(truth)
        ious = read(tmp_path, rows, arrays)
        expected = expected_ious(truth, rows)
        categories = arrays.categories[arrays.instances]
        for category, values in expected.items():
            assert ious[categories == category].tolist() == values
        for group in ([1], [3, 5, 7], [1, 3, 5, 7]):
            means = mean_iou(ious, categories, group)
            inside = [values for category, values in expected.items() if category in group]
            if not inside:
                assert (means.class_mean, means.instance_mean) == (None, None)
                continue
            assert means.class_mean == pytest.approx(np.mean([np.mean(values) for values in inside]), abs=1e-12)
            assert means.instance_mean == pytest.approx(np.mean(np.concatenate(inside)), abs=1e-12)
        scored += len(ious)
    assert scored > 150


def test_real_images_equal_a_loop_over_full_size_masks(tmp_path, coco_mini, ground_truth):
    arrays = ground_truth(coco_mini.truth)
    ious = read(tmp_path, coco_mini.masks, arrays)
    assert len(ious) == 2432
    rows = {row["annotation_id"]: row for row in coco_mini.masks}
    for place in range(0, len(ious), 7):
        row = rows[int(arrays.annotation_ids[arrays.instances[place]])]
        size = [row["height"], row["width"]]
        drawn = coco_mask.decode({"size": size, "counts": arrays.strings[arrays.instances[place]]}).astype(bool)
        predicted = coco_mask.decode({"size": size, "counts": row["mask"]}).astype(bool)
        assert ious[place] == iou_of_pixels(drawn, predicted)


def test_annotations_without_a_mask_are_not_scored(tmp_path, ground_truth):
    image = {"id": 1, "height": 10, "width": 10}
    square = {"size": [10, 10], "counts": [0, 20, 80]}
    segmentations = [square, [], None, [[1.6, 1.6, 1.8, 1.6, 1.8, 1.8]], square]
    truth = {
        "images": [image],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {
                "id": i,
                "image_id": 1,
                "category_id": 1,
                "bbox": [0, 0, 2, 10],
                "segmentation": mask,
                "iscrowd": int(i == 4),
            }
            for i, mask in enumerate(segmentations)
        ],
    }
    arrays = ground_truth(truth)
    assert arrays.annotation_ids[arrays.instances].tolist() == [0]
    row = {"image_id": 1, "category_id": 1, "height": 10, "width": 10, "mask": "0:j2"}  # 0, 10, 90
    assert read(tmp_path, [{**row, "annotation_id": i} for i in range(5)], arrays).tolist() == [0.5]
    assert read(tmp_path, [{**row, "annotation_id": 0}], arrays).tolist() == [0.5]


def test_an_instance_without_a_prediction_is_named(tmp_path, world, ground_truth):
    truth, results = world(32)
    arrays = ground_truth(truth)
    rows = predictions_of(truth, results)
    scored = [i for i, annotation in enumerate(truth["annotations"]) if not annotation["iscrowd"]]
    missing = truth["annotations"][scored[-1]]
    with pytest.raises(
        UserError, match=f"no predicted mask for annotation {missing['id']} of image {missing['image_id']}"
    ):
        read(tmp_path, [row for row in rows if row["annotation_id"] != missing["id"]], arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotation_id": 999}, "annotation_id: instances.json has no annotation 999"),
        ({"annotation_id": 0}, "annotation_id: the prediction for annotation 0 is there twice"),
        ({"image_id": 999}, "image_id: instances.json has no image 999"),
        ({"category_id": 999}, "category_id: instances.json has no category 999"),
        ({"category_id": None}, "category_id: is .*, but annotation .* of instances.json has"),
        ({"height": 999}, "height: is 999, but instances.json has"),
        ({"mask": "0"}, "mask: the run lengths add up to 0"),
    ],
)
def test_a_faulty_prediction_is_named_with_file_row_and_field(tmp_path, world, ground_truth, change, message):
    truth, results = world(32)
    assert len(truth["categories"]) > 1
    rows = predictions_of(truth, results)
    if change == {"category_id": None}:
        change = {"category_id": next(c["id"] for c in truth["categories"] if c["id"] != rows[-1]["category_id"])}
    if "annotation_id" in change and change["annotation_id"] == 0:
        change = {**rows[0]}
    rows[-1] = {**rows[-1], **change}
    write_part(tmp_path, 0, rows, kind="gt_box_masks")
    with pytest.raises(UserError, match=rf"part-00000\.parquet: row {len(rows) - 1}, {message}"):
        gt_box_ious(read_parts(tmp_path, kind="gt_box_masks"), ground_truth(truth))
