from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench.rle import (
    area_of,
    check_polygons,
    check_rle,
    counts_of,
    encode_crop,
    intersection_over_union,
    segmentation_to_rle,
)
from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import decode_strings, encode_string, encode_strings
from psis_bench.run_lengths import concatenate, merge_empty_runs, pairwise_iou


def coco_rle(mask: np.ndarray) -> dict:
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def runs_by_walking(mask: np.ndarray) -> list[int]:
    runs, inside = [0], False
    for pixel in mask.T.ravel().tolist():
        if bool(pixel) != inside:
            runs.append(0)
            inside = bool(pixel)
        runs[-1] += 1
    return runs


def characters_by_hand(numbers: list[int]) -> str:
    """Write numbers as the format says: differences to two before from the fourth on, groups of five bits."""
    text = ""
    for place, number in enumerate(numbers):
        rest = number - numbers[place - 2] if place > 2 else number
        while True:
            group, rest = rest & 31, rest >> 5
            more = rest != (-1 if group & 16 else 0)
            text += chr(48 + group + 32 * more)
            if not more:
                break
    return text


def random_mask(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    return random.random((height, width)) < random.choice([0.0, 0.02, 0.5, 0.95, 1.0])


def test_decoding_gives_the_run_lengths_of_the_pixels():
    random = np.random.default_rng(0)
    for _ in range(300):
        mask = random_mask(random, *random.integers(1, 40, 2))
        rle = coco_rle(mask)
        assert counts_of(rle).tolist() == runs_by_walking(mask)
        assert counts_of({**rle, "counts": rle["counts"].encode()}).tolist() == runs_by_walking(mask)
        assert counts_of({**rle, "counts": runs_by_walking(mask)}).tolist() == runs_by_walking(mask)
        assert area_of(rle) == mask.sum()


def test_a_batch_is_decoded_like_its_masks_one_by_one():
    random = np.random.default_rng(1)
    masks = [random_mask(random, *random.integers(1, 30, 2)) for _ in range(200)]
    strings = [coco_rle(mask)["counts"] for mask in masks]
    data = np.frombuffer("".join(strings).encode(), np.uint8)
    offsets = np.cumsum([0] + [len(string) for string in strings])
    batch = decode_strings(data, offsets, np.array([mask.size for mask in masks]))
    assert [batch[place].tolist() for place in range(len(batch))] == [runs_by_walking(mask) for mask in masks]
    assert batch.areas().tolist() == [mask.sum() for mask in masks]
    assert batch.pixels().tolist() == [mask.size for mask in masks]
    chosen = np.array([7, 7, 0, 199])
    assert [batch.take(chosen)[place].tolist() for place in range(4)] == [runs_by_walking(masks[i]) for i in chosen]


def test_run_lengths_of_the_largest_image_survive():
    for runs in ([2**32 - 2, 1], [0, 2**32 - 1], [2**31, 1, 5, 2**31 - 7], [3, 2**31, 1, 1, 2**31 - 6]):
        string = encode_string(np.array(runs))
        assert string == characters_by_hand(runs)
        data = np.frombuffer(string.encode(), np.uint8)
        decoded = decode_strings(data, np.array([0, len(data)]), np.array([sum(runs)]))
        assert decoded[0].tolist() == runs


@pytest.mark.parametrize(
    ("rle", "reason"),
    [
        ("abc", "an RLE is an object"),
        ({"counts": [20]}, "size must be"),
        ({"size": [4], "counts": [20]}, "size must be"),
        ({"size": [4.0, 5], "counts": [20]}, "size must be"),
        ({"size": [True, 5], "counts": [5]}, "size must be"),
        ({"size": [-4, -5], "counts": [20]}, "size must be"),
        ({"size": [5, 4], "counts": [20]}, r"size \[5, 4\] is not the image's \[4, 5\]"),
        ({"size": [4, 5]}, "counts must be"),
        ({"size": [4, 5], "counts": 20}, "counts must be"),
        ({"size": [4, 5], "counts": []}, "empty"),
        ({"size": [4, 5], "counts": ""}, "empty"),
        ({"size": [4, 5], "counts": [19]}, "add up to 19, not to 20"),
        ({"size": [4, 5], "counts": [10, 10, 1]}, "add up to 21, not to 20"),
        ({"size": [4, 5], "counts": [25, -5]}, "run length 0 is negative or larger"),
        ({"size": [4, 5], "counts": [2**70, 1]}, "run length 0 is negative or larger"),
        ({"size": [4, 5], "counts": [10.0, 10]}, "run length 0 is not a whole number"),
        ({"size": [4, 5], "counts": [19, True]}, "run length 1 is not a whole number"),
        ({"size": [4, 5], "counts": [float("nan"), 20]}, "run length 0 is not a whole number"),
        ({"size": [4, 5], "counts": "d0/"}, "character 2 of the run lengths"),
        ({"size": [4, 5], "counts": "d0p"}, "character 2 of the run lengths"),
        ({"size": [4, 5], "counts": "d0é"}, "not ASCII"),
        ({"size": [4, 5], "counts": b"d0\xff"}, "character 2 of the run lengths"),
        ({"size": [4, 5], "counts": "d"}, "stop in the middle"),
        ({"size": [4, 5], "counts": "oooooooooo0"}, "run length 0 is larger than any image"),
        ({"size": [4, 5], "counts": characters_by_hand([25, -5])}, r"run length 1 is negative \(-5\)"),
        ({"size": [4, 5], "counts": characters_by_hand([5, 5, 5, 5, -5, 5])}, r"run length 4 is negative \(-5\)"),
        ({"size": [4, 5], "counts": characters_by_hand([21])}, r"run length 0 is larger than the image \(21\)"),
        ({"size": [4, 5], "counts": characters_by_hand([2**33, 1])}, "run length 0 is larger than the image"),
        ({"size": [4, 5], "counts": characters_by_hand([19])}, "add up to 19, not to 20"),
    ],
)
def test_what_is_no_rle_is_refused_with_the_reason(rle: object, reason: str):
    with pytest.raises(ValueError, match=reason):
        check_rle(rle, height=4, width=5)  # type: ignore[arg-type]


def test_no_string_of_any_bytes_gets_through_unless_it_is_sound():
    random = np.random.default_rng(2)
    sound = 0
    for _ in range(3000):
        mask = random_mask(random, 6, 7)
        data = bytearray(coco_rle(mask)["counts"].encode())
        for _ in range(random.integers(1, 3)):
            place = random.integers(len(data))
            if random.random() < 0.3:
                del data[place:]
            else:
                data[place : place + 1] = [random.integers(48, 112) if random.random() < 0.9 else random.integers(256)]
            if not data:
                break
        try:
            runs = counts_of({"size": [6, 7], "counts": bytes(data)})
        except ValueError:
            continue
        sound += 1
        assert (runs >= 0).all()
        assert runs.sum() == 42
    assert sound > 10


def test_the_faulty_mask_of_a_batch_is_named():
    strings = [characters_by_hand([20]), characters_by_hand([3, 17]), characters_by_hand([3, 18])]
    data = np.frombuffer("".join(strings).encode(), np.uint8)
    with pytest.raises(RleError, match="add up to 21") as caught:
        decode_strings(data, np.cumsum([0] + [len(string) for string in strings]), np.array([20, 20, 20]))
    assert caught.value.index == 2


def test_an_encoded_crop_is_the_encoded_image_byte_for_byte():
    random = np.random.default_rng(3)
    for _ in range(4000):
        height, width = (int(side) for side in random.integers(1, 30, 2))
        crop = random_mask(random, *random.integers(1, 30, 2))
        x, y = int(random.integers(-12, width + 3)), int(random.integers(-12, height + 3))
        around = np.zeros((height + 100, width + 100), bool)
        around[y + 50 : y + 50 + crop.shape[0], x + 50 : x + 50 + crop.shape[1]] = crop
        expected = coco_rle(around[50 : height + 50, 50 : width + 50])
        assert encode_crop(crop, x=x, y=y, height=height, width=width) == expected["counts"]


@pytest.mark.parametrize("shape", [(480, 640), (1024, 3), (3, 1024)])
def test_a_crop_as_large_as_the_image_is_encoded_like_it(shape: tuple[int, int]):
    random = np.random.default_rng(4)
    for mask in (np.ones(shape, bool), np.zeros(shape, bool), random.random(shape) < 0.5, random.random(shape) < 1e-3):
        assert encode_crop(mask, x=0, y=0, height=shape[0], width=shape[1]) == coco_rle(mask)["counts"]


def test_polygons_become_the_masks_of_pycocotools():
    random = np.random.default_rng(5)
    for _ in range(100):
        height, width = (int(side) for side in random.integers(5, 60, 2))
        polygons = [
            (random.random(2 * random.integers(3, 8)) * 1.2 * max(height, width) - 3).tolist()
            for _ in range(random.integers(1, 4))
        ]
        expected = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        rle = segmentation_to_rle(polygons, height, width)
        assert rle == {"size": [height, width], "counts": expected["counts"].decode()}


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([], "not empty"),
        (None, "not empty"),
        ([1, 2, 3, 4, 5, 6], "polygon 0 is not a list"),
        ([[1, 2, 3, 4]], "polygon 0 has 4 numbers; three points"),
        ([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7]], "polygon 1 has 7 numbers"),
        ([[1, 2, 3, 4, 5, float("inf")]], "a coordinate that is not a number"),
        ([[1, 2, 3, 4, 5, "6"]], "a coordinate that is not a number"),
        ([[1, 2, 3, 4, 5, 1e12]], "far outside"),
    ],
)
def test_what_is_no_segmentation_is_refused_with_the_reason(segmentation: object, reason: str):
    with pytest.raises(ValueError, match=reason):
        segmentation_to_rle(segmentation, 10, 10)


def test_runs_of_no_pixels_are_merged():
    for runs, expected in (
        ([0, 0, 20], [20]),
        ([5, 0, 5, 10], [10, 10]),
        ([0, 5, 0, 5, 10], [0, 10, 10]),
        ([5, 5, 5, 5, 0], [5, 5, 5, 5]),
        ([0, 20], [0, 20]),
        ([0, 0, 0, 20, 0], [0, 20]),
        ([20, 0, 0], [20]),
    ):
        assert merge_empty_runs(np.array(runs)).tolist() == expected
        rle = segmentation_to_rle({"size": [4, 5], "counts": runs}, 4, 5)
        assert counts_of(rle).tolist() == expected


def test_iou_is_that_of_the_pixels_also_with_runs_of_no_pixels():
    random = np.random.default_rng(6)
    pairs = []
    for _ in range(400):
        shape = random.integers(1, 25, 2)
        pairs.append((random_mask(random, *shape), random_mask(random, *shape)))
    expected = [(a & b).sum() / max((a | b).sum(), 1) for a, b in pairs]
    batches = [concatenate([counts_of(coco_rle(pair[side])) for pair in pairs]) for side in (0, 1)]
    assert pairwise_iou(*batches).tolist() == expected
    assert [intersection_over_union(coco_rle(a), coco_rle(b)) for a, b in pairs] == expected
    first = {"size": [4, 5], "counts": [2, 0, 0, 4, 0, 4, 10, 0]}
    second = {"size": [4, 5], "counts": [6, 0, 0, 14]}
    assert intersection_over_union(first, second) == 4 / 18
    with pytest.raises(ValueError, match="cannot be compared"):
        intersection_over_union(first, {"size": [5, 4], "counts": [20]})


def test_many_are_encoded_as_one_by_one():
    random = np.random.default_rng(3)
    masks = [random.random((random.integers(1, 300), random.integers(1, 300))) < random.random() for _ in range(60)]
    masks += [np.zeros((5, 7), bool), np.ones((5, 7), bool), np.zeros((2000, 2000), bool)]
    expected = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode() for mask in masks]
    runs = [counts_of({"size": list(mask.shape), "counts": text}) for mask, text in zip(masks, expected, strict=True)]
    assert encode_strings(concatenate(runs)) == expected
    assert encode_strings(concatenate([np.array([3, 0, 2, 4, 0, 1])])) == [encode_string(np.array([5, 5]))]
    assert encode_strings(concatenate([])) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", range(6))
def test_a_coordinate_that_is_no_number_is_refused_wherever_it_stands(place, value):
    polygon = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0]
    check_polygons([polygon], height=10, width=10)
    polygon[place] = value
    with pytest.raises(ValueError, match="polygon 1 has a coordinate that is not a number"):
        check_polygons([[0, 0, 5, 0, 5, 5], polygon], height=10, width=10)
