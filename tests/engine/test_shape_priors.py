"""A training makes its own shape priors once, and refuses those of other masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from tiny_data import SEEN, UNSEEN, TinyData

from psis_bench.data.coco_format import CocoFile, check_coco
from psis_bench.data.shape_priors import PriorSettings, make_priors, read_priors, write_priors
from psis_bench.engine.shape_priors import provide_shape_priors
from psis_bench.errors import UserError

PLACE = "model.mask_branch.priors"


@pytest.fixture
def coco(tmp_path: Path) -> CocoFile:
    return check_coco(TinyData(tmp_path / "tiny").train)


def config(given: Path | None = None, *, clusters: int = 3, size: int = 8, **drawn: Any) -> Config:
    branch = {"priors": None if given is None else str(given), "clusters": clusters, "crop_size": size}
    return Config({"model": {"mask_branch": branch}, "shape_priors": {"place": PLACE, **drawn}})


def test_priors_are_made_once(coco: CocoFile, tmp_path: Path) -> None:
    first = config()
    provide_shape_priors(first, folder=tmp_path, coco=coco, seen=SEEN)
    path = Path(first.model.mask_branch.priors)
    assert path == tmp_path / "shape_priors.npz"
    wanted = make_priors(coco, seen=SEEN, settings=PriorSettings(clusters=3, size=8))
    assert read_priors(path).priors.tobytes() == wanted.priors.tobytes()
    before = path.stat().st_mtime_ns
    provide_shape_priors(config(), folder=tmp_path, coco=coco, seen=SEEN)
    assert path.stat().st_mtime_ns == before


def test_a_given_file_is_used_if_it_is_of_masks_that_may_be_seen(coco: CocoFile, tmp_path: Path) -> None:
    given = tmp_path / "given.npz"
    settings = PriorSettings(clusters=3, size=8)
    write_priors(given, make_priors(coco, seen=SEEN, settings=settings))
    chosen = config(given)
    provide_shape_priors(chosen, folder=tmp_path, coco=coco, seen=SEEN)
    assert chosen.model.mask_branch.priors == str(given)
    assert not (tmp_path / "shape_priors.npz").exists()
    write_priors(given, make_priors(coco, seen=(*SEEN, *UNSEEN), settings=settings))
    with pytest.raises(UserError, match=r"given\.npz: these shape priors are of the masks of other classes"):
        provide_shape_priors(config(given), folder=tmp_path, coco=coco, seen=SEEN)


def test_other_settings_than_those_of_a_given_file_are_refused(coco: CocoFile, tmp_path: Path) -> None:
    given = tmp_path / "given.npz"
    write_priors(given, make_priors(coco, seen=SEEN, settings=PriorSettings(clusters=3, size=8)))
    with pytest.raises(UserError, match=r"of shape \(3, 8, 8\), not \(5, 8, 8\)"):
        provide_shape_priors(config(given, clusters=5), folder=tmp_path, coco=coco, seen=SEEN)


@pytest.mark.parametrize("changed", [{"clusters": 2}, {"size": 6}, {"at_most": 4}, {"seed": 1}, {}])
def test_what_a_start_with_other_settings_left_behind_is_made_again(
    coco: CocoFile, tmp_path: Path, changed: dict[str, int]
) -> None:
    # Without another setting: other classes.
    other = make_priors(coco, seen=SEEN if changed else UNSEEN, settings=PriorSettings(clusters=3, size=8))
    write_priors(tmp_path / "shape_priors.npz", other)
    provide_shape_priors(config(**changed), folder=tmp_path, coco=coco, seen=SEEN)
    wanted = make_priors(coco, seen=SEEN, settings=PriorSettings(**({"clusters": 3, "size": 8} | changed)))
    found = read_priors(tmp_path / "shape_priors.npz")
    assert found.priors.tobytes() == wanted.priors.tobytes()
    assert found.provenance == wanted.provenance


def test_a_model_without_priors_gets_none(coco: CocoFile, tmp_path: Path) -> None:
    plain = Config({"model": {"type": "Any"}})
    provide_shape_priors(plain, folder=tmp_path, coco=coco, seen=SEEN)
    assert plain.to_dict() == {"model": {"type": "Any"}}
    assert not (tmp_path / "shape_priors.npz").exists()
