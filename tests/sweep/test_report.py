"""The page of a sweep: its numbers are those of the score files, holes stay holes, and texts are only texts."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sweep import FAILURE, SPLITS, make_sweep
from scipy import stats
from stub_job import score_of

from psis_bench.cli import main
from psis_bench.splits.categories import NON_VOC_NAMES
from psis_bench.sweep.report import matrices
from psis_bench.sweep.report.cells import LEVELS, colours, level, over_seeds, scale_of

from .conftest import StubSweeps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "a <i>sweep</i> & more"
    make_sweep(folder, SPLITS, "seed=0,1")
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    assert main(["report", str(folder)]) == 0
    return (folder / "report.html").read_text(encoding="utf-8")


def numbers(page: str, place: int = 1) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="matrix-{place}-numbers">(.*?)</script>', page, re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_intervals_over_seeds_are_students() -> None:
    scores = np.random.default_rng(0).random((3, 4, 5))
    scores[0, 0] = np.nan
    scores[1, 1, 1:] = np.nan
    scores[2, 2, 0] = np.nan
    found = over_seeds(scores)
    for place in np.ndindex(3, 4):
        values = scores[place][~np.isnan(scores[place])]
        assert found.known[place] == len(values)
        if len(values) < 2:
            assert np.isnan(found.low[place])
            continue
        low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
        np.testing.assert_allclose([found.mean[place], found.low[place], found.high[place]], [values.mean(), low, high])
    assert np.isnan(found.mean[0, 0])
    assert found.mean[1, 1] == scores[1, 1, 0]


def test_the_scale_has_round_ends_and_holes_have_no_colour() -> None:
    assert scale_of(np.array([[0.412, np.nan, 0.588]])) == pytest.approx((0.4, 0.6))
    assert scale_of(np.full((2, 2), np.nan)) == (0.0, 1.0)
    assert [level(value, (0.4, 0.6)) for value in (0.4, 0.6, 0.7, 0.1)] == [0, LEVELS - 1, LEVELS - 1, 0]
    assert level(float("nan"), (0.0, 1.0)) is None


def test_every_number_can_be_read_on_its_colour() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground, ink in colours():
        dark, bright = sorted((luminance(ground), {"#000": 0.0, "#fff": 1.0}[ink]))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_the_numbers_behind_the_cells_are_those_of_the_runs(folder: Path, page: str) -> None:
    data = numbers(page)
    assert data["sources"] == ["cat", "dining table", "dog"]
    assert data["targets"] == list(NON_VOC_NAMES)
    assert data["instances"] == [3] * 60
    jobs = {(job.config.split, job.config.seed): job.config for job in _jobs(folder)}

    def value(split: str, seed: int, target: str) -> float:
        return score_of(jobs[split, seed], target) / 2  # stub_job: GT-box mIoU is half of it

    miou, mask_ap = data["metrics"]
    assert [miou["name"], mask_ap["name"]] == ["GT-box mIoU", "mask AP"]
    both = [value("single_source/cat", seed, "zebra") for seed in (0, 1)]
    zebra = data["targets"].index("zebra")
    assert miou["mean"][0][zebra] == pytest.approx(np.mean(both), abs=1e-5)
    half = 12.7062 * abs(both[0] - both[1]) / 2  # t(0.975, 1)
    assert miou["high"][0][zebra] == pytest.approx(np.mean(both) + half, abs=1e-4)
    assert mask_ap["mean"][0][zebra] == pytest.approx(2 * np.mean(both), abs=2e-5)
    assert miou["count"][2] == [1] * 60, "dog, seed 1 failed"
    assert miou["low"][2][zebra] is None
    full = [value("fully_supervised", seed, "zebra") for seed in (0, 1)]
    assert miou["reference"][zebra] == pytest.approx(np.mean(full), abs=1e-5)
    assert data["jobs"][2] == "seed 0: done, seed 1: failed"
    assert "60 of 360 scores are missing" in page


def test_the_table_of_jobs_has_states_scores_and_links(folder: Path, page: str) -> None:
    rows = re.findall(r"<tr>\s*(<td>single_source.*?|<td>fully.*?)</tr>", page, re.DOTALL)
    assert len(rows) == 8
    done = [job for job in _jobs(folder) if (job.folder / "report.html").exists()]
    assert len(done) == 7
    for job in done:
        row = next(row for row in rows if job.id in row)
        assert f'href="jobs/{job.id}/report.html"' in row
        assert (folder / "jobs" / job.id / "report.html").is_file()
        assert f">{50 + 10 * job.config.seed}.0<" in row
    failed = next(row for row in rows if "state-failed" in row)
    assert "<a" not in failed, "a job without a report has no link"
    assert "\u2013" in failed


def test_texts_are_escaped_and_no_other_host_is_named(page: str) -> None:
    assert FAILURE not in page
    assert html.escape(FAILURE, quote=False) in page.replace("&#39;", "'")
    assert "<i>sweep</i>" not in page
    assert page.count("<script") == 2, "the numbers of the matrix, and our script"
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|@import|url\((?!#)", page)


def test_holes_stay_holes(tmp_path: Path) -> None:
    make_sweep(tmp_path / "sweep", SPLITS, "seed=0", undone=("single_source/cat", 0))
    assert main(["report", str(tmp_path / "sweep")]) == 0
    page = (tmp_path / "sweep" / "report.html").read_text()
    row = re.search(r'<tr data-r="0">.*?</tr>', page, re.DOTALL)
    assert row
    assert row[0].count('class="hole"></td>') == 60
    assert numbers(page)["metrics"][0]["mean"][0] == [None] * 60
    assert page.count('class="hole"') == 60, "no other row has one"


def test_each_model_has_a_matrix_of_its_own(tmp_path: Path) -> None:
    keys = ("split=single_source/cat,single_source/dog", "mask_head=resnet4,hourglass20")
    make_sweep(tmp_path, *keys, undone=("", 0))
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r"Transfer matrix <small>(.*?)</small>", page) == ["mask_head=resnet4", "mask_head=hourglass20"]
    assert numbers(page, 1)["sources"] == numbers(page, 2)["sources"] == ["cat", "dog"]


def test_a_sweep_over_settings_with_one_split_has_one_matrix_of_settings(tmp_path: Path) -> None:
    make_sweep(tmp_path, "split=voc2nonvoc", "mask_head=resnet4,hourglass20,conv4", "seed=0,1", undone=("", 0))
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    data = numbers(page)
    assert data["sources"] == ["mask_head=resnet4", "mask_head=hourglass20", "mask_head=conv4"]
    assert len(data["targets"]) == 60
    assert "matrix-2" not in page
    assert "How well each setting (row)" in page


def test_of_very_many_targets_those_with_most_instances_are_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrices, "MOST_CELLS", 3 * 7)
    assert main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert len(numbers(page)["targets"]) == 7
    assert "the 7 targets with the most instances; 53 are left out" in page


def test_without_any_score_there_is_a_page_of_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_sweep(tmp_path, "split=single_source/cat", undone=("single_source/cat", 0))
    assert main(["report", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "No matrix: " in page
    assert "no run is scored yet" in page
    assert "state-failed" in page


def test_a_sweep_ends_with_its_page(sweeps: StubSweeps) -> None:
    done = sweeps.run("split=single_source/cat,fully_supervised", "seed=13", "parallel=2")
    assert done.returncode == 1
    assert f"report  {sweeps.folder}/report.html" in done.stderr
    assert (sweeps.folder / "report.html").read_text().count('class="state state-failed"') == 2
    asked = sweeps.run("--dry-run")
    assert "report.html" not in asked.stderr


def test_a_setting_with_the_folder_of_a_sweep_is_a_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "seed=1"]) == 2
    assert "the page of a sweep takes no 'seed=1'; give its folder alone" in capsys.readouterr().err


def _jobs(folder: Path) -> list[Any]:
    from psis_bench.sweep.plan import plan_jobs

    return plan_jobs([SPLITS, "seed=0,1"], folder=folder)
