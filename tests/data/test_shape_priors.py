"""Shape priors: K-means held to its definition and to SciPy's other implementation, and the masks that it may see."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from scipy.cluster.vq import kmeans
from tiny_data import IDS, SEEN, UNSEEN, TinyData

from psis_bench.data.coco_format import CocoFile, check_coco
from psis_bench.data.shape_priors import (
    PriorSettings,
    check_priors,
    cluster_shapes,
    make_priors,
    read_priors,
    seen_shapes,
    write_priors,
)
from psis_bench.errors import UserError

SEEN_IDS = frozenset(IDS[name] for name in SEEN)
FEW = PriorSettings(clusters=3, size=8)


@pytest.fixture
def coco(tmp_path: Path) -> CocoFile:
    return check_coco(TinyData(tmp_path / "tiny").train)


def blobs(count: int, clusters: int, *, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy copies (count, 6, 6) of well separated shapes, and the shapes."""
    generator = np.random.default_rng(seed)
    shapes = generator.integers(0, 2, (clusters, 6, 6)).astype(np.float32)
    chosen = np.sort(generator.integers(0, clusters, count))  # all of one shape stand together
    return (shapes[chosen] + generator.normal(0, spread, (count, 6, 6))).astype(np.float32), shapes


@pytest.mark.parametrize("spread", [0.05, 0.6])
def test_priors_are_a_fixed_point_of_k_means(spread: float) -> None:
    points, _ = blobs(300, 5, spread=spread)
    priors, counts = cluster_shapes(points, clusters=5, seed=3)
    distance = ((points[:, None] - priors[None]) ** 2).sum(axis=(2, 3))
    nearest = distance.argmin(axis=1)
    assert counts == np.bincount(nearest, minlength=5).tolist() == sorted(counts, reverse=True)
    for place, prior in enumerate(priors):
        np.testing.assert_allclose(prior, points[nearest == place].mean(axis=0), atol=1e-5)


def test_priors_are_those_of_scipy() -> None:
    points, _ = blobs(200, 4, spread=0.05)
    priors, _ = cluster_shapes(points, clusters=4, seed=0)
    # Another algorithm of SciPy's: the best of many random starts by distortion, in its own code.
    theirs, distortion = kmeans(points.reshape(200, -1).astype(float), 4, iter=30, seed=1)
    ours = priors.reshape(4, -1)
    nearest = ((theirs[:, None] - ours[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert sorted(nearest) == [0, 1, 2, 3]
    np.testing.assert_allclose(theirs, ours[nearest], atol=1e-4)
    distances = np.sqrt(((points.reshape(200, 1, -1) - ours) ** 2).sum(axis=2).min(axis=1))
    assert distances.mean() == pytest.approx(distortion, rel=1e-4)


def test_fewer_shapes_than_clusters_leave_empty_priors() -> None:
    points = np.repeat(np.eye(6, dtype=np.float32)[None], 3, axis=0)
    priors, counts = cluster_shapes(points, clusters=4, seed=0)
    assert counts == [3, 0, 0, 0]
    np.testing.assert_array_equal(priors[0], points[0])
    assert not priors[1:].any()


def test_a_shape_is_the_share_of_each_cell_that_the_mask_covers(coco: CocoFile) -> None:
    shapes, available = seen_shapes(coco, seen_ids=SEEN_IDS, settings=FEW)
    annotations = [a for a in coco.annotations if a["category_id"] in SEEN_IDS and not a["iscrowd"]]
    assert len(shapes) == available == len(annotations)
    sizes = {image["id"]: (image["height"], image["width"]) for image in coco.images}
    for shape, annotation in zip(shapes, annotations, strict=True):
        mask = decoded(annotation["segmentation"], *sizes[annotation["image_id"]])
        x, y, w, h = (int(side) for side in annotation["bbox"])
        # Every pixel as 8 x 8 points, of which each cell of the box has w x h.
        fine = np.repeat(np.repeat(mask[y : y + h, x : x + w], 8, axis=0), 8, axis=1)
        np.testing.assert_allclose(shape, fine.reshape(8, h, 8, w).mean(axis=(1, 3)), atol=1e-5)


def decoded(segmentation: Any, height: int, width: int) -> np.ndarray:
    code = segmentation
    if isinstance(segmentation, list):
        code = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    return coco_mask.decode(code).astype(float)


def test_masks_of_unseen_classes_change_nothing(coco: CocoFile) -> None:
    true = make_priors(coco, seen=SEEN, settings=FEW)
    for removed in (False, True):
        content = {"images": coco.images, "categories": coco.categories, "annotations": copy.deepcopy(coco.annotations)}
        for annotation in content["annotations"]:
            if annotation["category_id"] in {IDS[name] for name in UNSEEN}:
                annotation["segmentation"] = [[1, 1, 30, 2, 5, 40]]
                if removed:
                    del annotation["segmentation"], annotation["area"]
        found = make_priors(check_coco(content), seen=SEEN, settings=FEW)
        assert found.priors.tobytes() == true.priors.tobytes()
        assert found.provenance["counts"] == true.provenance["counts"]
    assert make_priors(coco, seen=SEEN[:1], settings=FEW).priors.tobytes() != true.priors.tobytes()


def test_at_most_so_many_masks_are_drawn(coco: CocoFile) -> None:
    whole, available = seen_shapes(coco, seen_ids=SEEN_IDS, settings=FEW)
    few = PriorSettings(clusters=3, size=8, at_most=4, seed=5)
    drawn, counted = seen_shapes(coco, seen_ids=SEEN_IDS, settings=few)
    assert (len(drawn), counted) == (4, available)
    assert {shape.tobytes() for shape in drawn} <= {shape.tobytes() for shape in whole}


def test_a_split_without_masks_is_told(coco: CocoFile) -> None:
    content = {"images": coco.images, "categories": coco.categories, "annotations": copy.deepcopy(coco.annotations)}
    for annotation in content["annotations"]:
        del annotation["segmentation"]
    with pytest.raises(UserError, match="no object of a seen class has a mask"):
        make_priors(check_coco(content), seen=SEEN, settings=FEW)


def test_written_and_read_again(coco: CocoFile, tmp_path: Path) -> None:
    made = make_priors(coco, seen=SEEN, settings=FEW)
    write_priors(tmp_path / "priors.npz", made)
    found = read_priors(tmp_path / "priors.npz")
    np.testing.assert_array_equal(found.priors, made.priors)
    assert found.provenance == made.provenance
    assert found.provenance["seen"] == sorted(SEEN)
    check_priors(found, where=tmp_path, coco=coco, seen=SEEN, shape=(3, 8, 8))
    with pytest.raises(UserError, match="of the masks of other classes"):
        check_priors(found, where=tmp_path, coco=coco, seen=(*SEEN, "kite"), shape=(3, 8, 8))
    with pytest.raises(UserError, match=r"of shape \(3, 8, 8\), not \(4, 8, 8\)"):
        check_priors(found, where=tmp_path, coco=coco, seen=SEEN, shape=(4, 8, 8))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"{}"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "priors.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"priors\.npz: not a file of shape priors: it is no \.npz file; make it with"):
        read_priors(path)
    with pytest.raises(UserError, match="no such file"):
        read_priors(tmp_path / "other.npz")
