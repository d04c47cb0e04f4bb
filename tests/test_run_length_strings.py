"""Decoding and checking many strings, some at a time; single strings are in test_rle.py."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from psis_bench import run_lengths
from psis_bench.run_length_numbers import RleError
from psis_bench.run_length_strings import decode_strings, encode_string, measure_strings
from psis_bench.run_lengths import column_pieces, pairwise_iou


def masks_of(seed: int, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.random(random.integers(1, 40, 2)) < random.choice([0.0, 0.1, 0.5, 1.0]) for _ in range(count)]


def strings_of(masks: list[np.ndarray]) -> list[str]:
    return [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode() for mask in masks]


def joined(strings: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer("".join(strings).encode(), np.uint8), np.cumsum([0, *map(len, strings)])


@pytest.mark.parametrize("at_once", [1, 50, 2**15])
def test_some_at_a_time_are_as_all_at_once(at_once, monkeypatch):
    monkeypatch.setattr(run_lengths, "_AT_ONCE", at_once)
    masks = masks_of(0, 120)
    data, offsets = joined(strings_of(masks))
    pixels = np.array([mask.size for mask in masks])
    decoded = decode_strings(data, offsets, pixels)
    for place, mask in enumerate(masks):
        edges = np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0, append=0))
        runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
        assert decoded[place].tolist() == (runs[:-1] if runs[-1] == 0 and len(runs) > 1 else runs).tolist()
    measured = measure_strings(data, offsets, pixels, heights=np.array([len(mask) for mask in masks]))
    assert measured.areas.tolist() == decoded.areas().tolist() == [mask.sum() for mask in masks]
    assert not measured.has_empty_runs.any()
    inside = [np.flatnonzero(mask.T.ravel()) for mask in masks]
    assert measured.starts.tolist() == [
        mask.size if not len(own) else own[0] for mask, own in zip(masks, inside, strict=True)
    ]
    assert measured.stops.tolist() == [
        mask.size if not len(own) else own[-1] + 1 for mask, own in zip(masks, inside, strict=True)
    ]
    rows = [np.flatnonzero(mask.any(axis=1)) for mask in masks]
    assert measured.rows.T.tolist() == [[own[0], own[-1] + 1] if len(own) else [0, 0] for own in rows]
    again = decoded.take(np.arange(119, -1, -1)).take(np.arange(119, -1, -1))
    assert pairwise_iou(decoded, again).tolist() == [float(mask.any()) for mask in masks]


@pytest.mark.parametrize("at_once", [1, 50, 2**15])
def test_the_first_faulty_one_is_named_wherever_it_is(at_once, monkeypatch):
    monkeypatch.setattr(run_lengths, "_AT_ONCE", at_once)
    masks = masks_of(1, 60)
    pixels = np.array([mask.size for mask in masks])
    for place in (0, 7, 59):
        strings = strings_of(masks)
        strings[place] = encode_string(np.array([masks[place].size + 1]))
        for check in (decode_strings, measure_strings):
            with pytest.raises(RleError, match="larger than the image") as error:
                check(*joined(strings), pixels)
            assert error.value.index == place


def test_runs_of_no_pixels_are_told_where_they_are():
    strings = [encode_string(np.array(runs)) for runs in ([0, 20], [5, 0, 15], [20], [5, 15, 0], [0, 0, 20], [5, 15])]
    measured = measure_strings(*joined(strings), np.full(6, 20), heights=np.full(6, 5))
    assert measured.areas.tolist() == [20, 0, 0, 15, 0, 15]
    assert measured.has_empty_runs.tolist() == [False, True, False, True, True, False]
    # No pixel lies outside of what is told.
    for place, own in {0: (0, 20), 3: (5, 20), 5: (5, 20)}.items():
        assert measured.starts[place] <= own[0]
        assert measured.stops[place] >= own[1]
        assert measured.rows[:, place].tolist() == [0, 5]
    nothing = np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int64)
    assert [len(values) for values in (*measure_strings(*nothing)[:4], decode_strings(*nothing))] == [0] * 5


@pytest.mark.parametrize("pixels", [1000, 2**24, 2**31 - 1, 2**32 - 1])
def test_numbers_of_any_size_are_added_up_without_overflow(pixels):
    random = np.random.default_rng(pixels)
    for _ in range(60):
        cuts = np.sort(random.integers(0, pixels + 1, random.integers(0, 20)))
        runs = np.diff(np.concatenate([[0], cuts, [pixels]]))
        small = [encode_string(np.array([3, 4])), encode_string(runs)]
        data, offsets = joined(small)
        decoded = decode_strings(data, offsets, np.array([7, pixels]))
        assert decoded.runs.dtype == np.int64
        assert decoded[1].tolist() == runs.tolist()
        assert measure_strings(data, offsets, np.array([7, pixels]))[0].tolist() == [4, runs[1::2].sum()]


@pytest.mark.parametrize("image", [1000, 2**31, 2**32 - 1])
@pytest.mark.parametrize("more", [2**31, 2**32, 2**33 - 1])
def test_what_is_right_but_for_the_bits_that_32_do_not_hold_is_refused(image, more):
    for place in range(6):
        runs = np.full(6, image // 6)
        runs[-1] += image - runs.sum()
        runs[place] += more
        strings = [encode_string(np.array([20])), encode_string(runs)]
        for check in (decode_strings, measure_strings):
            with pytest.raises(
                RleError, match=f"run length {place} is larger than the image|the run lengths add up to {image + more}"
            ):
                check(*joined(strings), np.array([20, image]))


def test_runs_are_cut_at_the_ends_of_columns():
    masks = [mask for mask in masks_of(3, 200) if mask.any()]
    pixels = np.array([mask.size for mask in masks])
    decoded = decode_strings(*joined(strings_of(masks)), pixels)
    owners, columns, tops, bottoms = column_pieces(decoded, np.array([len(mask) for mask in masks]))
    drawn = [np.zeros(mask.shape, int) for mask in masks]
    for owner, column, top, bottom in zip(owners, columns, tops, bottoms, strict=True):
        drawn[owner][top:bottom, column] += 1
    assert all(np.array_equal(one, mask) for one, mask in zip(drawn, masks, strict=True))
