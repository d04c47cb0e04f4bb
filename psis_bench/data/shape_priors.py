"""Shape priors: the typical outlines of objects, K-means over the masks of the seen classes alone.

Source: Kuo et al., ShapeMask (2019), section 3.1. The official code (tensorflow/tpu, ``models/official/detection``)
loads them from a file, whose name in its deployment settings gives 20 clusters of 32 x 32 cells a class, and does not
hold the program that makes it. A model that shares masks between classes has one set for all of them.

Masks go through `psis_bench.data.supervision.restrict_masks`, as those that a model is trained with do: what a split
withholds is gone before anything is counted, drawn or clustered.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psis_bench.console import progress
from psis_bench.data.coco_format import CocoFile
from psis_bench.data.supervision import restrict_masks
from psis_bench.errors import UserError
from psis_bench.files import atomic_path
from psis_bench.rle import segmentation_to_rle

Floats = NDArray[np.float32]
_ROUNDS = 30
"""Times ten: K-means ends when no centre moves, and at the latest after these."""


@dataclass(frozen=True, kw_only=True)
class PriorSettings:
    """What priors are made with.

    Attributes:
        clusters: Number of priors.
        size: Side of a prior in cells, which cover the object's box.
        at_most: Masks that are clustered; of more, so many are drawn at random.
        seed: Of the draw and of the first centres.
    """

    clusters: int = 20
    size: int = 32
    at_most: int = 20_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ShapePriors:
    """Shape priors and where they come from.

    Attributes:
        priors: (K, S, S) float32 in [0, 1]: the share of each cell of the box that objects of the cluster cover, the
            largest cluster first. With fewer different masks than clusters the last ones are empty.
        provenance: ``annotations`` (file), ``annotations_sha256``, ``seen`` (class names), ``masks`` (clustered),
            ``available``, ``counts`` (masks of each cluster) and the settings.
    """

    priors: Floats
    provenance: dict[str, Any]


def make_priors(coco: CocoFile, *, seen: Iterable[str], settings: PriorSettings) -> ShapePriors:
    """Cluster the masks of the seen classes of an annotation file.

    Args:
        coco: The training annotations.
        seen: Names of the classes with mask supervision.
        settings: Number, size and sample.

    Raises:
        UserError: No object of a seen class has a mask.
    """
    names = sorted(seen)
    ids = frozenset(category["id"] for category in coco.categories if category["name"] in names)
    shapes, available = seen_shapes(coco, seen_ids=ids, settings=settings)
    priors, counts = cluster_shapes(shapes, clusters=settings.clusters, seed=settings.seed)
    provenance = {
        "annotations": str(coco.path),
        "annotations_sha256": coco.sha256,
        "seen": names,
        "masks": len(shapes),
        "available": available,
        "counts": counts,
        "clusters": settings.clusters,
        "size": settings.size,
        "at_most": settings.at_most,
        "seed": settings.seed,
    }
    return ShapePriors(priors=priors, provenance=provenance)


def seen_shapes(coco: CocoFile, *, seen_ids: frozenset[int], settings: PriorSettings) -> tuple[Floats, int]:
    """Return the shapes (N, S, S) in [0, 1] that are clustered, and how many there are to draw from.

    Raises:
        UserError: There is none.
    """
    sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in coco.images}
    restricted = (restrict_masks(each, seen_ids=seen_ids) for each in coco.annotations if not each.get("iscrowd", 0))
    masked = [each for each in restricted if each["has_mask"]]
    if not masked:
        raise UserError(
            "no object of a seen class has a mask", where=str(coco.path), cure="choose another split= or data="
        )
    chosen: NDArray[np.signedinteger[Any]] = np.arange(len(masked))
    if len(masked) > settings.at_most:
        chosen = np.sort(np.random.default_rng(settings.seed).permutation(len(masked))[: settings.at_most])
    shapes = np.zeros((len(chosen), settings.size, settings.size), np.float32)
    with progress("shapes of seen objects", total=len(chosen)) as bar:
        for place, index in enumerate(chosen):
            annotation = masked[int(index)]
            shapes[place] = _shape(annotation, *sizes[annotation["image_id"]], settings.size)
            bar.advance()
    return shapes, len(masked)


def _shape(annotation: Mapping[str, Any], height: int, width: int, size: int) -> Floats:
    """Return the share (S, S) of each cell of an object's box that its mask covers."""
    from pycocotools import mask as coco_mask

    x, y, w, h = annotation["bbox"]
    pixels = coco_mask.decode(segmentation_to_rle(annotation["segmentation"], height, width))
    rows, columns = _shares(y, y + h, cells=size, length=height), _shares(x, x + w, cells=size, length=width)
    top, left = int(max(y, 0)), int(max(x, 0))
    bottom, right = int(min(np.ceil(y + h), height)), int(min(np.ceil(x + w), width))
    part = pixels[top:bottom, left:right].astype(np.float32)
    covered: Floats = rows[:, top:bottom] @ part @ columns[:, left:right].T
    return covered


def _shares(start: float, stop: float, *, cells: int, length: int) -> Floats:
    """Return (cells, length): the share of each cell of [start, stop) that lies in each pixel of an axis."""
    edges = np.linspace(start, stop, cells + 1)
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: Floats = (overlap.clip(0) / max((stop - start) / cells, 1e-9)).astype(np.float32)
    return shares


def cluster_shapes(shapes: Floats, *, clusters: int, seed: int) -> tuple[Floats, list[int]]:
    """Cluster shapes by K-means (SciPy's, k-means++ start) until no centre moves.

    Args:
        shapes: (N, S, S), N at least 1.
        clusters: K.
        seed: Of the start.

    Returns:
        (K, S, S) centres, the largest cluster first, and the size of each; empty ones last.
    """
    from scipy.cluster.vq import kmeans2, vq

    points = np.ascontiguousarray(shapes.reshape(len(shapes), -1), np.float64)
    wanted = min(clusters, len({point.tobytes() for point in points}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster may lose its last member; it keeps its centre
        centres, _ = kmeans2(points, wanted, iter=1, minit="++", seed=seed)
        for _ in range(_ROUNDS):
            before = centres
            centres, _ = kmeans2(points, before, iter=10, minit="matrix")
            if np.array_equal(centres, before):
                break
    counts = np.bincount(vq(points, centres)[0], minlength=wanted)
    order = np.argsort(-counts, kind="stable")
    priors = np.zeros((clusters, *shapes.shape[1:]), np.float32)
    priors[:wanted] = centres[order].reshape(wanted, *shapes.shape[1:])
    return priors, [*map(int, counts[order]), *[0] * (clusters - wanted)]


def write_priors(path: Path, priors: ShapePriors) -> None:
    """Write priors and their provenance to one ``.npz`` file, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, priors=priors.priors, provenance=np.array(json.dumps(priors.provenance, sort_keys=True)))


def read_priors(path: Path) -> ShapePriors:
    """Read what `write_priors` wrote.

    Raises:
        UserError: The file is missing or is something else.
    """
    try:
        with path.open("rb") as handle:
            if not zipfile.is_zipfile(handle):
                raise ValueError("it is no .npz file")
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as content:
                priors, text = content["priors"], str(content["provenance"])
        provenance = json.loads(text)
        if priors.ndim != 3 or priors.dtype != np.float32 or not isinstance(provenance, dict):
            raise ValueError("it holds something else")
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), cure="make it with psis-bench data priors") from None
    except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"not a file of shape priors: {reason}", where=str(path), cure="make it with psis-bench data priors"
        ) from None
    return ShapePriors(priors=priors, provenance=provenance)


def check_priors(
    priors: ShapePriors, *, where: Path, coco: CocoFile, seen: Iterable[str], shape: tuple[int, ...]
) -> None:
    """Refuse priors that were made with other masks than a training may see.

    Raises:
        UserError: They are of other classes, other annotations, or of another number or size.
    """
    made = priors.provenance
    again = "leave the file out, and the training makes its own, or make it again with psis-bench data priors"
    for what, has, wants in (
        ("the masks of other classes", made.get("seen"), sorted(seen)),
        ("another annotation file", made.get("annotations_sha256"), coco.sha256),
    ):
        if has != wants:
            raise UserError(f"these shape priors are of {what}", where=str(where), cure=again)
    if priors.priors.shape != shape:
        raise UserError(
            f"these shape priors are of shape {priors.priors.shape}, not {shape}",
            where=str(where),
            cure="set the model's clusters and crop_size to the file's, or leave the file out",
        )
