"""What limits mask AP, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from psis_bench.data.lvis import Federation
from psis_bench.rle import segmentation_to_rle
from psis_bench.run_lengths import concatenate
from psis_bench.scoring.detection.average_precision import evaluate_detections
from psis_bench.scoring.detection.limits import evaluate_limits, inside_boxes, with_best_masks, with_gt_boxes
from psis_bench.scoring.detection.lvis import evaluate_lvis
from psis_bench.scoring.inputs.records import read_parts, write_part
from psis_bench.scoring.masks.gt_box_iou import masks_on_boxes
from psis_bench.scoring.results.details import Limits

HEIGHT, WIDTH = 60, 80
CLASSES = (3, 5, 8)


def rle_of(mask):
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def disc(x, y, radius):
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2


@pytest.fixture(scope="module")
def scene():
    """Six images of four discs each that do not overlap, of three classes; and their masks."""
    random = np.random.default_rng(0)
    images = [{"id": image, "height": HEIGHT, "width": WIDTH} for image in range(1, 7)]
    annotations, masks = [], []
    for image in images:
        for x, y in ((20, 15), (60, 15), (20, 45), (60, 45)):
            mask = disc(x + random.uniform(-2, 2), y + random.uniform(-2, 2), random.uniform(6, 12))
            row = {"id": len(annotations) + 1, "image_id": image["id"], "category_id": int(random.choice(CLASSES))}
            annotations.append({**row, "bbox": box_of(mask), "segmentation": rle_of(mask)})
            masks.append(mask)
    categories = [{"id": category, "name": str(category)} for category in CLASSES]
    return {"images": images, "categories": categories, "annotations": annotations}, masks


def detection(annotation, mask, *, score=0.5, **changes):
    row = {"image_id": annotation["image_id"], "category_id": annotation["category_id"], "score": float(score)}
    return {**row, "bbox": annotation["bbox"], "segmentation": rle_of(mask), **changes}


def eroded(masks):
    """Masks that lack from no to nine of ten of their columns, one after the other."""
    found = []
    for place, mask in enumerate(masks):
        x, _, width, _ = box_of(mask)
        cut = mask.copy()
        cut[:, x : x + width * (place % 10) // 10] = False
        found.append(cut)
    return found


def limits_of(truth, results, on_boxes, *, ground_truth, gathered, federation=None):
    arrays = ground_truth(truth)
    detections = gathered(arrays, results)
    runs = None
    if on_boxes is not None:
        from psis_bench.rle import counts_of

        runs = concatenate([counts_of(rle_of(mask)) for mask in on_boxes])
    if federation is not None:
        ap = evaluate_lvis(arrays, detections, federation, measure="segm").summary(CLASSES).ap
        options = {"max_detections": 300, "federation": federation}
        return ap, evaluate_limits(arrays, detections, runs, **options).of(ap, CLASSES)
    ap = evaluate_detections(arrays, detections, iou_type="segm").summary(CLASSES).ap
    return ap, evaluate_limits(arrays, detections, runs).of(ap, CLASSES)


def federation_of(truth, *, absent=(), not_exhaustive=()):
    """What an LVIS file of these classes says; each pair is an image id and a category id."""
    pairs = [np.array(given, np.int64).reshape(-1, 2) for given in (absent, not_exhaustive)]
    return Federation(absent=pairs[0], not_exhaustive=pairs[1], frequencies=dict.fromkeys(CLASSES, "rare"), synsets={})


def all_pairs(truth):
    return [(image["id"], category) for image in truth["images"] for category in CLASSES]


@pytest.fixture(params=["coco", "lvis"])
def told(request, scene, ground_truth, gathered):
    """Return AP and limits of detections and of masks on boxes (those of the annotations unless told otherwise).

    By COCO's rules, and by LVIS's with every class known to be absent where it is: the answers are the same.
    """
    truth, masks = scene
    drawn = {(row["image_id"], row["category_id"]) for row in truth["annotations"]}
    absent = [pair for pair in all_pairs(truth) if pair not in drawn]
    federation = federation_of(truth, absent=absent) if request.param == "lvis" else None

    def tell(results, on_boxes=masks) -> tuple[float, Limits]:
        options = {"ground_truth": ground_truth, "gathered": gathered, "federation": federation}
        ap, limits = limits_of(truth, results, on_boxes, **options)
        if on_boxes is not None:
            assert ap + limits.mask_error + limits.detection_error == pytest.approx(1, abs=1e-12)
        return ap, limits

    return tell


def test_perfect_boxes_leave_the_masks_to_blame(scene, told) -> None:
    truth, masks = scene
    worse = eroded(masks)
    scores = np.random.default_rng(1).permutation(len(masks)) / 100
    results = [detection(*row, score=s) for *row, s in zip(truth["annotations"], worse, scores, strict=True)]
    ap, limits = told(results, worse)
    assert 0.2 < ap < 0.8
    assert limits.best_masks == 1
    assert limits.gt_boxes == ap
    assert (limits.detection_error, limits.mask_error) == (0, pytest.approx(1 - ap))


def test_perfect_masks_leave_the_detector_to_blame(scene, told) -> None:
    truth, masks = scene
    # Every second object is missed, and every fourth is found once more, a little apart.
    results = [
        detection(*row, score=1 - place / 100)
        for place, row in enumerate(zip(truth["annotations"], masks, strict=True))
        if place % 2
    ]
    results += [{**row, "bbox": [row["bbox"][0] + 1, *row["bbox"][1:]], "score": 0.99} for row in results[::2]]
    ap, limits = told(results)
    assert 0.2 < ap < 0.8
    assert limits.best_masks == pytest.approx(ap, abs=0.02)  # the second finds are cut at their boxes
    assert limits.gt_boxes == 1
    assert limits.mask_error == pytest.approx(0, abs=0.01)


def test_swapped_classes_are_a_fault_of_detection_alone(scene, told) -> None:
    truth, masks = scene
    swapped = {3: 5, 5: 8, 8: 3}
    results = [
        detection(annotation, mask, category_id=swapped[annotation["category_id"]])
        for annotation, mask in zip(truth["annotations"], masks, strict=True)
    ]
    # Discs of one image do not overlap, so that no detection lies on an object of the class that it names.
    ap, limits = told(results)
    assert (ap, limits.best_masks, limits.gt_boxes) == (0, 0, 1)
    assert (limits.mask_error, limits.detection_error) == (0, 1)


@pytest.mark.parametrize("shift", [2, 4, 6])
def test_shifted_boxes_with_the_best_masks_for_them_are_a_fault_of_detection(scene, told, shift) -> None:
    truth, masks = scene
    results = []
    for annotation, mask in zip(truth["annotations"], masks, strict=True):
        x, y, width, height = annotation["bbox"]
        cut = np.zeros_like(mask)
        cut[y : y + height, x + shift : x + shift + width] = mask[y : y + height, x + shift : x + shift + width]
        results.append(detection(annotation, cut, bbox=[x + shift, y, width, height]))
    ap, limits = told(results)
    assert limits.best_masks == ap < 1
    assert (limits.mask_error, limits.detection_error) == (0, pytest.approx(1 - ap))


def test_both_faults_are_told_apart_and_add_up(scene, told) -> None:
    truth, masks = scene
    worse = eroded(masks)
    results = [
        detection(annotation, mask, bbox=[annotation["bbox"][0] + 2, *annotation["bbox"][1:]], score=1 - place / 50)
        for place, (annotation, mask) in enumerate(zip(truth["annotations"], worse, strict=True))
        if place % 3
    ]
    ap, limits = told(results, worse)
    assert limits.mask_error > 0
    assert limits.detection_error > 0
    assert ap < min(limits.best_masks, limits.gt_boxes) < 1


def test_on_lvis_only_detections_that_its_rules_count_cost_anything(scene, ground_truth, gathered) -> None:
    truth, masks = scene
    options = {"ground_truth": ground_truth, "gathered": gathered}
    exact = [detection(*row) for row in zip(truth["annotations"], masks, strict=True)]
    swapped = {3: 5, 5: 8, 8: 3}
    results = exact + [{**row, "category_id": swapped[row["category_id"]], "score": 0.9} for row in exact]
    drawn = {(row["image_id"], row["category_id"]) for row in truth["annotations"]}
    wrong = {(row["image_id"], row["category_id"]) for row in results[len(exact) :]} - drawn
    # Each object is found once more under the name of another class. Where nothing is said about that class, and
    # where not every object of it is drawn, that costs nothing.
    forgiving = federation_of(truth, not_exhaustive=sorted(drawn))
    ap, limits = limits_of(truth, results, masks, federation=forgiving, **options)
    assert (ap, limits.best_masks, limits.gt_boxes) == (1, 1, 1)
    assert limits.larger is None
    strict = federation_of(truth, absent=sorted(wrong), not_exhaustive=sorted(drawn))
    ap, limits = limits_of(truth, results, masks, federation=strict, **options)
    assert ap == limits.best_masks < 1 == limits.gt_boxes
    assert (limits.mask_error, limits.detection_error) == (0, pytest.approx(1 - ap))
    assert limits.larger == "detection"


def test_on_lvis_objects_without_an_area_on_record_do_not_count(scene, ground_truth, gathered) -> None:
    truth, masks = scene
    annotations = [{**row, "area": 0 if place % 4 == 0 else 50} for place, row in enumerate(truth["annotations"])]
    exact = [detection(*row) for row in zip(annotations, masks, strict=True) if row[0]["area"]]
    known = federation_of(truth, absent=all_pairs(truth))
    changed = {**truth, "annotations": annotations}
    ap, limits = limits_of(changed, exact, masks, ground_truth=ground_truth, gathered=gathered, federation=known)
    assert (ap, limits.best_masks, limits.gt_boxes) == (1, 1, 1)


def test_an_object_whose_segmentation_has_no_pixel_is_missed_in_either_way(scene, ground_truth, gathered) -> None:
    truth, masks = scene
    drawn = next(row["category_id"] for row in truth["annotations"])
    empty = {"id": 99, "image_id": 1, "category_id": drawn, "bbox": [5, 5, 2, 2]}
    changed = {**truth, "annotations": [*truth["annotations"], {**empty, "segmentation": rle_of(masks[0] & False)}]}
    exact = [detection(*row) for row in zip(truth["annotations"], masks, strict=True)]
    ap, limits = limits_of(changed, exact, masks, ground_truth=ground_truth, gathered=gathered)
    assert ap == limits.best_masks == limits.gt_boxes < 1


@pytest.mark.parametrize("side", [0.0, 1e-4, 1e-17])
def test_a_tie_and_nothing_lacking_have_no_larger_share(side) -> None:
    assert Limits.of(1 - side, best_masks=1.0, gt_boxes=1.0).larger is None
    assert Limits.of(0.6, best_masks=0.8, gt_boxes=0.8 + side).larger is None
    assert Limits.of(1.0, best_masks=0.6, gt_boxes=1.0).larger is None  # shares of -0.2 and 0.2 of nothing
    assert Limits.of(0.6, best_masks=0.9, gt_boxes=0.8).larger == "masks"
    assert Limits.of(0.6, best_masks=0.8, gt_boxes=0.9).larger == "detection"


def test_without_masks_on_boxes_there_is_no_share(scene, told) -> None:
    truth, masks = scene
    ap, limits = told([detection(*row) for row in zip(truth["annotations"], masks, strict=True)], None)
    assert (ap, limits.best_masks) == (1, 1)
    assert limits.gt_boxes is limits.mask_error is limits.detection_error is None
    assert Limits.from_dict(limits.to_dict()) == limits
    assert told([])[1].best_masks == 0


def test_masks_inside_boxes_equal_a_loop_over_pixels() -> None:
    random = np.random.default_rng(4)
    from psis_bench.rle import counts_of
    from psis_bench.run_length_strings import encode_strings

    masks = [random.random((HEIGHT, WIDTH)) < random.choice([0.02, 0.5, 0.98, 1.0]) for _ in range(150)]
    corners = random.uniform(-20, 100, (150, 4))
    corners[::5] = [0, 0, WIDTH, HEIGHT]
    corners[1::5, 1::2] = [0, HEIGHT]  # as high as the image: runs go on from column to column
    sizes = np.tile([HEIGHT, WIDTH], (150, 1))
    found = inside_boxes(concatenate([counts_of(rle_of(mask)) for mask in masks]), corners, sizes)
    expected = []
    for mask, (x1, y1, x2, y2) in zip(masks, corners, strict=True):
        touched = np.zeros_like(mask)
        left, top, right, bottom = (max(int(v), 0) for v in (np.floor(x1), np.floor(y1), np.ceil(x2), np.ceil(y2)))
        touched[top:bottom, left:right] = True
        expected.append(mask & touched)
    assert found.areas().tolist() == [int(mask.sum()) for mask in expected]
    assert encode_strings(found) == [rle_of(mask)["counts"] for mask in expected]


def test_each_detection_takes_the_object_that_its_box_overlaps_most(ground_truth, gathered) -> None:
    near, far = disc(20, 20, 8), disc(30, 20, 8)
    image = {"id": 1, "height": HEIGHT, "width": WIDTH}
    rows = [{"id": place, "image_id": 1, "category_id": 3, "bbox": box_of(mask), "segmentation": rle_of(mask)}
            for place, mask in enumerate((near, far))]  # fmt: skip
    arrays = ground_truth({"images": [image], "categories": [{"id": 3, "name": "3"}], "annotations": rows})
    own = disc(60, 40, 5)
    results = [
        detection(rows[0], own, bbox=[13, 12, 16, 16], score=0.9),
        detection(rows[0], own, bbox=[21, 12, 16, 16], score=0.8),
        detection(rows[0], own, bbox=[0, 0, 13, 13], score=0.7),  # touches a corner: on nothing
    ]
    best = with_best_masks(arrays, gathered(arrays, results))
    inside = [mask.copy() for mask in (near, far)]
    inside[0][:, :13] = inside[0][:, 29:] = inside[1][:, :21] = inside[1][:, 37:] = False
    assert list(best.strings) == [rle_of(mask)["counts"] for mask in (*inside, own)]
    assert best.mask_areas.tolist() == [int(mask.sum()) for mask in (*inside, own)]
    given = with_gt_boxes(arrays, gathered(arrays, results), arrays.instance_masks)
    assert given.scores.tolist() == [0.9, 0.8]
    missed = with_gt_boxes(arrays, gathered(arrays, results[1:]), arrays.instance_masks)
    assert missed.scores.tolist() == [0.7 - 1, 0.8]


def test_real_images_add_up(tmp_path, coco_mini, ground_truth, gathered) -> None:
    """Perturbed annotations: boxes are off by a few pixels, some are missed, masks are too large."""
    arrays = ground_truth(coco_mini.truth)
    detections = gathered(arrays, coco_mini.results).best_of_each_image(100)
    write_part(tmp_path / "masks", 0, coco_mini.masks, kind="gt_box_masks")
    on_boxes = masks_on_boxes(read_parts(tmp_path / "masks", kind="gt_box_masks"), arrays)
    ids = arrays.category_ids.tolist()
    ap = evaluate_detections(arrays, detections, iou_type="segm").summary(ids).ap
    limits = evaluate_limits(arrays, detections, on_boxes).of(ap, ids)
    assert ap + limits.mask_error + limits.detection_error == pytest.approx(1, abs=1e-12)
    assert ap < limits.best_masks < limits.gt_boxes < 1
    # With the boxes of the annotations the best masks for them are nearly the annotations.
    drawn = []
    for annotation in coco_mini.truth["annotations"]:
        if not annotation["iscrowd"] and annotation["segmentation"]:
            place = np.flatnonzero(arrays.annotation_ids == annotation["id"])[0]
            height, width = arrays.sizes[annotation["image_id"]]
            rle = segmentation_to_rle([[0, 0, 1, 0, 1, 1]], height, width)  # any mask will do
            row = {name: annotation[name] for name in ("image_id", "category_id", "bbox")}
            drawn.append({**row, "segmentation": rle, "score": float(place)})
    best = evaluate_limits(arrays, gathered(arrays, drawn), None).of(None, ids).best_masks
    assert best == pytest.approx(1, abs=1e-3)
