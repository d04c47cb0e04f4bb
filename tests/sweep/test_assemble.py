"""Score files of runs become a matrix; what is missing, damaged or of another kind is told or stays a hole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from stub_job import score_of, write_scores

from psis_bench.config import config_to_yaml, resolve_config
from psis_bench.errors import UserError
from psis_bench.splits.categories import NON_VOC_NAMES
from psis_bench.sweep.assemble import assemble, choose_entries, find_entries
from psis_bench.sweep.plan import plan_jobs

SPLITS = "single_source/cat,single_source/dining_table,single_source/dog,fully_supervised"


def make_runs(folder: Path, *keys: str, score: bool = True) -> list[Path]:
    """Make the runs of a sweep with scores that depend on split, seed and class."""
    made = []
    for job in plan_jobs(keys, folder=folder):
        job.folder.mkdir(parents=True)
        (job.folder / "config.yaml").write_text(config_to_yaml(job.config))
        if score:
            write_scores(job.folder, job.config)
        made.append(job.folder)
    (folder / "sweep.json").write_text(json.dumps({"arguments": list(keys)}))
    return made


def score(split: str, seed: int, name: str) -> float:
    config = dataclasses.replace(resolve_config([f"split={split}"]), seed=seed)
    return score_of(config, name)


def test_each_cell_is_what_the_run_of_its_source_and_seed_scored(tmp_path: Path) -> None:
    make_runs(tmp_path, f"split={SPLITS}", "seed=2,1")
    matrix = assemble(find_entries([tmp_path]), metric="mask_AP")
    assert matrix.sources == ("cat", "dining table", "dog")
    assert matrix.targets == NON_VOC_NAMES
    assert matrix.seeds == (1, 2)
    assert matrix.holes() == 0
    assert matrix.scores[1, 7, 0] == score("single_source/dining_table", 1, NON_VOC_NAMES[7])
    assert matrix.reference.shape == (60, 2)
    assert sorted(matrix.reference[5]) == sorted(score("fully_supervised", seed, NON_VOC_NAMES[5]) for seed in (1, 2))
    halves = assemble(find_entries([tmp_path]), metric="gt_box_miou")
    np.testing.assert_allclose(halves.scores, matrix.scores / 2)


def test_sources_and_targets_can_be_chosen(tmp_path: Path) -> None:
    make_runs(tmp_path, f"split={SPLITS}", "seed=0")
    entries = find_entries([tmp_path])
    matrix = assemble(
        entries, metric="mask_AP", sources=["dog", "dining_table"], targets=["zebra", "dog", "hair_drier"]
    )
    assert matrix.sources == ("dog", "dining table")
    assert matrix.targets == ("zebra", "dog", "hair drier")
    np.testing.assert_array_equal(matrix.seen, [[False, True, False], [False, False, False]])
    assert np.isnan(matrix.scores[1, 1, 0]), "the runs of the dining table say nothing about dogs here"
    with pytest.raises(UserError, match="there is no source 'dogs' in the runs; did you mean 'dog'"):
        assemble(entries, metric="mask_AP", sources=["dogs"])


def test_runs_that_are_not_done_are_holes(tmp_path: Path) -> None:
    folders = make_runs(tmp_path, f"split={SPLITS}", "seed=0,1")
    (folders[0] / "scores.json").unlink()  # cat, seed 0: not scored
    for path in (folders[3] / "config.yaml", folders[3] / "scores.json", folders[3] / "per_class.csv"):
        path.unlink()  # dining table, seed 1: planned, not begun
    matrix = assemble(find_entries([tmp_path]), metric="mask_AP")
    assert matrix.sources == ("cat", "dining table", "dog")
    empty = np.isnan(matrix.scores).all(axis=1)
    np.testing.assert_array_equal(empty, [[True, False], [False, True], [False, False]])
    assert matrix.holes() == 2 * 60


def test_nothing_scored_is_told(tmp_path: Path) -> None:
    make_runs(tmp_path, f"split={SPLITS}", score=False)
    with pytest.raises(UserError, match="no run is scored yet"):
        assemble(find_entries([tmp_path]), metric="mask_AP")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no run is there"):
        find_entries([tmp_path / "empty"])


def test_runs_of_two_models_have_to_be_told_apart(tmp_path: Path) -> None:
    make_runs(tmp_path, "split=single_source/cat", "mask_head=resnet4,hourglass20")
    entries = find_entries([tmp_path])
    with pytest.raises(UserError, match="differ in mask_head; choose one, as in mask_head="):
        assemble(entries, metric="mask_AP")
    chosen = choose_entries(entries, {"mask_head": "resnet4"})
    assert len(chosen) == 1
    assert assemble(chosen, metric="mask_AP").sources == ("cat",)
    with pytest.raises(UserError, match="no run has mask_head=resnet8; did you mean 'resnet4'"):
        choose_entries(entries, {"mask_head": "resnet8"})


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    first, second = make_runs(tmp_path, "split=single_source/cat,single_source/dog")
    (first / "probe.json").write_text("{}")
    with pytest.raises(UserError, match=f"{first} was made in probe mode, {second} was not"):
        assemble(find_entries([tmp_path]), metric="mask_AP")
    (second / "probe.json").write_text("{}")
    assert assemble(find_entries([tmp_path]), metric="mask_AP").protocol == "probe"
    for place, folder in enumerate((first, second)):
        content = json.loads((folder / "scores.json").read_text())
        (folder / "scores.json").write_text(json.dumps({**content, "dataset": {"annotations_sha256": str(place)}}))
    with pytest.raises(UserError, match="is scored with other annotations than"):
        assemble(find_entries([tmp_path]), metric="mask_AP")


def test_both_protocols_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    full, probe = make_runs(tmp_path, "split=single_source/cat", "iterations=2,4")
    (probe / "probe.json").write_text('{"note": "", "iterations": 30, "detections": false}')
    entries = find_entries([tmp_path])
    with pytest.raises(UserError, match="seed=0 differ in probe; choose one, as in probe=false"):
        assemble(entries, metric="mask_AP")
    for value, folder in (("false", full), ("true", probe)):
        assert [entry.folder for entry in choose_entries(entries, {"probe": value})] == [folder]
    assert choose_entries(entries, {"probe.iterations": "30", "probe.detections": "false"})[0].folder == probe


def test_a_run_of_an_earlier_version_stands_for_the_planned_one(tmp_path: Path) -> None:
    run = make_runs(tmp_path, "split=single_source/cat")[0]
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("teacher: null\n", ""))
    earlier = run.rename(run.with_name("0123456789abcdef"))
    assert [entry.folder for entry in find_entries([tmp_path])] == [earlier]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    folder = make_runs(tmp_path, "split=single_source/cat")[0]
    (folder / "per_class.csv").write_text("name,group\n")
    with pytest.raises(UserError, match=rf"{folder}/per_class\.csv: damaged"):
        assemble(find_entries([tmp_path]), metric="mask_AP")
    with pytest.raises(UserError, match="unknown metric 'mask_ap'; did you mean 'mask_AP'"):
        assemble(find_entries([tmp_path]), metric="mask_ap")
