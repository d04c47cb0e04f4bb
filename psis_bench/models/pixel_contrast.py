"""Pixels of crops pulled together and pushed apart: the contrastive part of ContrastMask.

Source: Wang et al., ContrastMask (CVPR 2022); official huiserwang/ContrastMask (45f0a4d), ``contrastive_head.py`` and
``sample_utils.py``. A crop's foreground and background come from its mask where its class has masks, and from the class
activation map where it has none. What the official code does not hold, or leaves to chance, is said at its place.

Shapes: N crops, S their side, C channels, D projected channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class PixelSets(NamedTuple):
    """Where a crop's foreground and background are, each (N, S, S) bool.

    Queries are all that is taken for one or the other; easy and hard keys are those far from the contour and along it.
    """

    foreground: Tensor
    background: Tensor
    easy_foreground: Tensor
    easy_background: Tensor
    hard_foreground: Tensor
    hard_background: Tensor

    def enough(self, count: int) -> Tensor:
        """Return which crops have at least ``count`` keys of every kind, (N,) bool."""
        counts = torch.stack([keys.flatten(1).sum(dim=1) for keys in self[2:]])
        return (counts >= count).all(dim=0)

    def of(self, chosen: Tensor) -> PixelSets:
        """Return the sets of some crops; ``chosen`` is (N,) bool."""
        return PixelSets(*(pixels[chosen] for pixels in self))


def sets_of_masks(masks: Tensor) -> PixelSets:
    """Return the sets of crops whose masks (N, S, S) bool are known.

    The contour is the pixels of the mask that touch the background: our choice, since the official code takes it from a
    package that was not read. Along it are the eight neighbours of these pixels but not they themselves: official.
    """
    outside = functional.max_pool2d((~masks).float()[:, None], 3, stride=1, padding=1)[:, 0] > 0
    contour = masks & outside
    near = functional.max_pool2d(contour.float()[:, None], 3, stride=1, padding=1)[:, 0] > 0
    along = near & ~contour
    return PixelSets(
        foreground=masks,
        background=~masks,
        easy_foreground=masks & ~along,
        easy_background=~masks & ~near,
        hard_foreground=masks & along,
        hard_background=~masks & along,
    )


def sets_of_maps(maps: Tensor, *, margin: float) -> PixelSets:
    """Return the sets of crops of which only a map (N, S, S) in [0, 1] is known: within ``margin`` of 1 and of 0."""
    high, low = maps > 1 - margin, maps < margin
    return PixelSets(high, low, high, low, high, low)


def chosen_sets(masks: Tensor, maps: Tensor, has_mask: Tensor, *, margin: float) -> PixelSets:
    """Return the sets of each crop, from its mask if it has one and from its map if not; ``has_mask`` is (N,) bool.

    What stands in the place of a missing mask is never read.
    """
    known = has_mask[:, None, None]
    pairs = zip(sets_of_masks(masks), sets_of_maps(maps, margin=margin), strict=True)
    return PixelSets(*(torch.where(known, of_mask, of_map) for of_mask, of_map in pairs))


def random_part(pixels: Tensor, *, share: float) -> Tensor:
    """Return a random ``share`` of each crop's set (N, S, S), rounded up; from torch's generator, which is seeded."""
    flat = pixels.flatten(1)
    order = torch.rand(flat.shape, device=flat.device).masked_fill(~flat, 2.0).argsort(dim=1).argsort(dim=1)
    wanted = torch.ceil(share * flat.sum(dim=1, keepdim=True))
    return ((order < wanted) & flat).reshape(pixels.shape)


def contrastive_loss(
    projected: Tensor, sets: PixelSets, *, easy_temperature: float, hard_temperature: float, share: float
) -> Tensor:
    """Return the sum of four losses: foreground against background and back, by easy keys and by hard ones.

    Args:
        projected: (N, D, S, S), N > 0.
        sets: Of these crops; no set is empty.
        easy_temperature: For easy keys.
        hard_temperature: For hard keys.
        share: Part of the keys of each crop that is drawn.
    """
    places = projected.permute(0, 2, 3, 1)
    queries = [_mean_of_crops(places, pixels) for pixels in (sets.foreground, sets.background)]
    total = projected.new_zeros(())
    for positive, negative, temperature in (
        (sets.easy_foreground, sets.easy_background, easy_temperature),
        (sets.hard_foreground, sets.hard_background, hard_temperature),
    ):
        keys = [places[random_part(pixels, share=share)] for pixels in (positive, negative)]
        total = total + shared_query_loss(queries[0], keys[0], keys[1], temperature=temperature)
        total = total + shared_query_loss(queries[1], keys[1], keys[0], temperature=temperature)
    return total


def shared_query_loss(query: Tensor, like: Tensor, unlike: Tensor, *, temperature: float) -> Tensor:
    """Return the loss of one query (D,) that keys (P, D) should be like and keys (M, D) should not.

    As in the official code, keys are taken relative to the query before their cosine with it, and the temperature does
    not stand at the key in its own denominator; the paper's formula has it there.
    """
    cosine = functional.cosine_similarity(query, like - query, dim=1)
    others = functional.cosine_similarity(query, unlike - query, dim=1)
    denominator = cosine.exp() + (others / temperature).exp().sum()
    return (denominator.log() - cosine / temperature).mean()


def _mean_of_crops(places: Tensor, pixels: Tensor) -> Tensor:
    """Return the mean (D,) over crops of the mean of ``places`` (N, S, S, D) over each crop's ``pixels`` (N, S, S)."""
    weights = pixels.to(places.dtype)
    weights = weights / weights.sum(dim=(1, 2), keepdim=True)
    return torch.einsum("nijd,nij->d", places, weights) / len(places)


def blended(features: Tensor) -> Tensor:
    """Return features (N, C, S, S) in which each place is a mean over all, weighted by softmax of their cosines."""
    flat = features.flatten(2)
    unit = functional.normalize(flat, dim=1)
    weights = torch.bmm(unit.transpose(1, 2), unit).softmax(dim=2)
    return torch.bmm(flat, weights.transpose(1, 2)).reshape(features.shape)
