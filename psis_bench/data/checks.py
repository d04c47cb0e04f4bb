"""``psis-bench data check``: everything that is wrong with a data set, at once."""

from __future__ import annotations

from typing import Any

from psis_bench.data.coco_format import check_content, tell_dropped
from psis_bench.data.dataset_config import DatasetConfig, Subset
from psis_bench.data.image_files import check_pixels, find_missing
from psis_bench.data.json_file import load_json
from psis_bench.data.lvis_images import with_named_images
from psis_bench.data.problems import Collector, Problem
from psis_bench.errors import UserError

__all__ = ["Problem", "check_dataset"]


def check_dataset(
    config: DatasetConfig, *, pixels: bool = True, limit: int = 50, workers: int | None = None
) -> list[Problem]:
    """Check annotations and images of every part of a data set.

    Args:
        config: The data set.
        pixels: Whether every image is decoded (a few minutes for COCO); their being there is checked anyway.
        limit: Problems that are told one by one; one more then tells how many there are besides.
        workers: Processes that decode; None: one a core.

    Returns:
        The problems, those of the annotations before those of the images; none when all is well.
    """
    collector = Collector(limit=limit)
    categories = {}
    for name, subset in config.parts().items():
        try:
            categories[name] = _check_subset(
                name, subset, config=config, collector=collector, pixels=pixels, workers=workers
            )
        except UserError as error:
            collector.add_error(error)
    both = [categories[name] for name in ("train", "val") if categories.get(name)]
    if len(both) == 2 and both[0] != both[1]:
        # A model numbers its classes by the file it was trained with.
        report = collector.report_for(config.val.annotations)
        report(
            "categories", "are not those of the training file", "give both files the same ids and names, in one order"
        )
    return collector.problems()


def _check_subset(
    name: str, subset: Subset, *, config: DatasetConfig, collector: Collector, pixels: bool, workers: int | None
) -> list[Any]:
    """Check one part and return id and name of its categories; none of those that are known by synset."""
    content, _ = load_json(subset.annotations)
    report = collector.report_for(subset.annotations)
    content = with_named_images(content)
    dropped, _ = check_content(content, report=report, masks=True, drop_bad_boxes=config.on_bad_boxes == "drop")
    if dropped:
        tell_dropped(subset.annotations, len(dropped))
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        return []
    missing = find_missing(images, subset.images, report=report)
    if pixels:
        check_pixels(images, subset.images, skip=missing, report=report, title=f"check {name}", workers=workers)
    categories = content.get("categories")
    if not isinstance(categories, list):
        return []
    if any(isinstance(entry, dict) and "synset" in entry for entry in categories):
        # LVIS: a model of COCO's classes is scored there by synset.
        return []
    return [(entry.get("id"), entry.get("name")) for entry in categories if isinstance(entry, dict)]
