"""Checkpoints: whole or not there, never a way to run code, and one hash for the same weights."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors
import torch
from torch import Tensor, nn

from psis_bench.engine import checkpoints
from psis_bench.engine.checkpoints import (
    ResumableCheckpoint,
    last_checkpoint,
    load_weights,
    save_weights,
    weights_sha256,
)
from psis_bench.errors import UserError


def fake_runner(iteration: int, *, weight: float = 1.0) -> Any:
    """Return what the checkpoint hook needs of MMEngine's Runner, before iteration ``iteration`` is counted."""
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, weight)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    dataset = SimpleNamespace(metainfo={"classes": ("a", "b")})
    return SimpleNamespace(
        model=model,
        optim_wrapper=optimizer,
        param_schedulers=[torch.optim.lr_scheduler.LinearLR(optimizer)],
        epoch=0,
        iter=iteration - 1,
        max_iters=10,
        seed=3,
        train_dataloader=SimpleNamespace(dataset=dataset),
        call_hook=lambda name, **arguments: None,
    )


class Code:
    """An object that runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.witness),)


def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "norm.count": torch.tensor(7),
        "half": torch.randn(3).bfloat16(),
        "none": torch.zeros(0, 5),
    }


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    told = str(error.value)
    assert "\n" not in told
    return told


def test_saves_at_intervals_and_at_the_end_and_keeps_the_last(tmp_path: Path) -> None:
    hook = ResumableCheckpoint(folder=tmp_path, interval=4)
    names = []
    for iteration in range(1, 11):
        hook.after_train_iter(fake_runner(iteration), 0)
        names.append(sorted(path.name for path in tmp_path.glob("*.pth")))
    assert [found for place, found in enumerate(names) if place == 0 or found != names[place - 1]] == [
        [],
        ["iter_4.pth"],
        ["iter_8.pth"],
        ["iter_10.pth"],
    ]
    last = last_checkpoint(tmp_path)
    assert last == (tmp_path / "iter_10.pth", 10)
    state = torch.load(last.path, weights_only=True)
    assert state["meta"]["iter"] == 10
    assert set(state) == {"meta", "state_dict", "optimizer", "param_schedulers", "message_hub"}


def test_no_checkpoint(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "not there") is None


def test_a_save_that_is_cut_short_leaves_the_previous_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = ResumableCheckpoint(folder=tmp_path, interval=1)
    hook.after_train_iter(fake_runner(1), 0)

    def dies(state: Any, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        hook.after_train_iter(fake_runner(2), 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["iter_1.pth", "last.json"]
    assert last_checkpoint(tmp_path) == (tmp_path / "iter_1.pth", 1)


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    hook = ResumableCheckpoint(folder=tmp_path, interval=1)
    with pytest.raises(UserError, match="weight is not finite after iteration 2; lower the learning rate"):
        hook.after_train_iter(fake_runner(2, weight=float("nan")), 0)
    assert not list(tmp_path.iterdir())


def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "it ran"
    evil = {"state_dict": {"weight": torch.zeros(1), "more": Code(witness)}, "meta": {}}
    path = tmp_path / "iter_5.pth"
    torch.save(evil, path)
    checkpoints.write_json(tmp_path / "last.json", {"iteration": 5, "file": "iter_5.pth"})
    for read in (lambda: last_checkpoint(tmp_path), lambda: load_weights(path)):
        with pytest.raises(UserError) as error:
            read()
        assert str(path) in one_line(error)
    for name in ("plain.pth", "final.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Code(witness), protocol=2))
        with pytest.raises(UserError, match=name):
            load_weights(tmp_path / name)
    assert not witness.exists()
    torch.load(path, weights_only=False)  # the witness is a real one
    assert witness.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99, 0.9999])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    hook = ResumableCheckpoint(folder=tmp_path, interval=1)
    hook.after_train_iter(fake_runner(5), 0)
    path = tmp_path / "iter_5.pth"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"damaged.*; delete .* to train from the start") as error:
        last_checkpoint(tmp_path)
    assert str(path) in one_line(error)
    final = tmp_path / "final.safetensors"
    save_weights(final, weights(), classes=["a"])
    whole = final.read_bytes()
    final.write_bytes(whole[: int(len(whole) * share)])
    for damaged in (path, final):
        with pytest.raises(UserError, match="not a readable checkpoint") as error:
            load_weights(damaged)
        assert str(damaged) in one_line(error)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"iteration": "x", "file": "a"}', '{"file": "iter_5.pth"}'])
def test_a_damaged_record_of_the_last_checkpoint(tmp_path: Path, text: str) -> None:
    (tmp_path / "last.json").write_text(text)
    with pytest.raises(UserError, match=r"last\.json: the record of the last checkpoint is damaged; delete"):
        last_checkpoint(tmp_path)


def test_a_checkpoint_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "last.json").write_text(json.dumps({"iteration": 3, "file": "iter_3.pth"}))
    with pytest.raises(UserError, match=r"iter_3\.pth: the checkpoint named by last\.json is missing"):
        last_checkpoint(tmp_path)
    with pytest.raises(UserError, match="no such checkpoint; train first"):
        load_weights(tmp_path / "final.safetensors")


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    for content in ([1, 2], {"state_dict": [1]}, {"weight": 3}, torch.zeros(3)):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(UserError, match="the file holds no weights"):
            load_weights(tmp_path / "x.pth")


def test_weights_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "final.safetensors"
    save_weights(path, weights(), classes=["tennis racket", "kite"])
    found = load_weights(path)
    assert found.classes == ("tennis racket", "kite")
    assert set(found.tensors) == set(weights())
    for name, value in weights().items():
        assert found.tensors[name].dtype == value.dtype
        assert torch.equal(found.tensors[name], value)
    assert weights_sha256(found.tensors) == weights_sha256(weights())
    assert [path.name for path in path.parent.iterdir()] == ["final.safetensors"]


def test_weights_of_pth_files(tmp_path: Path) -> None:
    for content in (weights(), {"state_dict": weights(), "meta": {"iter": 3}}):
        torch.save(content, tmp_path / "x.pth")
        assert weights_sha256(load_weights(tmp_path / "x.pth").tensors) == weights_sha256(weights())


def test_equal_weights_make_equal_files(tmp_path: Path) -> None:
    files = set()
    for place in range(8):
        path = tmp_path / f"{place}.safetensors"
        shuffled = dict(reversed(weights().items())) if place % 2 else weights()
        save_weights(path, shuffled, classes=["a", "b"])
        files.add(path.read_bytes())
    assert len(files) == 1


def test_the_hash_is_of_names_shapes_types_and_values() -> None:
    plain = {"a": torch.arange(6.0), "b": torch.zeros(2)}
    assert weights_sha256(plain) == weights_sha256({"b": torch.zeros(2), "a": torch.arange(6.0)})
    assert weights_sha256({"a": torch.arange(6.0).reshape(2, 3).T}) == weights_sha256(
        {"a": torch.arange(6.0).reshape(2, 3).T.contiguous()}
    )
    others = [
        {"a": torch.arange(6.0), "c": torch.zeros(2)},
        {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2)},
        {"a": torch.arange(6.0).double(), "b": torch.zeros(2)},
        {"a": torch.arange(6.0), "b": torch.tensor([0.0, -0.0])},
        {"a": torch.arange(6.0)},
    ]
    assert len({weights_sha256(other) for other in [plain, *others]}) == 6


@pytest.mark.parametrize(("text", "told"), [("No space left on device (os error 28)", "free some disk"), ("x", "x")])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise safetensors.SafetensorError(f"Error while serializing: I/O error: {text}")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(UserError, match=told) as error:
        save_weights(tmp_path / "final.safetensors", weights(), classes=["a"])
    assert "final.safetensors: cannot write" in one_line(error)
    assert not list(tmp_path.iterdir())
