"""Lists and patterns become jobs; a job's directory depends on what decides its results and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from psis_bench.config import flatten, resolve_config
from psis_bench.errors import UserError
from psis_bench.splits.categories import COCO_NAMES, VOC_NAMES
from psis_bench.sweep.plan import plan_jobs, read_axis, split_list


def ids(*arguments: str, folder: Path = Path("sweep")) -> list[str]:
    return [job.id for job in plan_jobs(arguments, folder=folder)]


def test_lists_and_patterns_are_combined_with_the_last_key_fastest(tmp_path: Path) -> None:
    jobs = plan_jobs(["split=single_source/*,voc2nonvoc", "mask_head=resnet4", "seed=0,1,2"], folder=tmp_path)
    assert len(jobs) == (80 + 1) * 3
    assert {job.config.split for job in jobs[:-3]} == {f"single_source/{name.replace(' ', '_')}" for name in COCO_NAMES}
    assert [(job.config.split, job.config.seed) for job in jobs[-3:]] == [("voc2nonvoc", seed) for seed in (0, 1, 2)]
    assert all(job.config.mask_head == "resnet4" for job in jobs)
    assert jobs[4].settings == {"split": jobs[4].config.split, "seed": 1}
    assert all(job.folder == tmp_path / "jobs" / job.id for job in jobs)


def test_each_job_is_what_the_same_keys_give_a_run(tmp_path: Path) -> None:
    axes = {
        "split": ("voc2nonvoc", "nonvoc2voc"),
        "model": ("detection_free/small", "deep_marc/small"),
        "mask_head": ("null", "resnet4"),
        "iterations": ("10", "20"),
        "mm.optim_wrapper.optimizer.lr": ("0.1", "1e-3"),
        "+mm.model.more": ("[1,2]", "{a: 1, b: 2}"),
    }
    jobs = plan_jobs([f"{key}={','.join(values)}" for key, values in axes.items()], folder=tmp_path / "sweep")
    assert len({job.id for job in jobs}) == 2 ** len(axes)
    typed = {"split": "split", "model": "model", "mask_head": "mask_head", "iterations": "iterations"}
    for job in jobs[::7]:
        flat = flatten(job.config)
        keys = [f"{key}={'null' if flat[key] is None else flat[key]}" for key in typed]
        keys += [f"mm.optim_wrapper.optimizer.lr={flat['mm.optim_wrapper.optimizer.lr']}"]
        more = flat["+mm.model.more"]
        keys += ["+mm.model.more=" + ("[1,2]" if isinstance(more, list) else "{a: 1, b: 2}")]
        assert resolve_config([*keys, f"out={job.folder}"]) == job.config


def test_the_directory_depends_on_results_alone() -> None:
    base = ids("split=voc2nonvoc", "seed=0,1")
    assert ids("seed=1,0", "split=voc2nonvoc") == base[::-1]
    assert ids("split=voc2nonvoc", "seed=0,1,1,2")[:2] == base
    assert ids("split=voc2nonvoc", "seed=0,1", "device=cpu", "workers=3", "threads=2", "data.root=x") == base
    assert ids("split=voc2nonvoc", "seed=0,1", folder=Path("other")) == base
    for change in ("iterations=5", "model=deep_marc/small", "mm.batch_size=4"):
        assert not set(ids("split=voc2nonvoc", "seed=0,1", change)) & set(base)


def test_patterns_follow_the_listing() -> None:
    assert read_axis("model=deep_marc/spinenet49*").values == ("deep_marc/spinenet49", "deep_marc/spinenet49s")
    assert read_axis("crop_source=*").values == ("gt", "proposals+gt")
    splits = read_axis("split=*2*,single_source/c*").values
    assert splits[:2] == ("voc2nonvoc", "nonvoc2voc")
    assert "single_source/cat" in splits
    assert "single_source/dog" not in splits
    assert len([name for name in VOC_NAMES if f"single_source/{name}" in splits]) == 5  # car, cat, chair, couch, cow


def test_patterns_of_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (tmp_path / name).touch()
    assert read_axis(f"split={tmp_path}/*.yaml").values == (str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("1,2", ["1", "2"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ("{a: 1, b: [2,3]}", ["{a: 1, b: [2,3]}"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        (",1,,2,", ["1", "2"]),
        ("]a,b", ["]a", "b"]),
    ],
)
def test_lists_are_split_outside_brackets_and_quotes(text: str, items: list[str]) -> None:
    assert split_list(text) == items


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["split=one_source/*"], "split=one_source/* matches nothing"),
        (["split=voc2nonvoc", "seed=*"], "seed takes no pattern; list its values, as in seed=0,1,2"),
        (["split=voc2nonvoc,voc2novoc"], "unknown split 'voc2novoc'; did you mean 'voc2nonvoc'"),
        (["split=voc2nonvoc", "model=deep_marc/small,deep_marc/medium"], "unknown model 'deep_marc/medium'"),
        (["split=voc2nonvoc", "seed=0,x"], "seed must be a whole number, not 'x'"),
        (["split=voc2nonvoc", "seeds=0,1"], "unknown key 'seeds'; did you mean 'seed'"),
        (["split=voc2nonvoc", "seed=0", "seed=1"], "seed is given twice; list its values once, as in seed=a,b"),
        (["split=voc2nonvoc", "overwrite=all"], "overwrite= has no meaning for a job of a sweep"),
        (["split=voc2nonvoc", "seed=,"], "seed has no value"),
        (["split=voc2nonvoc", "device=cpu,cuda"], "device does not tell jobs apart, so it takes one value"),
        (["voc2nonvoc"], "'voc2nonvoc' is not key=value"),
        (["seed=0,1"], "no split is given"),
        (["split=voc2nonvoc", "data=synthetic,coc"], "unknown data set 'coc'"),
    ],
)
def test_mistakes_are_told_before_anything_runs(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        plan_jobs(arguments, folder=tmp_path)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())
