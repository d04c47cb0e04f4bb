"""Probe mode on a tiny set: what is cached is what the model computes, no head sees another source's masks."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from tiny_data import IDS, TinyData

from psis_bench.cli import main
from psis_bench.config import resolve_config
from psis_bench.engine import probe as engine
from psis_bench.engine.checkpoints import weights_sha256
from psis_bench.engine.image_list import ImageList
from psis_bench.errors import UserError
from psis_bench.models.deep_marc import DeepMarc
from psis_bench.run import RunDirectory
from psis_bench.scoring.inputs.records import read_parts
from psis_bench.sweep.assemble import assemble, find_entries
from psis_bench.sweep.probe_settings import ProbeSettings

SETTINGS = ProbeSettings(iterations=2, batch=2, detections=True)
SOURCES = ("person", "dog")


@pytest.fixture(scope="module", autouse=True)
def plain_config_text() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "pretty_text", property(lambda self: repr(self.to_dict())))
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyData:
    """A tiny set with a split for each of two sources."""
    tiny = TinyData(tmp_path_factory.mktemp("probe") / "tiny", images=4)
    for name in SOURCES:
        split = {"name": f"only_{name}", "seen": [name], "unseen": ["zebra", "kite"]}
        (tiny.folder / f"{name}.yaml").write_text(json.dumps(split))
    return tiny


def keys(tiny: TinyData, *more: str) -> list[str]:
    words = tiny.arguments("deep_marc/small", "mask_head=resnet4", *more, iterations=2)
    return [word for word in words if not word.startswith(("split=", "out="))]


@pytest.fixture(scope="module")
def sweep(tiny: TinyData) -> Path:
    """A sweep of two sources in probe mode, done."""
    splits = ",".join(str(tiny.folder / f"{name}.yaml") for name in SOURCES)
    folder = tiny.folder / "sweep"
    probe = ["probe=true", "probe.iterations=2", "probe.batch=2", "probe.detections=true"]
    assert main(["sweep", f"split={splits}", *keys(tiny), *probe, f"out={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def detector(sweep: Path) -> RunDirectory:
    """The run directory of the detector that the sweep has trained."""
    folder = next((sweep / "detectors").iterdir())
    run = RunDirectory.load(folder)
    return RunDirectory.of(dataclasses.replace(run.config, out=str(folder)))


def test_every_number_says_that_it_is_of_a_probe(sweep: Path) -> None:
    matrix = assemble(find_entries([sweep]), metric="gt_box_miou")
    assert matrix.protocol == "probe"
    assert set(matrix.sources) == set(SOURCES)
    assert matrix.targets == ("zebra", "kite") or set(matrix.targets) == {"zebra", "kite"}
    assert matrix.holes() == 0
    assert not np.isnan(assemble(find_entries([sweep]), metric="mask_AP").scores).any()
    for folder in (sweep / "jobs").iterdir():
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["protocol"] == "probe"
        assert scores["notes"][0].startswith("probe mode: ")
        assert json.loads((folder / "probe.json").read_text())["iterations"] == 2


def test_a_probe_stays_one_however_it_is_looked_at(
    sweep: Path, tiny: TinyData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job"
    shutil.copytree(next((sweep / "jobs").iterdir()), job)
    assert main(["score", str(job), "overwrite=score"]) == 0
    assert "probe mode" in capsys.readouterr().out
    scores = json.loads((job / "scores.json").read_text())
    assert scores["protocol"] == "probe"
    assert scores["notes"][0].startswith("probe mode: ")
    assert main(["ls", "runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["probe"] is True
    assert main(["report", str(job)]) == 0
    assert "Probe mode: a mask head on the frozen features" in (job / "report.html").read_text()
    for given in ([str(job)], [str(job / "predictions"), "split=voc2nonvoc", f"data={tiny.folder}/val.json"]):
        assert main(["bundle", *given, f"out={tmp_path}/submissions"]) == 2
        assert "these are of probe mode, another protocol" in capsys.readouterr().err


def test_what_is_done_is_not_done_again(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in sweep.rglob("*.parquet")}
    weights = next(sweep.glob("detectors/*/checkpoints/final.safetensors"))
    before = weights.stat().st_mtime_ns
    assert main(["sweep", f"out={sweep}"]) == 0
    assert "2 jobs: 2 done" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in sweep.rglob("*.parquet")} == stamps
    assert weights.stat().st_mtime_ns == before


def test_masks_are_those_of_the_whole_model_with_the_head_in_it(sweep: Path, detector: RunDirectory) -> None:
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    head = engine.train_head(probe, cache, [IDS["person"]], seed=0, settings=SETTINGS)
    whole: DeepMarc = MODELS.build(probe.config.model).eval()
    whole.load_state_dict(
        {**probe.detector.state_dict(), **{f"roi_head.mask_head.{k}": v for k, v in head.state_dict().items()}}
    )
    coco = engine.read_coco(detector.dataset.val.annotations)
    images = ImageList(coco.images, folder=detector.dataset.val.images, pipeline=probe.config.test_pipeline)
    person = next(f for f in (sweep / "jobs").iterdir() if "person.yaml" in (f / "config.yaml").read_text())
    written = {
        int(number): mask
        for records in read_parts(person / "predictions" / "gt_box_masks", kind="gt_box_masks")
        for number, mask in zip(records.column("annotation_id"), records.mask_strings(), strict=True)
    }
    for place, record in enumerate(coco.images):
        own = [a for a in coco.annotations if a["image_id"] == record["id"] and not a["iscrowd"]]
        boxes = torch.tensor([a["bbox"] for a in own], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        with torch.inference_mode():
            data = whole.data_preprocessor(engine.pseudo_collate([images[place]]), False)
            crops = whole.masks_on_boxes(whole.extract_feat(data["inputs"]), data["data_samples"], [boxes])[0]
        masks = [row["mask"] for row in engine_encoded(crops, boxes, record)]
        assert [written[a["id"]] for a in own] == masks


def engine_encoded(crops: torch.Tensor, boxes: torch.Tensor, record: dict[str, object]) -> list[dict[str, str]]:
    from psis_bench.engine.predict import encoded

    return list(encoded(crops, boxes, record, grid="cells"))


def test_a_head_depends_on_its_own_source_and_its_seed_alone(detector: RunDirectory) -> None:
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    own = cache.of([IDS["person"]])
    targets, crops = np.array(cache.targets), np.array(cache.crops)
    others = np.setdiff1d(np.arange(len(cache.categories)), own)
    targets[:, others], crops[:, others] = 0.5, 7.0
    garbage = dataclasses.replace(cache, targets=targets, crops=crops)

    def trained(given: engine.CropCache, name: str, seed: int) -> str:
        return weights_sha256(engine.train_head(probe, given, [IDS[name]], seed=seed, settings=SETTINGS).state_dict())

    first = trained(cache, "person", 0)
    assert trained(garbage, "person", 0) == first
    assert trained(cache, "dog", 0) != first
    assert trained(cache, "person", 0) == first, "also after other heads were trained"
    assert trained(cache, "person", 1) != first


def test_heads_trained_at_once_are_those_trained_alone(detector: RunDirectory) -> None:
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    settings = ProbeSettings(iterations=2, batch=2)
    sources = [[IDS[name]] for name in (*SOURCES, *SOURCES)]
    torch.set_num_threads(1)
    alone = [engine.train_head(probe, cache, source, seed=3, settings=settings) for source in sources[:2]]
    torch.set_num_threads(2)
    together = list(engine.train_heads(probe, cache, sources, seed=3, settings=settings))
    hashes = [weights_sha256(head.state_dict()) for head in together]
    assert hashes == 2 * [weights_sha256(head.state_dict()) for head in alone]
    assert hashes[0] != hashes[1]


def test_the_mirror_image_is_the_second_view(detector: RunDirectory) -> None:
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    assert cache.crops.shape[:2] == cache.targets.shape[:2] == (2, len(cache.categories))
    assert cache.crops.shape[-1] * 2 == cache.targets.shape[-1]
    mirrored = np.asarray(cache.targets[1, :, :, ::-1], dtype=float)
    assert np.abs(mirrored - np.asarray(cache.targets[0], dtype=float)).mean() < 0.02


def test_a_source_without_masks_and_a_model_without_a_detector_are_told(tiny: TinyData, detector: RunDirectory) -> None:
    probe = engine.train_detector(detector)
    cache = engine.cached_crops(probe, detector)
    with pytest.raises(UserError, match="no training instance of the source has a mask"):
        engine.train_head(probe, cache, [999], seed=0, settings=SETTINGS)
    config = resolve_config(tiny.arguments("detection_free/small", out="free"))
    with pytest.raises(UserError, match="probe=true needs a detector"):
        engine.whole_config(RunDirectory.of(config), ["a"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iteration": "3"}, "unknown key 'probe.iteration'; did you mean 'iterations'"),
        ({"batch": "0"}, "probe.batch must be a whole number of at least 1, not '0'"),
        ({"detections": "yes"}, "probe.detections must be true or false, not 'yes'"),
    ],
)
def test_settings_are_checked(values: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ProbeSettings.read(values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["launcher=slurm"], "probe=true is one process, so that launcher=slurm has no meaning; leave it out"),
        (["until=train"], "probe=true ends with scores, so that until=train has no meaning; leave it out"),
    ],
)
def test_what_a_probe_has_no_use_for_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "split=single_source/cat", "probe=true", *words, f"out={tmp_path}"]) == 2
    assert message in capsys.readouterr().err
