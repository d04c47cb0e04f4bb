"""The model zoo: adding, neighbours, tiers, and the answer to a submission."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_world import World, all_detections

from psis_bench.cli import main
from psis_bench.submissions import adding
from psis_bench.submissions.comparison import as_markdown, code_span
from psis_bench.submissions.repredicting import safe_config
from psis_bench.submissions.schema import Tier, load_submission
from psis_bench.submissions.validation import Report, read_parts, validate


def seeds(world: World, *numbers: int, model: str = "two_columns", listed: tuple[int, ...] = ()) -> list[Path]:
    """Bundle submissions that differ in their seed, and a little in their scores."""
    folders = []
    for seed in numbers:
        rows = all_detections()
        rows[0]["score"] = 0.9 - 0.01 * seed - (0.3 if model != "two_columns" else 0)
        from psis_bench.scoring.inputs.records import write_part

        write_part(world.folder / "found" / "detections", 0, rows, kind="detections")
        folders.append(world.bundle(out="new", model=model, seed=seed, seeds=list(listed or numbers)))
    return folders


def add(*paths: Path, options: tuple[str, ...] = ()) -> int:
    return main(["add", *map(str, paths), "data=val.json", "zoo=zoo", *options])


def test_a_row_is_added_with_all_its_seeds(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    folders = seeds(quick, 0, 1, 2)
    assert add(folders[0]) == 1
    shown = capsys.readouterr().out
    assert "submission.json: training.seeds: seed 1, 2 of this row is neither given nor in the model zoo" in shown
    assert not Path("zoo").exists()
    assert add(*folders) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "added zoo/submissions/pets@1/two_columns/2"
    for seed in range(3):
        loaded = load_submission(Path("zoo/submissions/pets@1/two_columns") / str(seed))
        assert loaded.tier is Tier.RECOMPUTED
        assert loaded.submission.training.seed == seed
    assert main(["validate", "zoo=zoo", "data=val.json"]) == 0
    assert not [path for path in Path("zoo").rglob("*") if path.name.startswith(".")]


def test_what_is_there_already_is_told(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = seeds(quick, 0)
    assert add(folder) == 0
    assert add(folder) == 0
    assert "note: is already there as zoo/submissions/pets@1/two_columns/0" in capsys.readouterr().out
    changed = quick.bundle(out="new", model="two_columns", title="Another title")
    assert add(changed) == 1
    assert "submission.json: model.name: is also zoo/submissions/pets@1/two_columns/0" in capsys.readouterr().out
    assert add(changed, options=("--replace",)) == 0
    assert load_submission(Path("zoo/submissions/pets@1/two_columns/0")).submission.model.title == "Another title"


def test_predictions_of_another_row_are_recognised(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0)) == 0
    copied = quick.bundle(out="new", model="copied")
    assert add(copied) == 1
    assert "predictions.files: are those of pets@1/two_columns/0, byte for byte" in capsys.readouterr().out


def test_seeds_of_one_row_are_of_one_model(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    folders = seeds(quick, 0, 1)
    content = json.loads((folders[1] / "submission.json").read_text())
    content["model"]["parameters"] = 7
    content["training"]["seeds"] = [1]
    (folders[1] / "submission.json").write_text(json.dumps(content))
    assert main(["validate", *map(str, folders), "data=val.json", "zoo=zoo"]) == 1
    shown = capsys.readouterr().out
    assert "submission.json: model: is not that of seed 1 of the same row" in shown
    assert "submission.json: training.seeds: seed 0 of this row is there but not listed" in shown


def test_a_submission_in_the_wrong_folder_is_told(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0)) == 0
    shutil.move("zoo/submissions/pets@1/two_columns", "zoo/submissions/pets@1/other")
    assert main(["validate", "data=val.json", "zoo=zoo"]) == 1
    assert "lies in pets@1/other/0, not in pets@1/two_columns/0" in capsys.readouterr().out


def test_only_what_another_zoo_does_not_hold_is_checked(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0)) == 0
    shutil.copytree("zoo", "base")
    capsys.readouterr()
    arguments = ["validate", "data=val.json", "zoo=zoo", "base=base", "--markdown"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "No submission is new or changed.\n"
    quick.write_rows("detections", all_detections()[:3])
    assert add(*seeds(quick, 0, model="another")) == 0
    record = Path("zoo/submissions/pets@1/two_columns/0/config.json")
    record.write_text("{}")
    capsys.readouterr()
    assert main(arguments) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if "valid" in line] == [
        "`zoo/submissions/pets@1/another/0`: valid, **recomputed**",
        "`zoo/submissions/pets@1/two_columns/0`: valid, **recomputed**",
    ]


def test_what_lies_beside_submissions_is_told(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0)) == 0
    Path("zoo/submissions/evil.py").touch()
    Path("zoo/submissions/pets@1/two_columns/1").symlink_to("/etc")
    Path("zoo/submissions/pets@1/empty\x1b").mkdir()
    capsys.readouterr()
    assert main(["validate", "data=val.json", "zoo=zoo"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:-1] == [
        "  pets@1/two_columns/1: is not the folder of a submission; leave it out; psis-bench add places submissions",
        "  'pets@1/empty\\x1b': is not the folder of a submission; leave it out; psis-bench add places submissions",
        "  evil.py: is not the folder of a submission; leave it out; psis-bench add places submissions",
    ]


def test_a_record_counts_for_the_very_files_alone(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0)) == 0
    folder = Path("zoo/submissions/pets@1/two_columns/0")
    content = json.loads((folder / "submission.json").read_text())
    content["authors"] = ["Somebody Else"]
    (folder / "submission.json").write_text(json.dumps(content))
    assert load_submission(folder).tier is Tier.REPORTED
    assert main(["validate", "data=val.json", "zoo=zoo"]) == 1
    assert "verification.json: is the record of other files than these" in capsys.readouterr().out


def test_a_tier_that_nobody_confirmed_is_noted_and_a_submitter_cannot_bring_one(
    quick: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = seeds(quick, 0)
    assert add(folder) == 0
    record = Path("zoo/submissions/pets@1/two_columns/0/verification.json")
    content = json.loads(record.read_text()) | {"tier": "retrained"}
    record.write_text(json.dumps(content))
    assert main(["validate", "data=val.json", "zoo=zoo"]) == 0
    assert "on record as retrained, by psis_bench" in capsys.readouterr().out
    assert add(folder) == 0  # the same files: what is on record stays
    assert json.loads(record.read_text())["tier"] == "retrained"
    shutil.copyfile(record, folder / "verification.json")
    shutil.rmtree("zoo")
    assert add(folder) == 0
    assert json.loads(record.read_text())["tier"] == "recomputed"


def test_a_check_that_found_more_raises_the_record(quick: World) -> None:
    assert add(*seeds(quick, 0)) == 0
    folder = Path("zoo/submissions/pets@1/two_columns/0")
    report = quick.check(folder)
    assert not adding.raise_tier(report)
    assert adding.raise_tier(dataclasses.replace(report, tier=Tier.REPREDICTED))
    assert load_submission(folder).tier is Tier.REPREDICTED
    assert not adding.raise_tier(report)
    assert load_submission(folder).tier is Tier.REPREDICTED


def test_large_predictions_stay_behind(
    quick: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "KEPT_BYTES", 100)
    assert add(*seeds(quick, 0)) == 2
    assert "are kept in the zoo; put them on the web and bundle again with predictions_url" in capsys.readouterr().err
    folder = quick.bundle(out="new", predictions_url="https://example.org/p.zip")
    assert add(folder) == 0
    placed = Path("zoo/submissions/pets@1/two_columns/0")
    assert not (placed / "predictions").exists()
    assert load_submission(placed).tier is Tier.RECOMPUTED
    assert main(["validate", "data=val.json", "zoo=zoo"]) == 0
    assert "not recomputed: the predictions are at https://example.org/p.zip" in capsys.readouterr().out
    assert main(["validate", str(placed), "data=val.json", "zoo=zoo", f"predictions={folder / 'predictions'}"]) == 0
    assert ": valid, recomputed" in capsys.readouterr().out


def test_the_answer_compares_with_the_rows_of_the_split(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(*seeds(quick, 0, 1)) == 0
    capsys.readouterr()
    paths = [str(path) for path in seeds(quick, 0, model="new_one")]
    assert main(["validate", *paths, "data=val.json", "zoo=zoo", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"`{paths[0]}`: valid, **recomputed**"
    assert "### `pets@1` on `val`" in lines or "### `pets@1` on `pets`" in lines
    head = next(line for line in lines if line.startswith("| model"))
    assert head.startswith("| model | seeds | tier | mask AP unseen | mask AP seen | box AP all | GT-box mIoU unseen")
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:5]] for line in lines if "| `" in line
    }
    assert rows == {"`new_one` **new**": ["1", "recomputed", "40.00"], "`two_columns`": ["2", "recomputed", "40.00"]}


def test_the_answer_shows_nothing_of_a_stranger_as_markup() -> None:
    assert code_span("`a` | @all ![x](y) \x1b") == "`'a' ¦ @all ![x](y)  `"
    from psis_bench.data.problems import Problem

    report = Report(path=Path("a`b"), problems=[Problem(where="x", what="`</details>` @team", cure="")] * 60)
    text = as_markdown([report], None)
    assert text.startswith("`a'b`: **60 problems**")
    assert "* `x: '</details>' @team`" in text
    assert "* and 10 more" in text
    assert text.count("@team") == 50


@pytest.mark.parametrize(
    ("run", "field"),
    [
        ({"model": "/etc/evil.py"}, "run.model"),
        ({"model": "os.system"}, "run.model"),
        ({"model": None}, "run.model"),
        ({"mask_head": "../../evil.py"}, "run.mask_head"),
        ({"crop_source": "curl"}, "run.crop_source"),
        ({"mm": {"model.backbone.type": "os.system"}}, "run.mm.'model.backbone.type'"),
        ({"mm": {"model.backbone.type": 1}}, "run.mm.'model.backbone.type'"),
        ({"mm": {"model.init_cfg.checkpoint": "http://x"}}, "run.mm.'model.init_cfg.checkpoint'"),
        ({"mm": {"+custom_imports": {"imports": ["evil"]}}}, "run.mm.'+custom_imports'"),
        ({"mm": {"a b": 1}}, "run.mm.'a b'"),
        ({"mm": {"a": ["x"]}}, "run.mm.'a'"),
        ({"mm": []}, None),
        ({"mm": {"model.test_cfg.score_thr": 0.1, "x": [1, 2.5], "y": True}}, None),
    ],
)
def test_settings_of_a_stranger_name_nothing_but_our_own(world: World, run: dict[str, Any], field: str | None) -> None:
    from psis_bench.errors import UserError

    said = {"model": "detection_free/small", "mask_head": "resnet4", "crop_source": None, "mm": {}} | run
    (world.submission / "config.json").write_text(json.dumps({"run": said, "mm": None}))
    parts = read_parts(world.submission, [])
    assert parts is not None
    if field is None:
        assert safe_config(parts).model == "detection_free/small"
        return
    with pytest.raises(UserError) as caught:
        safe_config(parts)
    assert caught.value.where is not None
    assert caught.value.where.endswith(f"config.json: {field}")


def test_predicting_again_needs_weights_and_settings_of_ours(quick: World) -> None:
    options = dataclasses.replace(quick.options, repredict=True)
    (report,) = validate([quick.submission], options)
    assert report.tier is Tier.REPORTED
    assert "config.json: is missing; only a run of this package can be re-predicted" in str(report.problems[0])
    said = {"model": "detection_free/small", "mask_head": None, "crop_source": None, "mm": {}}
    (quick.submission / "config.json").write_text(json.dumps({"run": said, "mm": None}))
    (report,) = validate([quick.submission], options)
    assert "the submission holds no weights; give them with weights=FILE" in str(report.problems[0])
