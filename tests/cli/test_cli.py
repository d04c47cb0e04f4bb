from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from psis_bench import __version__
from psis_bench.cli import main
from psis_bench.commands.failures import as_user_error
from psis_bench.commands.help_texts import COMMANDS
from psis_bench.config import RunConfig, resolve_config
from psis_bench.errors import UserError

from .conftest import Workshop

_HEAVY = {"torch", "torchvision", "mmengine", "mmcv", "mmdet"}
_LIST_MODULES = """
import sys
from psis_bench.cli import main
try:
    code = main(sys.argv[1:])
finally:
    sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


def imported_by(*arguments: str, cwd: Path) -> set[str]:
    """Run a command in a process of its own and return the top-level modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *arguments], capture_output=True, text=True, check=True, cwd=cwd
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("what", ["splits", "models", "data", "recipes", "runs"])
def test_ls_imports_no_torch(what: str, tmp_path: Path):
    modules = imported_by("ls", what, cwd=tmp_path)
    assert "psis_bench" in modules
    assert not modules & _HEAVY


def test_help_imports_nothing_heavy(tmp_path: Path):
    modules = imported_by("--help", cwd=tmp_path)
    assert not modules & (_HEAVY | {"rich", "omegaconf", "yaml", "numpy", "pandas", "matplotlib"})


def test_alone_it_says_what_it_is(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    assert "psis-bench run split=voc2nonvoc" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"psis_bench {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples_that_it_understands(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert COMMANDS[command].examples
    for example in COMMANDS[command].examples:
        assert f"  {example}\n" in shown
        assert example.startswith(f"psis-bench {command}")
        keys = [word for word in example.split()[2:] if "=" in word]
        if command != "sweep" and any(key.startswith("split=") for key in keys):
            resolve_config(keys)
    assert max(len(line) for line in shown.splitlines()) <= 115


def test_every_key_is_in_the_help(capsys: pytest.CaptureFixture[str]):
    main(["run", "--help"])
    shown = capsys.readouterr().out
    for name in RunConfig.__dataclass_fields__:
        assert f"\n  {name}=" in shown or name == "mm"
    assert "\n  mm.PATH=VALUE" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rn"], "unknown command 'rn'; did you mean 'run'"),
        (
            ["split=voc2nonvoc"],
            "unknown command 'split=voc2nonvoc'; put a command before it, as in psis-bench run split=",
        ),
        (["--jsn"], "unknown option '--jsn'"),
        (["run", "--dryrun", "split=a"], "unknown option '--dryrun'; did you mean '--dry-run'?"),
        (["run"], "no split is given"),
        (["run", "split=vocnonvoc"], "unknown split 'vocnonvoc'; did you mean 'voc2nonvoc'"),
        (["run", "split=voc2nonvoc", "data=coc"], "unknown data set 'coc'; did you mean 'coco'?"),
        (["run", "split=voc2nonvoc", "data=/nowhere.yaml"], "/nowhere.yaml"),
        (["run", "/nowhere"], "/nowhere/config.yaml: no such file; give the folder of a run"),
        (
            ["score", "/"],
            "/: neither a run nor predictions are here; give the folder of a run (psis-bench ls runs), a COCO",
        ),
        (["score", "nixdir", "split=voc2nonvoc"], "nixdir: no such file or folder; give the folder of a run"),
        (["score", "split"], "'split' is not key=value; give a value, as in split=..."),
        (["score", "runs/a", "details=no"], "runs/a: no such file or folder"),
        (["score", "split=voc2nonvoc", "details=no"], "details must be true or false, not 'no'"),
        (["score", "split=voc2nonvoc", "details=false"], "the scores of a run always have their details"),
        (["score", "split=voc2nonvoc", "boundary=maybe"], "boundary must be true or false or null, not 'maybe'"),
        (["data", "make", "synthetic", "images=2", "images=3", "out=x"], "images= is given twice; give it once"),
        (["run", "voc2nonvoc"], "'voc2nonvoc' is not key=value; arguments look like split=voc2nonvoc"),
        (["ls"], "nothing to list is given; choose one of: splits, models, data, recipes, runs"),
        (["ls", "split"], "cannot list 'split'; did you mean 'splits'?"),
        (["ls", "splits", "more"], "ls splits takes no 'more'"),
        (["ls", "runs", "/nowhere"], "/nowhere: no such folder"),
        (["data"], "none of make, check and priors is given"),
        (["data", "makes"], "unknown command 'data makes'; did you mean 'make'?"),
        (["data", "make", "coco"], "cannot make data set 'coco'"),
        (["data", "make", "synthetic", "out=x"], "images is missing"),
        (["data", "make", "synthetic", "images=ten", "out=x"], "images must be a whole number, not 'ten'"),
        (["data", "make", "synthetic", "images=0", "out=x"], "images=0 is too small"),
        (["data", "make", "synthetic", "image=3", "out=x"], "unknown key 'image'; did you mean 'images'"),
        (["data", "check"], "no data set is given"),
        (["data", "check", "coc"], "unknown data set 'coc'"),
        (["doctor", "now"], "doctor takes no 'now'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("psis-bench: error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not list(tmp_path.iterdir())


def test_options_may_stand_between_keys(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    keys = workshop.keys
    assert main(["run", keys[0], "--dry-run", keys[1], "--json", keys[2], "+mm.x=1"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["mm"] == {"+x": 1}


def test_an_unwritable_place(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    (workshop.folder / "file").touch()
    assert main(["run", *workshop.keys[:2], "out=file/run"]) == 2
    assert "file/run: cannot write: Not a directory; choose another place" in capsys.readouterr().err


def test_a_defect_is_one_line_and_has_a_traceback_with_debug(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    def broken(run: object) -> None:
        raise ValueError("two\nlines")

    workshop.before["train"] = broken
    assert main(["train", *workshop.keys]) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("psis-bench: defect: ValueError: two lines (")
    assert "Traceback" not in told
    assert main(["train", *workshop.keys, "--debug"]) == 1
    assert "in broken" in capsys.readouterr().err


def test_debug_shows_where_a_mistake_was_found(capsys: pytest.CaptureFixture[str]):
    assert main(["run", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "/a/b: cannot write: No space left on device; free"),
        (OSError("[Errno 28] Error writing bytes to file. Detail: No space left on device"), "no space left on device"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), "no space left on device"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/a"),
            "/a: cannot write: Permission denied; choose a folder",
        ),
        (MemoryError(), "out of memory"),
    ],
)
def test_failures_of_the_machine_are_no_defects(error: Exception, message: str):
    found = as_user_error(error)
    assert found is not None
    assert message in str(found)
    wrapped = RuntimeError("in a worker")
    wrapped.__cause__ = error
    assert str(as_user_error(wrapped)) == str(found)


def test_other_failures_are_defects():
    assert as_user_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
    assert as_user_error(KeyError("x")) is None
    assert as_user_error(UserError("mine")) is not None


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path):
    command = f"{sys.executable} -m psis_bench.cli ls splits --all --json"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_behind_standard_output(tmp_path: Path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "psis_bench.cli", "ls", "splits", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("psis-bench: error: cannot write: No space left on device; free some disk space")
    assert done.stderr.count("\n") == 1


def test_ls_splits(capsys: pytest.CaptureFixture[str]):
    assert main(["ls", "splits", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["voc2nonvoc"]["seen"], rows["voc2nonvoc"]["unseen"]) == (20, 60)
    assert {"single_source/<class>", "random/<n>/<seed>"} <= set(rows)
    assert "single_source/bottle" not in rows
    assert main(["ls", "splits", "--all", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert sum(name.startswith("single_source/") for name in names) == 80


def test_ls_models_reads_descriptions_without_running_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for kind in ("models/family", "mask_heads", "schedules"):
        (tmp_path / kind).mkdir(parents=True)
    (tmp_path / "models" / "family" / "one.py").write_text('"""A model [of] mine.\n\nMore."""\nraise SystemExit(9)\n')
    (tmp_path / "models" / "family" / "_base.py").touch()
    (tmp_path / "mask_heads" / "broken.py").write_text("def")
    monkeypatch.setattr("psis_bench.config.configs_dir", lambda: tmp_path)
    assert main(["ls", "models"]) == 0
    shown = capsys.readouterr().out
    assert "family/one" in shown
    assert "A model [of] mine" in shown
    assert "_base" not in shown
    assert "(cannot be read)" in shown


def test_ls_runs(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    assert main(["ls", "runs"]) == 0
    assert "no runs yet" in capsys.readouterr().out
    for seed, command in ((0, "run"), (1, "train")):
        main([command, *workshop.keys[:2], f"seed={seed}"])
    damaged = workshop.folder / "runs" / "bad" / "config.yaml"
    damaged.parent.mkdir()
    damaged.write_text("{")
    capsys.readouterr()
    assert main(["ls", "runs", "--json"]) == 0
    first, second, third = sorted(json.loads(capsys.readouterr().out), key=lambda row: row["run"])
    assert first["train"] == "damaged"
    assert second["run"] == "split/detection_free-small-data-seed0"
    assert [second[stage] for stage in ("train", "predict", "score", "report")] == ["done"] * 4
    assert (second["mIoU_seen"], second["AP_seen"]) == (0.5, None)
    assert [third[stage] for stage in ("train", "predict", "score", "report")] == ["done", "-", "-", "-"]
    assert main(["ls", "runs", "runs/split"]) == 0
    shown = capsys.readouterr().out
    assert "complete" in shown
    assert "to predict" in shown
    assert "50.0" in shown


def test_data_make_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "set"
    arguments = [
        "data",
        "make",
        "synthetic",
        "images=2",
        "val_images=1",
        "size=160",
        "seed=3",
        f"out={out}",
        "workers=1",
    ]
    assert main([*arguments, "--dry-run"]) == 0
    assert not out.exists()
    assert main([*arguments, "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told[told.index("{") :])["data"] == f"{out}/dataset.yaml"
    assert main(["data", "check", str(out), "workers=1"]) == 0
    assert capsys.readouterr().out.endswith(": no faults\n")
    picture = next(path for path in sorted((out / "train").iterdir()))
    picture.write_bytes(picture.read_bytes()[:100])
    assert main(["data", "check", f"data={out}/dataset.yaml", "workers=1", "--json"]) == 1
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert len(faults) == 1
    assert picture.name in faults[0]["where"] + faults[0]["what"]


def test_the_installed_command_runs(tmp_path: Path):
    command = Path(sys.executable).with_name("psis-bench")
    if not command.exists():
        pytest.skip("the package is not installed")
    done = subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True, env=os.environ, cwd=tmp_path
    )
    assert done.stdout == f"psis_bench {__version__}\n"
