"""Figures 5a and 5b from score files: the numbers beside the pictures, and every way a request can be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stub_job import write_scores

from psis_bench.cli import main
from psis_bench.config import config_to_yaml
from psis_bench.sweep.assemble import assemble, find_entries
from psis_bench.sweep.matrix import read_matrix
from psis_bench.sweep.plan import plan_jobs

SPLITS = "split=single_source/cat,single_source/dining_table,single_source/dog,fully_supervised"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources and the run with all masks, two seeds; dog, seed 1 is not done."""
    folder = tmp_path_factory.mktemp("sweep")
    for job in plan_jobs([SPLITS, "seed=0,1"], folder=folder):
        job.folder.mkdir(parents=True)
        (job.folder / "config.yaml").write_text(config_to_yaml(job.config))
        if (job.config.split, job.config.seed) != ("single_source/dog", 1):
            write_scores(job.folder, job.config)
    (folder / "sweep.json").write_text(json.dumps({"arguments": [SPLITS, "seed=0,1"]}))
    return folder


def test_bars_are_sorted_means_with_students_interval(sweep: Path, tmp_path: Path) -> None:
    assert main(["plot", "figure5a", str(sweep), f"out={tmp_path}", "format=svg"]) == 0
    table = pd.read_csv(tmp_path / "figure5a.csv").set_index("source")
    scores = assemble(find_entries([sweep]), metric="mask_AP").scores
    means = {name: np.nanmean(np.nanmean(scores[place], axis=0)) for place, name in enumerate(("cat", "dining table"))}
    for name, mean in means.items():
        assert table.loc[name, "mean"] == pytest.approx(mean, abs=1e-12)
    values = np.nanmean(scores[0], axis=0)
    # t(0.975, 1) = 12.706; the standard error of two values is half their distance.
    assert table.loc["cat", "high"] - table.loc["cat", "mean"] == pytest.approx(
        12.7062 * abs(values[1] - values[0]) / 2, rel=1e-4
    )
    assert np.isnan(table.loc["dog", "low"]), "one run has no interval"
    assert list(table["mean"]) == sorted(table["mean"], reverse=True)
    picture = (tmp_path / "figure5a.svg").read_text()
    assert all(f">{name}</text>" in picture for name in table.index)


def test_the_heat_map_names_every_row_and_column(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", "figure5b", str(sweep), f"out={tmp_path}", "format=svg,png"]) == 0
    shown = capsys.readouterr().out
    matrix = read_matrix(tmp_path / "matrix.parquet")
    ratios = matrix.ratios()
    assert f"{(ratios > 1).sum()} above 1, drawn as 1" in shown
    assert "60 of 360 scores are missing and stay empty" in shown
    assert "average-linkage hierarchical clustering" in shown
    table = pd.read_csv(tmp_path / "figure5b.csv").set_index("source")
    assert set(table.pop("protocol")) == {"full"}
    assert table.to_numpy().max() > 1, "the file is not truncated"
    assert table.loc["cat", "zebra"] == pytest.approx(
        ratios[matrix.sources.index("cat"), matrix.targets.index("zebra")]
    )
    picture = (tmp_path / "figure5b.svg").read_text()
    assert all(f">{name}</text>" in picture for name in (*matrix.sources, *matrix.targets))
    assert (tmp_path / "figure5b.png").stat().st_size > 10_000


def test_groups_of_targets_and_a_matrix_that_was_written(sweep: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.yaml"
    groups.write_text("stripes: [zebra]\nfruit: [apple, orange, banana]\n")
    assert main(["plot", "figure5b", str(sweep), f"groups={groups}", f"out={tmp_path}/a", "order=given"]) == 0
    assert read_matrix(tmp_path / "a" / "matrix.parquet").targets == ("stripes", "fruit")
    again = ["plot", "figure5b", f"{tmp_path}/a/matrix.parquet", f"out={tmp_path}/b", "format=png", "--json"]
    assert main(again) == 0
    assert read_matrix(tmp_path / "b" / "matrix.parquet").sources == ("cat", "dining table", "dog")


def test_a_probe_says_so_in_every_file(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probe = tmp_path / "probe"
    shutil.copytree(sweep, probe)
    for folder in (probe / "jobs").iterdir():
        (folder / "probe.json").write_text("{}")
    for name in ("figure5a", "figure5b"):
        assert main(["plot", name, str(probe), f"out={tmp_path}", "format=svg"]) == 0
        shown = capsys.readouterr().out
        assert "probe mode: " in shown
        assert "paper" not in shown, "its number is of another protocol"
        assert set(pd.read_csv(tmp_path / f"{name}.csv")["protocol"]) == {"probe"}
        assert "mask AP (probe)" in (tmp_path / f"{name}.svg").read_text()
    assert set(pd.read_csv(tmp_path / "matrix.csv")["protocol"]) == {"probe"}
    assert main(["plot", "figure5b", str(probe), str(sweep)]) == 2
    assert "differ in probe; choose one, as in probe=true" in capsys.readouterr().err


def test_without_a_reference_scores_are_drawn(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "figure5b", str(sweep), "reference=none", f"out={tmp_path}", "format=png"]) == 0
    assert "there is no run with masks of all classes" in capsys.readouterr().out


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figure5"], "unknown plot 'figure5'; did you mean 'figure5"),
        (["out=x"], "unknown plot 'out=x'; name the plot first"),
        (["figure5a"], "figure5a is drawn from runs, and none is given"),
        (["figure5a", "nowhere"], "nowhere: no such file or folder"),
        (["figure5a", ".", "colour=red"], "figure5a has no key 'colour'"),
        (["figure5a", ".", "format=jpg"], "unknown format 'jpg'"),
        (["figure5a", "."], "no run is there"),
        (["figure5a", "SWEEP", "metric=ap"], "unknown metric 'ap'"),
        (["figure5b", "SWEEP", "order=cluster"], "unknown order 'cluster'; did you mean 'clustered'"),
        (["figure5b", "SWEEP", "groups=none.yaml"], "none.yaml: no such file"),
        (["figure5b", "SWEEP", "mask_head=resnet4"], "no run has mask_head=resnet4"),
        (["figure5b", "SWEEP", "probe=true"], "no run has probe=true; choose one of: false"),
        (["figure5b", "SWEEP", "metric=box_AP"], "no run has box AP; choose another, as in metric=gt_box_miou"),
        (["figure5a", "MATRIX", "metric=box_AP"], "a written matrix is drawn as it is, so that metric= has no meaning"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, sweep: Path, capsys: pytest.CaptureFixture[str], somewhere: Path
) -> None:
    if "MATRIX" in arguments:
        assert main(["plot", "figure5b", str(sweep), "out=.", "format=png"]) == 0
    words = {"SWEEP": str(sweep), "MATRIX": "matrix.parquet"}
    assert main(["plot", *(words.get(word, word) for word in arguments)]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


def test_alone_it_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert {"figure5a", "figure5b"} <= set(names)
    assert main(["plot"]) == 0
    assert all(name in capsys.readouterr().out for name in names[:1])
