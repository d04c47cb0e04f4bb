"""Every recipe whose model is there composes, and everything in it builds (without memory: on the meta device)."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS

from psis_bench.config import resolve_config
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.compose import compose_run, load_config
from psis_bench.recipes import list_recipes
from psis_bench.splits.categories import COCO_NAMES

RUNNABLE = {
    recipe.name: recipe
    for recipe in list_recipes()
    if all(what.startswith("teacher ") for what in recipe.missing())  # a run, which is no part of a model
}
BUILT: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def files_are_read_once() -> Any:
    """Read each config file once: MMEngine takes a while to."""
    read = functools.cache(load_config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("psis_bench.models.compose.load_config", lambda path: copy.deepcopy(read(path)))
        yield
    BUILT.clear()


def build_once(part: Any) -> Any:
    """Build a part of a model unless an equal one was built before; return what was built, or None."""
    text = repr(part)
    if text in BUILT:
        return None
    BUILT.add(text)
    with torch.device("meta"):
        return MODELS.build(part)


@pytest.mark.parametrize("name", RUNNABLE)
def test_it_builds(name: str) -> None:
    recipe = RUNNABLE[name]
    config = compose_run(resolve_config(recipe.arguments()), classes=COCO_NAMES)
    model = config.model
    if config.mask_head is None:
        build_once(model)
        return
    place = model.roi_head.mask_head if "roi_head" in model else model.mask_branch
    # The part with the trunk is small and differs from recipe to recipe; the rest is large and does not.
    build_once(copy.deepcopy(place))
    place.trunk = dict(type="ConvTrunk", width=1, convs=1)
    if "roi_head" in model:
        place.upsample_channels = 8
        model.roi_head.mask_roi_extractor.roi_layer.output_size = 8
    elif place.type == "DeepMacMaskBranch":
        place.update(instance_embedding=32, use_coordinates=True)
    built = build_once(model)
    if built is not None and built.has_detector:
        assert sum(parameter.numel() for parameter in built.parameters()) > 1e7


@pytest.mark.parametrize(
    ("name", "channels"),
    # Two coordinates, 16 of the pixel embedding, 32 of the instance embedding (paper section 4 and Table 10).
    [("hg20_both", 50), ("hg20_coordinates", 18), ("hg20_instance", 48), ("hg20_none", 16)],
)
def test_table_10_switches_the_embeddings(name: str, channels: int) -> None:
    recipe = RUNNABLE.get(f"table10/{name}")
    if recipe is None:
        pytest.skip("its model is not there yet")
    branch = compose_run(resolve_config(recipe.arguments()), classes=COCO_NAMES).model.mask_branch
    with torch.device("meta"):
        assert MODELS.build(branch).trunk.in_channels == channels


@pytest.mark.parametrize(("name", "side"), [("table2/hg20", 16), ("table2/hg52", 32), ("table2/default", 14)])
def test_crops_of_deep_marc_are_those_of_the_paper(name: str, side: int) -> None:
    config = compose_run(resolve_config(RUNNABLE[name].arguments()), classes=COCO_NAMES)
    assert config.model.roi_head.mask_roi_extractor.roi_layer.output_size == side
