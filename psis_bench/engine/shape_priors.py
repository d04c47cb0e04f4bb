"""Gives a training the shape priors that its model asks for: its own file of the run, made when it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from psis_bench.data.coco_format import CocoFile
from psis_bench.data.shape_priors import PriorSettings, check_priors, make_priors, read_priors, write_priors
from psis_bench.models.compose import at_path
from psis_bench.run import SHAPE_PRIORS


def provide_shape_priors(config: Config, *, folder: Path, coco: CocoFile, seen: Iterable[str]) -> None:
    """Name the file of shape priors in a model's config, if it asks for some by ``shape_priors``.

    ``shape_priors`` holds ``at_most`` and ``seed`` of `PriorSettings` and ``place``, the path of the setting that takes
    the file; ``clusters`` and ``crop_size`` beside that are the number and the size of the priors. A file that is named
    there already is used when it was made from what this training may see.

    Args:
        config: From `psis_bench.models.compose.compose_model`; changed in place.
        folder: The run directory.
        coco: The training annotations.
        seen: Names of the classes with mask supervision.

    Raises:
        UserError: No object of a seen class has a mask, or the given file is of other masks, another number or size.
    """
    wanted = config.get("shape_priors")
    if wanted is None:
        return
    container, key = at_path(config, wanted.place)
    drawn = {name: value for name, value in wanted.items() if name != "place"}
    settings = PriorSettings(clusters=container["clusters"], size=container["crop_size"], **drawn)
    names = sorted(seen)
    given = container[key]
    path = folder / SHAPE_PRIORS if given is None else Path(given)
    if given is None and is_main_process() and not _is_made(path, coco=coco, seen=names, settings=settings):
        write_priors(path, make_priors(coco, seen=names, settings=settings))
    barrier()
    shape = (settings.clusters, settings.size, settings.size)
    check_priors(read_priors(path), where=path, coco=coco, seen=names, shape=shape)
    container[key] = str(path)


def _is_made(path: Path, *, coco: CocoFile, seen: Sequence[str], settings: PriorSettings) -> bool:
    """Whether a file has the priors already; those of a start that came to nothing may be of other settings."""
    if not path.is_file():
        return False
    made = read_priors(path).provenance
    wanted = {"annotations_sha256": coco.sha256, "seen": seen, **asdict(settings)}
    return all(made.get(name) == value for name, value in wanted.items())
