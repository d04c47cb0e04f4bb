from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_submissions import make_submission

from psis_bench.leaderboard.site import build_site, read_zoo
from psis_bench.submissions.schema import Tier


@pytest.fixture(scope="session")
def zoo(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published rows of this checkout, and submissions of every kind."""
    folder = tmp_path_factory.mktemp("zoo") / "model_zoo"
    shutil.copytree(repository / "model_zoo" / "published", folder / "published")
    root = folder / "submissions"
    for seed in (0, 1, 2):
        make_submission(root, model="hourglass20", title="Hourglass-20", seed=seed, seeds=(0, 1, 2), strength=0.66)
    make_submission(root, model="resnet4", title="ResNet-4", strength=0.6, tier=Tier.REPREDICTED)
    make_submission(root, model="unchecked", title="Unchecked", strength=0.62, seeds=(0, 7), tier=None)
    for split, strength in (("voc2nonvoc", 0.7), ("fully_supervised", 0.75), ("single_source/bottle", 0.55)):
        make_submission(
            root, split=split, model="big", title="Big", data="coco", tier=Tier.RETRAINED, strength=strength
        )
    return folder


@pytest.fixture(scope="session")
def site(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of ``zoo``."""
    out = tmp_path_factory.mktemp("site") / "site"
    build_site(read_zoo(zoo).boards, out)
    return out
