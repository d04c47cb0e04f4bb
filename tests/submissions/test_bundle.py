"""Bundling: from a results file, a prediction folder and a run; and what the commands say."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from small_world import World, detection

from psis_bench.cli import main
from psis_bench.errors import UserError
from psis_bench.files import sha256_of_file, write_json, write_text
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.submissions.bundle import pack, source_of_run
from psis_bench.submissions.run_facts import literals_of
from psis_bench.submissions.schema import load_submission
from psis_bench.submissions.weights_header import read_weights_header


def test_a_results_file_of_other_software_becomes_a_submission(
    quick: World, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bundle", "results.json", "split=pets.yaml", "data=val.json"]
    assert main(arguments) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("psis-bench: error: results.about.yaml: was written for you; fill in what is empty")
    assert main(arguments) == 2
    assert "results.about.yaml: not filled in: model, title, backbone" in capsys.readouterr().err
    quick.bundle(predictions="results.json", out="elsewhere")  # writes about.yaml
    assert main([*arguments, "about=about.yaml", "--zip"]) == 2
    assert "submissions/pets@1/two_columns/0: there is a submission already; add --replace" in capsys.readouterr().err
    assert main([*arguments, "about=about.yaml", "--zip", "--replace"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder.name == "pets@1-two_columns-0.zip"
    assert main(["validate", str(folder), "data=val.json"]) == 0
    shown = capsys.readouterr().out
    assert "pets@1-two_columns-0.zip: valid, recomputed, largest difference 0.0e+00" in shown
    loaded = load_submission(quick.submission)
    assert loaded.submission.dataset.name == "val"
    assert (loaded.metrics.groups["seen"].mask.AP, loaded.metrics.groups["seen"].gt_box_miou) == (1.0, None)


def test_of_too_many_detections_those_are_kept_that_are_scored(quick: World) -> None:
    results = json.loads((quick.folder / "results.json").read_text())
    more = [{**results[0], "score": 0.001 * place} for place in range(150)]
    (quick.folder / "results.json").write_text(json.dumps([*more, *results]))
    folder = quick.bundle(predictions="results.json")
    rows = [records.column("score") for records in read_parts(folder / "predictions" / "detections", kind="detections")]
    assert sum(map(len, rows)) == 100 + 2
    assert min(map(min, rows)) == pytest.approx(0.001 * 52)
    assert not quick.check().problems


def test_masks_may_be_missing_and_files_may_be_empty(quick: World) -> None:
    results = json.loads((quick.folder / "results.json").read_text())
    for result in results:
        del result["segmentation"]
    (quick.folder / "results.json").write_text(json.dumps(results))
    quick.bundle(predictions="results.json")
    assert not quick.check().problems
    assert load_submission(quick.submission).metrics.groups["all"].mask is None
    (quick.folder / "results.json").write_text("[]")
    quick.bundle(predictions="results.json")
    assert not quick.check().problems


def test_what_a_person_wrote_wrong_is_named_and_nothing_is_left(quick: World) -> None:
    with pytest.raises(UserError, match=r"submission.json: licence: has HTML mark-up; write plain text"):
        quick.bundle(licence="<b>mine</b>", out="new")
    with pytest.raises(UserError, match=r"submission.json: authors\[0\]: must be a valid string"):
        quick.bundle(authors=[7], out="new")
    assert not list((quick.folder / "new").iterdir())


def run_of(world: World, *, seed: int = 0) -> Path:
    """A finished run whose predictions are those of the world."""
    from psis_bench.config import config_to_yaml, resolve_config

    (world.folder / "data.yaml").write_text("{name: Pets in YAML, val: {annotations: val.json, images: .}}")
    out = world.folder / f"run{seed}"
    config = resolve_config(
        [f"split={world.folder}/pets.yaml", f"data={world.folder}/data.yaml", f"out={out}", f"seed={seed}"]
    )
    write_text(out / "config.yaml", config_to_yaml(config))
    write_text(
        out / "mm_config.py", "model = dict(backbone=dict(type='ResNet', depth=18), x=(-1, 2))\nmask_head = 'conv4'\n"
    )
    write_text(out / "train_log.jsonl", '{"iteration": 1, "seconds": 1800.0}\n{"iteration": 2, "seconds": 5400.0}\n')
    tensor = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    mean = {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]}
    header = json.dumps({"__metadata__": {"a": "b"}, "w": tensor, "bn.running_mean": mean}).encode()
    (out / "checkpoints").mkdir()
    weights = len(header).to_bytes(8, "little") + header + bytes(27) + bytes([seed])
    (out / "checkpoints" / "final.safetensors").write_bytes(weights)
    (world.folder / "found").rename(out / "predictions") if seed == 0 else None
    if seed:
        import shutil

        shutil.copytree(world.folder / "run0" / "predictions", out / "predictions")
        rows = [detection(1, score=0.9 - 0.01 * seed), detection(2)]
        from psis_bench.scoring.inputs.records import write_part

        write_part(out / "predictions" / "detections", 0, rows, kind="detections")
    manifest = {"complete": True, "detection_free": False, "annotations_sha256": sha256_of_file(world.annotations)}
    write_json(out / "predictions" / "manifest.json", manifest)
    return out


def test_runs_of_one_row_become_its_submissions(quick: World, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run_of(quick, seed=seed) for seed in range(3)]
    arguments = ["bundle", *map(str, runs), "out=new", "--weights"]
    assert main(arguments) == 2
    about = runs[0] / "about.yaml"
    text = about.read_text()
    assert "backbone: ResNet-18\n" in text
    assert "mask_head: conv4\n" in text
    assert "hours: 1.5\n" in text
    assert "parameters: 6\n" in text  # the running mean is not learnt
    filled = text.replace("authors: []", "authors: [A]").replace("pretraining:", "pretraining: none")
    about.write_text(filled.replace("licence:", "licence: CC0-1.0"))
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    folders = [Path(folder) for folder in json.loads(capsys.readouterr().out)["submissions"]]
    assert [folder.name for folder in folders] == ["0", "1", "2"]
    for seed, folder in enumerate(folders):
        submission = load_submission(folder).submission
        assert (submission.training.seed, submission.training.seeds) == (seed, (0, 1, 2))
        assert submission.dataset.name == "pets_in_yaml"
        (weights,) = submission.weights
        assert sha256_of_file(folder / "weights" / weights.name) == weights.sha256
        assert weights.sha256[:8] in weights.name
        config = json.loads((folder / "config.json").read_text())
        assert config["mm"]["model"] == {"backbone": {"type": "ResNet", "depth": 18}, "x": [-1, 2]}
        assert str(quick.folder) not in (folder / "config.json").read_text()
    capsys.readouterr()
    assert main(["validate", "new", "data=val.json"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 submissions, 0 with problems"


def test_a_run_whose_data_changed_is_refused(quick: World) -> None:
    run = run_of(quick)
    quick.annotations.write_text(quick.annotations.read_text() + "\n")
    with pytest.raises(UserError, match="the predictions were made for other annotations"):
        source_of_run(run)
    (run / "predictions" / "manifest.json").unlink()
    with pytest.raises(UserError, match="the run has no predictions"):
        source_of_run(run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing is given to bundle"),
        (
            ["gone.json", "split=pets.yaml", "data=val.json"],
            "gone.json: no such run, results file or prediction folder",
        ),
        (["results.json", "data=val.json"], "no split is given"),
        (["results.json", "split=pets.yaml"], "no data set is given"),
        (["results.json", "found", "split=pets.yaml"], "several are given, and not all are runs"),
        (["results.json", "split=pets.yaml", "data=val.json", "seed=1"], "unknown key 'seed'"),
        (
            ["results.json", "split=pets.yaml", "data=val.json", "about=about.yaml", "seeds=x"],
            "seeds must be whole num",
        ),
    ],
)
def test_mistakes_are_one_line(
    quick: World, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    quick.bundle(out="elsewhere")
    assert main(["bundle", *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_an_archive_holds_the_files_and_nothing_of_this_machine(quick: World) -> None:
    with zipfile.ZipFile(pack(quick.submission)) as archive:
        names = archive.namelist()
    assert "predictions/gt_box_masks/part-00000.parquet" in names
    assert all(not name.startswith("/") and ".." not in name for name in names)


def test_a_configuration_that_is_more_than_literals_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    for text in ("import os", "a = open('x')", "a = [i for i in range(3)]", "dict(a=1)", "a.b = 1"):
        path.write_text(text)
        with pytest.raises(UserError, match="is no configuration of literals"):
            literals_of(path)
    path.write_text("a = {'b': (1, -2.5)}\nc = dict(d=None, e=[dict(f=True)])\n")
    expected: dict[str, Any] = {"a": {"b": [1, -2.5]}, "c": {"d": None, "e": [{"f": True}]}}
    assert literals_of(path) == expected


def test_a_header_of_weights_agrees_with_the_package(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    import numpy as np

    tensors = {"a": np.zeros((3, 4), np.float32), "b.running_var": np.ones(5, np.float64), "c": np.zeros((), np.int8)}
    safetensors.save_file(tensors, tmp_path / "a.safetensors")
    header = read_weights_header(tmp_path / "a.safetensors")
    assert (header.tensors, header.parameters) == (3, 13)
