"""``psis-bench data priors``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_data import SEEN, TinyData

from psis_bench.cli import main
from psis_bench.data.shape_priors import read_priors


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    folder = TinyData(tmp_path / "tiny").folder
    return [f"split={folder / 'split.yaml'}", f"data={folder / 'data.yaml'}", f"out={tmp_path / 'shapes.npz'}"]


def test_priors_their_picture_and_where_they_come_from(
    keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "priors", *keys, "clusters=3", "size=8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = read_priors(tmp_path / "shapes.npz")
    assert found.priors.shape == (3, 8, 8)
    assert told["seen"] == found.provenance["seen"] == sorted(SEEN)
    assert sum(told["counts"]) == told["masks"] == told["available"] > 3
    picture = cv2.imread(str(tmp_path / "shapes.png"), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (68, 3 * 68)
    # The middle of every tile's first cell.
    np.testing.assert_allclose(picture[6, 6::68], found.priors[:, 0, 0] * 255, atol=0.51)


def test_a_dry_run_makes_nothing(keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "priors", *keys, "clusters=7", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "would make" in told
    assert "mm.model.mask_branch.clusters=7" in told
    assert not (tmp_path / "shapes.npz").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["split="], "split has no value"),
        (["clusters=no"], "clusters must be a whole number"),
        (["size=0"], "size=0 is too small; give a whole number of at least 1"),
        (["out=shapes.png"], "is no .npz file; write out=shapes.npz"),
        (["cluster=3"], "unknown key 'cluster'; did you mean 'clusters'?"),
        (["coco"], "'coco' is one word too many"),
    ],
)
def test_mistakes(keys: list[str], wrong: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = [word.partition("=")[0] for word in wrong]
    assert main(["data", "priors", *[key for key in keys if key.partition("=")[0] not in names], *wrong]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_split_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "priors"]) == 2
    assert "no split is given" in capsys.readouterr().err
