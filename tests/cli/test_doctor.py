from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from psis_bench import doctor
from psis_bench.cli import main
from psis_bench.doctor import State, examine, owners_of

HEALTHY: dict[str, Any] = {
    "base": dict.fromkeys(doctor.BASE),
    "cv2": {"error": None},
    "hotcoco": {"error": None},
    "torch": {"version": "2.9", "torchvision": "0.24", "cuda": "13.0", "devices": ["H200"]},
    "mm": {"error": None, "ext_error": None},
}


def install(site: Path, name: str, version: str, *files: str) -> None:
    """Put a distribution into a folder, as pip would have."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with nothing but what a test installs into it."""
    site = tmp_path / "site"
    site.mkdir()
    for name in ("torch", *doctor.BASE):
        install(site, name, "1.0", f"{name}/__init__.py")

    def find_spec(name: str) -> Any:
        spec = namedtuple("Spec", "submodule_search_locations")
        return spec([str(site / name)]) if (site / name).is_dir() else None

    distributions = doctor.importlib.metadata.distributions
    monkeypatch.setattr(doctor.importlib.metadata, "distributions", lambda: distributions(path=[str(site)]))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", find_spec)
    return site


def found(subject: str, tmp_path: Path, **changes: Any) -> list[tuple[str, str, str]]:
    """Return state, text and cure of the findings about a subject."""
    findings = examine(folder=tmp_path, probe=lambda: HEALTHY | changes)
    return [(str(item.state), item.text, item.cure) for item in findings if item.subject == subject]


def install_mm(site: Path) -> None:
    install(site, "onedl-mmengine", "0.10.12", "mmengine/__init__.py")
    install(site, "onedl-mmcv", "2.3.6", "mmcv/__init__.py")
    install(site, "onedl-mmdetection", "3.5.1", "mmdet/__init__.py")
    install(site, "opencv-python-headless", "4.12", "cv2/__init__.py")
    install(site, "hotcoco", "1.3", "hotcoco/__init__.py")


def test_a_healthy_environment_has_no_problem(site: Path, tmp_path: Path):
    install_mm(site)
    findings = examine(folder=tmp_path, probe=lambda: HEALTHY)
    assert [item for item in findings if item.state is State.PROBLEM] == []
    assert found("mmcv", tmp_path) == [("ok", "onedl-mmcv 2.3.6", "")]
    assert found("mmcv ops", tmp_path) == [("ok", "not compiled: supplied from torchvision", "")]
    assert found("cuda", tmp_path) == [("ok", "13.0: H200", "")]


def test_a_mixed_installation_is_named(site: Path, tmp_path: Path):
    install_mm(site)
    install(site, "mmcv", "2.1.0", "mmcv/__init__.py", "mmcv/_ext.cpython-311-x86_64-linux-gnu.so")
    state, text, cure = found("mmcv", tmp_path)[0]
    assert state == "problem"
    assert text.startswith("mixed: mmcv 2.1.0 and onedl-mmcv 2.3.6 own the same folder")
    assert cure == "pip uninstall -y mmcv onedl-mmcv && pip install -e '.[train]'"
    assert found("mmcv ops", tmp_path) == [("ok", "compiled (_ext.cpython-311-x86_64-linux-gnu.so)", "")]


def test_an_original_is_a_problem(site: Path, tmp_path: Path):
    install(site, "mmdet", "3.3.0", "mmdet/__init__.py")
    assert found("mmdet", tmp_path)[0][:2] == (
        "problem",
        "mmdet 3.3.0 is not maintained and breaks with torch 2.6 and later",
    )


def test_files_that_are_gone(site: Path, tmp_path: Path):
    install_mm(site)
    (site / "mmcv" / "__init__.py").unlink()
    (site / "mmcv").rmdir()
    assert found("mmcv", tmp_path)[0][:2] == ("problem", "onedl-mmcv 2.3.6 is installed, but its files are gone")


def test_compiled_ops_of_another_torch(site: Path, tmp_path: Path):
    install_mm(site)
    (site / "mmcv" / "_ext.so").touch()
    state, text, cure = found("mmcv ops", tmp_path, mm={"error": None, "ext_error": "undefined symbol"})[0]
    assert (state, cure) == ("problem", f"rm {site}/mmcv/_ext.so")
    assert "undefined symbol" in text


def test_two_opencvs(site: Path, tmp_path: Path):
    install_mm(site)
    install(site, "opencv-python", "4.12", "cv2/cv2.so")
    assert found("opencv", tmp_path)[0][0] == "note"
    assert found("opencv", tmp_path, cv2={"error": "libGL.so.1"})[0][0] == "problem"
    install(site, "opencv-contrib-python", "4.9", "cv2/cv2.so")
    assert found("opencv", tmp_path)[0][0] == "problem"


def test_without_torch_scoring_works(site: Path, tmp_path: Path):
    (site / "torch" / "__init__.py").unlink()
    (site / "torch").rmdir()
    assert found("torch", tmp_path, torch={"error": "no torch"})[0][0] == "note"
    assert found("mmcv", tmp_path)[0][::2] == ("note", "pip install -e '.[train]'")


@pytest.mark.parametrize(
    ("subject", "changes"),
    [
        ("torch", {"torch": {"error": "libcudart.so: cannot open"}}),
        ("torchvision", {"torch": HEALTHY["torch"] | {"torchvision_error": "no operator nms"}}),
        ("mmdet", {"mm": {"error": "AssertionError: MMCV==2.3.6 is used"}}),
        ("pyarrow", {"base": HEALTHY["base"] | {"pyarrow": "ImportError"}}),
    ],
)
def test_what_cannot_be_imported(site: Path, tmp_path: Path, subject: str, changes: dict[str, Any]):
    install_mm(site)
    states = found(subject, tmp_path, **changes)
    assert any(state == "problem" and cure.startswith("pip ") for state, _, cure in states)


def test_a_probe_that_fails_is_a_finding(site: Path, tmp_path: Path):
    def broken() -> dict[str, Any]:
        raise RuntimeError("no processes left")

    findings = examine(folder=tmp_path, probe=broken)
    assert any("no processes left" in item.text for item in findings if item.subject == "torch")


def test_a_check_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_data", lambda: 1 / 0)
    findings = examine(folder=tmp_path, probe=lambda: HEALTHY)
    assert any(item.subject == "data" and "ZeroDivisionError" in item.text for item in findings)


def test_disk_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(10**9))
    monkeypatch.setenv("PSIS_BENCH_DATA", str(tmp_path / "gone"))
    assert found("disk of runs", tmp_path / "not" / "yet")[0][0] == "problem"
    assert found("data", tmp_path)[0][::2] == ("problem", "export PSIS_BENCH_DATA=/path/to/data")


def test_owners_are_read_from_files_not_from_names():
    assert [owner.name for owner in owners_of("pytest")] == ["pytest"]
    assert owners_of("no_such_module") == []


@pytest.mark.parametrize(("imported", "code"), [(HEALTHY, 0), (HEALTHY | {"cv2": {"error": "libGL"}}, 1)])
def test_exit_code_and_json(
    site: Path, imported: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    install_mm(site)
    monkeypatch.setattr("psis_bench.doctor_probe.probe", lambda: imported)
    assert main(["doctor", "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is (code == 0)
    assert {"subject", "state", "text", "cure"} == set(told["findings"][0])
    assert main(["doctor"]) == code
    assert capsys.readouterr().out.endswith("no problems found\n" if code == 0 else "1 problem found\n")


@pytest.mark.slow
def test_the_real_probe_answers_for_every_group():
    from psis_bench.doctor_probe import probe

    assert set(probe()) == {"base", "cv2", "hotcoco", "torch", "mm"}
