"""The index of this checkout against its configurations, and metafiles that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from psis_bench.config_listing import config_names
from psis_bench.errors import UserError
from psis_bench.zoo.index import WEIGHTS_FILE, find_model, read_index
from psis_bench.zoo.metafiles import entry_name, put_entry, update_index
from psis_bench.zoo.weights import check_file

Put = Callable[..., dict[str, object]]
REPAIR = "run: psis-bench zoo index"


def test_every_configuration_has_an_entry_and_every_entry_a_configuration(repository: Path):
    models = read_index(repository)
    with_config = {model.config for model in models}
    wanted = {f"configs/models/{name}.py" for name in config_names("models")}
    assert wanted <= with_config, f"{sorted(wanted - with_config)} in no metafile; {REPAIR}"
    assert with_config <= wanted, f"{sorted(with_config - wanted)} are no files; {REPAIR}"
    names = {model.name for model in models}
    for name in config_names("models"):
        assert entry_name(*name.split("/", 1)) in names, f"{name} has no entry of its own; {REPAIR}"


def test_the_index_lists_the_metafiles_that_there_are(repository: Path):
    listed = yaml.safe_load((repository / "model-index.yml").read_text("utf-8"))["Import"]
    there = sorted(path.relative_to(repository).as_posix() for path in repository.glob("configs/models/*/metafile.yml"))
    assert listed == there, REPAIR


def test_every_entry_is_of_its_folders_family_and_names_what_there_is(repository: Path):
    from psis_bench.splits.registry import get_split

    heads = config_names("mask_heads")
    for model in read_index(repository):
        assert model.config.startswith(f"configs/models/{model.family}/"), model.name
        assert model.metadata.get("Mask Head", heads[0]) in heads, model.name
        if "Split" in model.metadata:
            name, _, version = str(model.metadata["Split"]).partition("@")
            assert get_split(name).version >= int(version), model.name
        assert (model.weights is None) == (model.sha256 is None)


def test_shipped_weights_are_what_their_entries_say_and_no_others_lie_there(repository: Path):
    shipped = {model.weights: model for model in read_index(repository) if model.is_shipped}
    for place, model in shipped.items():
        assert place is not None
        check_file(repository / place, sha256=model.sha256, size=model.size)
    folder = repository / "model_zoo" / "weights"
    others = [path.name for path in folder.iterdir() if path.name != "README.md"]
    assert sorted(f"model_zoo/weights/{name}" for name in others) == sorted(map(str, shipped))
    assert all(WEIGHTS_FILE.fullmatch(name) for name in others)


def test_values_are_none_that_openmmlabs_tools_refuse(repository: Path):
    """Its metafiles have no null and nothing empty."""

    def empty(value: object, place: str) -> list[str]:
        if isinstance(value, dict):
            return [fault for key, item in value.items() for fault in empty(item, f"{place}/{key}")]
        if isinstance(value, list):
            return [fault for index, item in enumerate(value) for fault in empty(item, f"{place}/{index}")]
        return [place] if value is None or value == "" else []

    for path in repository.glob("configs/models/*/metafile.yml"):
        assert empty(yaml.safe_load(path.read_text("utf-8")), path.parent.name) == []


def test_updating_an_index_that_is_up_to_date_changes_nothing(root: Path):
    before = {path: path.read_bytes() for path in root.rglob("*.yml")}
    assert update_index(root) == []
    assert {path: path.read_bytes() for path in root.rglob("*.yml")} == before


def test_a_new_configuration_gets_an_entry_and_a_removed_one_loses_it(root: Path, put: Put):
    put("kept_for_its_weights", Config="configs/models/detection_free/gone.py")
    models = root / "configs" / "models"
    (models / "new_family").mkdir()
    (models / "new_family" / "first.py").write_text('"""New."""\n', encoding="utf-8")
    (models / "new_family" / "_base.py").write_text('"""A base."""\n', encoding="utf-8")
    (models / "deep_marc" / "r18.py").unlink()
    assert update_index(root) == ["deep_marc_r18", "new_family_first"]
    names = [model.name for model in read_index(root)]
    assert "new_family_first" in names
    assert "deep_marc_r18" not in names
    assert "kept_for_its_weights" in names


def test_what_people_wrote_into_a_metafile_stays(root: Path):
    path = root / "configs" / "models" / "deep_marc" / "metafile.yml"
    text = path.read_text("utf-8")
    path.write_text(
        "# A note.\n" + text.replace("- Name: deep_marc\n", "- Name: deep_marc\n  Code: {Version: v1}\n"), "utf-8"
    )
    entry = {"Name": "another", "In Collection": "deep_marc", "Config": "configs/models/deep_marc/r50.py"}
    put_entry(root, "deep_marc", entry, replace=False)
    written = path.read_text("utf-8")
    assert written.startswith("# A note.\n")
    content = yaml.safe_load(written)
    assert content["Collections"][0]["Code"] == {"Version": "v1"}
    assert content["Collections"][0]["Paper"]["URL"].startswith("https://")
    assert content["Models"][-1] == entry
    with pytest.raises(UserError, match="there is a model 'another' already; choose another name="):
        put_entry(root, "deep_marc", entry, replace=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Name": "../evil"}, "'../evil' cannot be a name"),
        ({"Name": "deep_marc_r50"}, "two models are called 'deep_marc_r50'"),
        ({"In Collection": "detectionfree"}, "unknown collection 'detectionfree'; did you mean 'detection_free'"),
        ({"Config": "/etc/passwd"}, "'/etc/passwd' leads outside"),
        ({"Config": "configs/../../x.py"}, "leads outside"),
        ({"Weights": "../../x-00000000.safetensors"}, "leads outside"),
        ({"Weights": "model_zoo/weights/tiny.safetensors"}, "is not called <name>-<8 digits of its SHA-256>"),
        ({"Weights": "model_zoo/weights/tiny-00000000.pth"}, "is not called <name>-<8 digits of its SHA-256>"),
        ({"Weights": "http://example.org/x-00000000.safetensors"}, "is no https address"),
        ({"Weights": "file:///x-00000000.safetensors"}, "is no https address"),
        ({"Metadata": {"SHA256": "0" * 64, "Bytes": 3}}, "is not the hash that the name of the file begins with"),
        ({"Metadata": {}}, "SHA256: None is not text"),
        ({"Results": [{"Task": "x", "Dataset": "y", "Metrics": {"AP": 101}}]}, "101 is not a number from 0 to 100"),
        ({"Weight": "x"}, "unknown key 'Weight'; did you mean 'Weights'"),
    ],
)
def test_mistakes_in_a_metafile_are_named(root: Path, put: Put, changes: dict[str, object], message: str):
    put(**changes)
    with pytest.raises(UserError) as caught:
        read_index(root)
    assert message in str(caught.value)


def test_an_unknown_name_names_the_nearest(root: Path, put: Put):
    put("tiny_hourglass")
    with pytest.raises(UserError, match="no model 'tiny_hourglas' in the zoo; did you mean 'tiny_hourglass'"):
        find_model("tiny_hourglas", root)
