"""The contrastive part of ContrastMask against plain loops over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from psis_bench.models.pixel_contrast import (
    PixelSets,
    blended,
    chosen_sets,
    contrastive_loss,
    random_part,
    sets_of_masks,
    shared_query_loss,
)


def disc(side: int, radius: float) -> torch.Tensor:
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return torch.from_numpy(rows**2 + columns**2 <= radius**2)


def test_sets_of_a_mask_against_scipy() -> None:
    mask = disc(28, 8.3)
    sets = sets_of_masks(mask[None])
    plain = mask.numpy()
    contour = plain & ~ndimage.binary_erosion(plain, np.ones((3, 3)), border_value=1)
    distance = ndimage.distance_transform_edt(~contour)
    along = (distance < 2) & ~contour
    for found, wanted in (
        (sets.easy_foreground, plain & ~along),
        (sets.hard_foreground, plain & along),
        (sets.hard_background, ~plain & along),
        (sets.easy_background, ~plain & ~(distance < 2)),
        (sets.foreground, plain),
        (sets.background, ~plain),
    ):
        assert found[0].numpy().tolist() == wanted.tolist()
        assert wanted.sum() >= 5
    assert sets.enough(5).tolist() == [True]
    assert sets_of_masks(torch.ones(1, 6, 6, dtype=torch.bool)).enough(1).tolist() == [False]


def test_a_crop_without_a_mask_has_the_sets_of_its_map() -> None:
    maps = torch.rand(2, 10, 10, generator=torch.Generator().manual_seed(0))
    results = []
    for filling in (False, True):
        masks = torch.stack([disc(10, 3.0), torch.full((10, 10), filling)])
        results.append(chosen_sets(masks, maps, torch.tensor([True, False]), margin=0.2))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)  # what stands in the place of a missing mask changes nothing
    sets = results[0]
    assert torch.equal(sets.foreground[0], disc(10, 3.0))
    for high in (sets.foreground, sets.easy_foreground, sets.hard_foreground):
        assert torch.equal(high[1], maps[1] > 0.8)
    for low in (sets.background, sets.easy_background, sets.hard_background):
        assert torch.equal(low[1], maps[1] < 0.2)


def test_a_random_part_is_a_share_rounded_up_and_the_seeds() -> None:
    pixels = torch.rand(6, 9, 9, generator=torch.Generator().manual_seed(1)) > 0.6
    pixels[5] = False
    torch.manual_seed(2)
    part = random_part(pixels, share=0.3)
    assert not (part & ~pixels).any()
    assert part.sum(dim=(1, 2)).tolist() == [math.ceil(0.3 * float(count)) for count in pixels.sum(dim=(1, 2))]
    other = random_part(pixels, share=0.3)
    assert not torch.equal(other, part)
    torch.manual_seed(2)
    assert torch.equal(random_part(pixels, share=0.3), part)


def one_query(query: np.ndarray, like: np.ndarray, unlike: np.ndarray, temperature: float) -> float:
    def cosine(key: np.ndarray) -> float:
        moved = key - query
        return float(query @ moved / np.linalg.norm(query) / np.linalg.norm(moved))

    others = sum(math.exp(cosine(key) / temperature) for key in unlike)
    terms = [-math.log(math.exp(c / temperature) / (math.exp(c) + others)) for c in map(cosine, like)]
    return sum(terms) / len(terms)


def test_the_loss_against_plain_loops() -> None:
    generator = torch.Generator().manual_seed(3)
    projected = torch.randn(2, 5, 8, 8, generator=generator, dtype=torch.float64)
    sets = PixelSets(*(torch.rand(2, 8, 8, generator=generator) > 0.7 for _ in range(6)))
    places = projected.permute(0, 2, 3, 1).numpy()
    queries = []
    for pixels in (sets.foreground, sets.background):
        means = [own[where.numpy()].mean(axis=0) for own, where in zip(places, pixels, strict=True)]
        queries.append(np.mean(means, axis=0))
    total = 0.0
    for front, back, temperature in (
        (sets.easy_foreground, sets.easy_background, 0.3),
        (sets.hard_foreground, sets.hard_background, 0.7),
    ):
        on, off = places[front.numpy()], places[back.numpy()]
        total += one_query(queries[0], on, off, temperature) + one_query(queries[1], off, on, temperature)
    # All keys: nothing is left to chance.
    found = contrastive_loss(projected, sets, easy_temperature=0.3, hard_temperature=0.7, share=1.0)
    assert found.item() == pytest.approx(total, rel=1e-9)


def test_pixels_that_are_told_apart_cost_less() -> None:
    query, near = torch.tensor([1.0, 0.0]), torch.tensor([[3.0, 0.1], [2.0, -0.1]])
    far = torch.tensor([[-2.0, 0.1], [-3.0, 0.0]])
    right = shared_query_loss(query, near, far, temperature=0.3)
    assert right < shared_query_loss(query, far, near, temperature=0.3)


def test_blending_is_a_mean_weighted_by_cosines() -> None:
    features = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    found = blended(features)
    for crop, result in zip(features.flatten(2).numpy(), found.flatten(2).numpy(), strict=True):
        unit = crop / np.linalg.norm(crop, axis=0)
        for place in range(9):
            weights = np.exp(unit.T @ unit[:, place])
            assert np.allclose(result[:, place], crop @ (weights / weights.sum()))
