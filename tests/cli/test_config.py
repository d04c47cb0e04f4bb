from __future__ import annotations

from pathlib import Path

import pytest

from psis_bench.config import RunConfig, config_to_yaml, configs_dir, flatten, load_config, resolve_config
from psis_bench.errors import UserError


def test_defaults_and_types():
    config = resolve_config(["split=voc2nonvoc", "seed=3", "iterations=20", "data.root=/data"])
    assert (config.model, config.seed, config.iterations) == ("detection_free/small", 3, 20)
    assert (config.data.name, config.data.root) == ("synthetic", "/data")
    assert config.out == "runs/voc2nonvoc/detection_free-small-synthetic-seed3"


def test_data_is_short_for_its_name_and_null_unsets():
    config = resolve_config(["split=voc2nonvoc", "data=coco", "iterations=5", "iterations=null", "data.root=null"])
    assert (config.data.name, config.data.root, config.iterations) == ("coco", None, None)


def test_out_names_everything_that_was_chosen():
    config = resolve_config(["split=single_source/dining_table", "mask_head=resnet4", "data=/x/my set/dataset.yaml"])
    assert config.out == "runs/single_source-dining_table/detection_free-small-resnet4-my-set-seed0"


def test_a_text_is_taken_as_it_is():
    assert resolve_config(["split=a.yaml", "out=[1, 2"]).out == "[1, 2"
    assert resolve_config(["split=12"]).split == "12"


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.yaml").touch()
    (tmp_path / "mine.py").touch()
    config = resolve_config(["split=s.yaml", "data=./set", "model=mine.py"])
    assert config.split == str(tmp_path / "s.yaml")
    assert config.data.name == str(tmp_path / "set" / "dataset.yaml")
    assert config.model == str(tmp_path / "mine.py")
    assert config.out == "runs/s/mine-set-seed0"


def test_overrides_of_mmengine():
    config = resolve_config(["split=a", "mm.a.lr=1e-3", "+mm.b=[1, x]", "mm.c={d: true}", "mm.e=text", "mm.f=null"])
    assert config.mm == {"a.lr": 1e-3, "+b": [1, "x"], "c": {"d": True}, "e": "text", "f": None}
    assert flatten(config)["+mm.b"] == [1, "x"]


def test_a_base_is_kept_where_nothing_is_given():
    base = resolve_config(["split=a", "seed=5", "mm.x=1", "mm.y=2", "data=coco", "data.root=/d"])
    config = resolve_config(["+mm.x=3", "workers=2"], base=base)
    assert (config.seed, config.workers, config.data, config.out) == (5, 2, base.data, base.out)
    assert config.mm == {"y": 2, "+x": 3}


def test_yaml_and_back(tmp_path: Path):
    config = resolve_config(["split=a", "mm.a.b=1e-3", "+mm.c=[1, {d: null}]", "mask_head=resnet4"])
    (tmp_path / "config.yaml").write_text(config_to_yaml(config))
    assert load_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no split is given; add e.g. split=voc2nonvoc"),
        (["split=a", "sed=1"], "unknown key 'sed'; did you mean 'seed'?"),
        (["split=a", "data.rot=1"], "unknown key 'data.rot'; did you mean 'data.root'"),
        (["split=a", "seed.x=1"], "unknown key 'seed.x'; did you mean 'seed'"),
        (["split=a", "seed=abc"], "seed must be a whole number, not 'abc'"),
        (["split=a", "seed=1.5"], "seed must be a whole number, not '1.5'"),
        (["split=a", "seed="], "seed has no value"),
        (["split=a", "seed=null"], "seed must be a whole number, not null"),
        (["split=a", "iterations=ten"], "iterations must be a whole number or null, not 'ten'"),
        (["split=a", "data=null"], "data.name must be a text, not null"),
        (["split=a", "seed=-1"], "seed=-1 is too small"),
        (["split=a", "seed=4294967296"], "seed=4294967296 is too large"),
        (["split=a", "iterations=0"], "iterations=0 is too small"),
        (["split=a", "workers"], "'workers' is not key=value; give a value, as in workers=..."),
        (["split=a", "model=detection/small"], "unknown model 'detection/small'; did you mean"),
        (["split=a", "model=missing.py"], "missing.py: no such file"),
        (["split=a", "mask_head=hourglas20"], "unknown mask_head 'hourglas20'; did you mean 'hourglass20'"),
        (["split=a", "schedule=cpus"], "unknown schedule 'cpus'; did you mean 'cpu'?"),
        (["split=a", "box_jitter=0.1,2"], "box_jitter=0.1,2: '2' is not a share of a box's size; as in box_jitter=0.1"),
        (["split=a", "crop_source=proposals"], "unknown crop_source 'proposals'; did you mean 'proposals+gt'?"),
        (["split=a", "overwrite=trained"], "unknown overwrite 'trained'; did you mean 'train'?"),
        (["split=a", "device=cudda:1"], "unknown device 'cudda:1'; did you mean"),
        (["split=a", "mm=1"], "unknown key 'mm'; give a path"),
        (["split=a", "mm.=1"], "'mm.' is not a path"),
        (["split=a", "mm.a..b=1"], "'mm.a..b' is not a path"),
        (["split=a", "mm.a=[1"], "mm.a: cannot read the value '[1'"),
        (["split=a", "mm.a=.nan"], "mm.a: not a number"),
        (["split=a", "+seed=1"], "unknown key '+seed'; only mm.<path> takes a plus"),
        (["split=${oc.env:HOME}"], "'${' cannot be used in a value"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str):
    with pytest.raises(UserError) as error:
        resolve_config(arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "just text", "split: a\nsed: 1\n", "seed: 1\n", "split: [1]\n"])
def test_a_damaged_config_file_names_itself(tmp_path: Path, text: str):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: "):
        load_config(tmp_path / "config.yaml")


def test_every_config_can_be_chosen():
    from psis_bench.config_listing import config_files, config_names, list_configs

    assert RunConfig.model in config_names("models")
    for name in config_names("models"):
        assert configs_dir() / "models" / f"{name}.py" in config_files(name)
    for kind in ("models", "mask_heads", "schedules"):
        assert all(entry.description and not entry.description.startswith("(") for entry in list_configs(kind))


def test_fingerprint_sees_bases_and_not_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from psis_bench.config_listing import config_files, fingerprint

    for folder in ("models", "mask_heads", "schedules"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr("psis_bench.config.configs_dir", lambda: tmp_path)
    files = {
        "models/_base.py": "schedule = 'short'\ndepth = 18\n",
        "models/one.py": '"""One."""\n_base_ = ["_base.py"]\nmask_head = "thin"\n',
        "mask_heads/thin.py": "width = 8\n",
        "schedules/short.py": "max_iters = 5\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def now() -> str:
        return fingerprint(config_files("one"))

    first = now()
    assert [path.name for path in config_files("one")] == ["thin.py", "_base.py", "one.py", "short.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(f"# a comment\n{text}\n\n")
        assert now() == first, name
        (tmp_path / name).write_text(f"{text}more = 1\n")
        assert now() != first, name
        (tmp_path / name).write_text(text)
    (tmp_path / "models" / "one.py").write_text(files["models/one.py"].replace("One.", "Another description."))
    assert now() == first


def test_a_config_wins_over_its_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from psis_bench.config_listing import config_files, own_choice

    for folder in ("models", "mask_heads", "schedules"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr("psis_bench.config.configs_dir", lambda: tmp_path)
    files = {
        "models/a.py": 'schedule = "long"\nmask_head = "wide"\n',
        "models/b.py": '_base_ = "a.py"\nschedule = "short"\nmask_head = None\n',
        "schedules/short.py": "max_iters = 5\n",
        "schedules/long.py": "max_iters = 50\n",
        "mask_heads/wide.py": "width = 80\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert [own_choice(name, "schedules") for name in ("a", "b")] == ["long", "short"]
    assert [own_choice(name, "mask_heads") for name in ("a", "b")] == ["wide", None]
    assert [path.name for path in config_files("b")] == ["a.py", "b.py", "short.py"]
