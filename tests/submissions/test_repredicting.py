"""Predicting again: a run of a second or two, its submission, and the two highest tiers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytest.importorskip("mmdet")

from tiny_data import TinyData

from psis_bench.cli import main
from psis_bench.submissions.schema import Tier, load_submission


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyData:
    monkeypatch.chdir(tmp_path)
    return TinyData(tmp_path)


@pytest.mark.slow
def test_weights_give_the_numbers_again_and_so_does_another_training(
    data: TinyData, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *data.arguments("detection_free/small")]) == 0
    assert main(["bundle", "run", "--weights"]) == 2
    about = Path("run/about.yaml")
    text = about.read_text().replace("authors: []", "authors: [A]").replace("pretraining:", "pretraining: none")
    about.write_text(text.replace("licence:", "licence: CC0-1.0"))
    assert main(["bundle", "run", "--weights"]) == 0
    capsys.readouterr()
    arguments = ["data=data.yaml", "zoo=zoo", "device=cpu"]
    assert main(["add", "submissions", *arguments]) == 0
    (placed,) = Path("zoo/submissions/tiny@1").glob("*/0")
    assert load_submission(placed).tier is Tier.RECOMPUTED
    assert main(["validate", str(placed), *arguments, "--repredict"]) == 0
    assert ": valid, re-predicted, largest difference 0.0e+00" in capsys.readouterr().out
    assert load_submission(placed).tier is Tier.REPREDICTED
    assert main(["validate", str(placed), *arguments, "retrained=run"]) == 0
    assert load_submission(placed).tier is Tier.RETRAINED

    # The weights of another training are none of this submission's.
    (weights,) = (placed / "weights").iterdir()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    Path("other.safetensors").write_bytes(bytes(content))
    assert main(["validate", str(placed), *arguments, "--repredict", "weights=other.safetensors"]) == 1
    assert "is none of the weights of the submission" in capsys.readouterr().out

    # Numbers that do not follow from the weights, although they follow from the predictions.
    content[-len(content) // 2 :] = bytes(len(content[-len(content) // 2 :]))
    weights.write_bytes(bytes(content))
    described = json.loads((placed / "submission.json").read_text())
    described["weights"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    (placed / "submission.json").write_text(json.dumps(described))
    (placed / "verification.json").unlink()
    assert main(["validate", str(placed), *arguments]) == 0
    capsys.readouterr()
    assert main(["validate", str(placed), *arguments, "--repredict"]) == 1
    assert "metrics.json: groups.all.gt_box_miou.class_mean: is 0." in capsys.readouterr().out
