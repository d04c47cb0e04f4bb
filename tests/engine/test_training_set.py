"""The training set under partial supervision: boxes stay, masks of other classes are gone, and flags fit boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from tiny_data import IDS, SEEN, TinyData

from psis_bench.engine.training_set import PackMaskSupervision, PartiallySupervisedDataset
from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401

SEEN_IDS = {IDS[name] for name in SEEN}
PLAIN = [{"type": "LoadCheckedImage"}, {"type": "LoadMaskSupervision"}, {"type": "PackMaskSupervision"}]


def dataset(
    tiny: TinyData, pipeline: list[dict[str, Any]] | None = None, *, only_with_masks: bool = False
) -> PartiallySupervisedDataset:
    tiny.write()
    return PartiallySupervisedDataset(
        ann_file=str(tiny.folder / "train.json"),
        data_prefix={"img": str(tiny.folder / "train")},
        metainfo={"classes": tuple(category["name"] for category in tiny.train["categories"])},
        seen_ids=SEEN_IDS,
        pipeline=PLAIN if pipeline is None else pipeline,
        only_with_masks=only_with_masks,
        filter_cfg={"filter_empty_gt": True},
    )


def annotations_of(tiny: TinyData, image_id: int) -> list[dict[str, Any]]:
    found = [annotation for annotation in tiny.train["annotations"] if annotation["image_id"] == image_id]
    return [annotation for annotation in found if not annotation["iscrowd"]]


def decoded(annotation: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    segmentation = annotation["segmentation"]
    rle = segmentation
    if isinstance(segmentation, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, *shape))
    return coco_mask.decode(rle)


def test_boxes_stay_and_masks_of_unseen_classes_are_gone(tiny: TinyData) -> None:
    seen = unseen = 0
    for packed in dataset(tiny):
        sample = packed["data_samples"]
        expected = annotations_of(tiny, sample.img_id)
        instances = sample.gt_instances
        corners = [[x, y, x + w, y + h] for x, y, w, h in (annotation["bbox"] for annotation in expected)]
        assert instances.bboxes.tensor.tolist() == corners
        assert instances.has_mask.tolist() == [annotation["category_id"] in SEEN_IDS for annotation in expected]
        for annotation, mask, has_mask in zip(expected, instances.masks.masks, instances.has_mask, strict=True):
            assert np.array_equal(mask, decoded(annotation, sample.ori_shape) if has_mask else np.zeros_like(mask))
            seen, unseen = seen + int(has_mask), unseen + int(not has_mask)
    assert min(seen, unseen) > 5


def test_images_without_masks_can_be_left_out(tiny: TinyData) -> None:
    bare, crowded = 1, 2
    for annotation in tiny.train["annotations"]:
        if annotation["image_id"] == bare and annotation["category_id"] in SEEN_IDS:
            annotation["segmentation"] = []
        elif annotation["image_id"] == crowded and annotation["category_id"] in SEEN_IDS:
            annotation["iscrowd"] = 1
    every = {packed["data_samples"].img_id for packed in dataset(tiny)}
    with_masks = {packed["data_samples"].img_id for packed in dataset(tiny, only_with_masks=True)}
    supervised = {
        annotation["image_id"]
        for annotation in tiny.train["annotations"]
        if annotation["category_id"] in SEEN_IDS and annotation["segmentation"] and not annotation["iscrowd"]
    }
    assert with_masks == supervised
    assert bare in every - with_masks


@pytest.mark.parametrize(("only_with_masks", "message"), [(True, "a mask of a seen class"), (False, "a box")])
def test_nothing_to_train_on(tiny: TinyData, only_with_masks: bool, message: str) -> None:
    kept = IDS.keys() - SEEN if only_with_masks else ()
    tiny.train["annotations"] = [
        annotation for annotation in tiny.train["annotations"] if annotation["category_id"] in {IDS[n] for n in kept}
    ]
    with pytest.raises(UserError, match=f"train.json: no image has {message}"):
        dataset(tiny, only_with_masks=only_with_masks)


def test_labels_are_places_in_the_file(tiny: TinyData) -> None:
    order = [category["id"] for category in tiny.train["categories"]]
    for packed in dataset(tiny):
        sample = packed["data_samples"]
        assert [order[label] for label in sample.gt_instances.labels] == [
            annotation["category_id"] for annotation in annotations_of(tiny, sample.img_id)
        ]


def test_crowds_are_set_aside(tiny: TinyData) -> None:
    (crowd,) = [annotation for annotation in tiny.train["annotations"] if annotation["iscrowd"]]
    for packed in dataset(tiny):
        sample = packed["data_samples"]
        assert len(sample.ignored_instances) == (sample.img_id == crowd["image_id"])


@pytest.mark.parametrize("segmentation", [None, [], {"size": [0, 0], "counts": ""}])
def test_a_seen_instance_without_a_mask_keeps_its_box(tiny: TinyData, segmentation: Any) -> None:
    chosen = next(annotation for annotation in tiny.train["annotations"] if annotation["category_id"] in SEEN_IDS)
    image = tiny.train["images"][chosen["image_id"] - 1]
    del chosen["segmentation"]
    if segmentation is not None:
        empty = np.zeros((image["height"], image["width"]), np.uint8, order="F")
        rle = coco_mask.encode(empty)
        nothing = {"size": list(empty.shape), "counts": rle["counts"].decode()}
        chosen["segmentation"] = nothing if isinstance(segmentation, dict) else segmentation
    packed = dataset(tiny)[chosen["image_id"] - 1]["data_samples"]
    place = annotations_of(tiny, chosen["image_id"]).index(chosen)
    assert len(packed.gt_instances) == len(annotations_of(tiny, chosen["image_id"]))
    assert not packed.gt_instances.has_mask[place]


def test_nothing_of_an_unseen_mask_is_read(tiny: TinyData) -> None:
    """What the data set holds is the same when these masks, areas and unknown fields hold anything else."""
    clean = [dataset(tiny).get_data_info(place) for place in range(8)]
    for annotation in tiny.train["annotations"]:
        if annotation["category_id"] not in SEEN_IDS:
            annotation.update(segmentation=[[0, 0, 9, 0, 9, 9]], area=1.0, outline=[1, 2, 3], keypoints=[1, 2, 2])
    garbage = [dataset(tiny).get_data_info(place) for place in range(8)]
    assert clean == garbage
    assert sum("mask" in instance for record in clean for instance in record["instances"]) > 5


def test_masks_boxes_and_flags_move_together(tiny: TinyData) -> None:
    pipeline = [
        *PLAIN[:2],
        {"type": "RandomResize", "scale": (128, 128), "ratio_range": (0.5, 2.0), "keep_ratio": True},
        {"type": "RandomFlip", "prob": 1.0},
        PLAIN[2],
    ]
    checked = 0
    for packed in dataset(tiny, pipeline):
        instances = packed["data_samples"].gt_instances
        height, width = packed["data_samples"].img_shape
        assert tuple(packed["inputs"].shape[1:]) == (height, width) == instances.masks.masks.shape[1:]
        for box, mask, has_mask in zip(instances.bboxes.tensor, instances.masks.masks, instances.has_mask, strict=True):
            assert mask.any() == bool(has_mask)
            if has_mask:
                rows, columns = np.nonzero(mask)
                around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert np.abs(np.array(around) - box.numpy()).max() < 4
                checked += 1
    assert checked > 5


def test_packing_refuses_flags_that_do_not_fit_the_boxes() -> None:
    results = {"gt_bboxes": torch.zeros(3, 4), "gt_has_mask": np.ones(2, dtype=bool)}
    with pytest.raises(ValueError, match="left 3 boxes but 2 entries of gt_has_mask"):
        PackMaskSupervision().transform(results)


def test_a_polygon_that_covers_no_pixel_is_no_mask_but_keeps_its_box(tiny: TinyData) -> None:
    chosen = next(a for a in tiny.train["annotations"] if a["category_id"] in SEEN_IDS and not a["iscrowd"])
    x, y = int(chosen["bbox"][0]), int(chosen["bbox"][1])
    chosen["segmentation"] = [[x + 0.1, y + 0.1, x + 0.2, y + 0.1, x + 0.2, y + 0.2]]
    index = next(i for i, image in enumerate(tiny.train["images"]) if image["id"] == chosen["image_id"])
    assert decoded(chosen, (tiny.train["images"][index]["height"], tiny.train["images"][index]["width"])).sum() == 0
    for packed in dataset(tiny):
        sample = packed["data_samples"]
        if sample.img_id == chosen["image_id"]:
            place = annotations_of(tiny, sample.img_id).index(chosen)
            assert len(sample.gt_instances) == len(annotations_of(tiny, sample.img_id))
            assert not sample.gt_instances.has_mask[place]
