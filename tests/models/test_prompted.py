"""Box-prompted segmenters: what reaches them, what becomes of their masks, and what is refused."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.prompted import FullBoxes, PromptOnBoxes

SIZE = (20, 30)
BOXES = torch.tensor([[2.0, 3.0, 9.0, 11.0], [0.4, 0.6, 30.0, 20.0]])


class Stub:
    """A segmenter that answers what it is told to, and remembers what it was asked."""

    extra_masks: str | None = "everything"

    def __init__(self, answer: Any = None, weights: str | None = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []
        if weights is not None:
            self.weights = weights

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Sequence[Any]:
        self.asked.append((image, boxes))
        return self.answer


@pytest.fixture(autouse=True)
def stub_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``stubs.Stub`` a name that a config can give."""
    module = ModuleType("stubs")
    vars(module).update(Stub=Stub, NoSegmenter=dict)
    monkeypatch.setitem(sys.modules, "stubs", module)


def model(**segmenter: Any) -> PromptOnBoxes:
    built: PromptOnBoxes = MODELS.build({"type": "PromptOnBoxes", "segmenter": {"type": "stubs.Stub", **segmenter}})
    return built


def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def masks() -> NDArray[np.bool_]:
    return np.random.default_rng(1).random((2, *SIZE)) > 0.5


def ask(built: PromptOnBoxes, boxes: torch.Tensor = BOXES) -> list[Any]:
    return built.masks_on_boxes((), [SimpleNamespace(original_image=image())], [boxes])[0]


def reference(mask: NDArray[np.bool_]) -> str:
    return str(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode())


@pytest.mark.parametrize("form", [np.asarray, torch.from_numpy, list])
def test_masks_are_encoded_whole(form: Any) -> None:
    built = model(answer=form(masks()))
    assert ask(built) == [reference(mask) for mask in masks()]
    ((seen, boxes),) = built.prompting.segmenter.asked
    assert np.array_equal(seen, image())
    assert boxes.dtype == np.float64
    assert np.array_equal(boxes, BOXES.numpy())


def test_run_lengths_and_futures_pass_as_they_are() -> None:
    later: Future[str] = Future()
    assert ask(model(answer=["abc", later])) == ["abc", later]


def test_nothing_is_asked_for_no_boxes() -> None:
    built = model(answer=[])
    assert ask(built, torch.zeros(0, 4)) == []
    assert not built.prompting.segmenter.asked


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "Stub returned NoneType, not a mask for each box"),
        (masks()[:1], "Stub returned 1 masks for 2 boxes"),
        (masks().astype(np.float32), r"a mask of float32 \(20, 30\), not of bool \(20, 30\)"),
        (masks()[:, :10], r"a mask of bool \(10, 30\)"),
    ],
)
def test_answers_that_are_no_masks(answer: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(model(answer=answer))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "stubs.NoSegmenter"}, "dict is no box-prompted segmenter; give it extra_masks and segment"),
        ({"type": "stubs.Stubb"}, r"there is no segmenter 'stubs\.Stubb'; give mm\.model\.segmenter\.type=module"),
        ({"type": "Mine"}, "there is no segmenter 'Mine'"),
        ({"type": "stubs.Stub", "answr": 1}, r"stubs\.Stub cannot be made: .*'answr'; give its arguments as \+mm\."),
    ],
)
def test_what_is_no_segmenter_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MODELS.build({"type": "PromptOnBoxes", "segmenter": config})


def test_the_weights_of_a_run_stay_the_same(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"first")
    state = model(weights=str(file)).state_dict()
    assert bytes(state["prompting.weights_sha256"].tolist()) == hashlib.sha256(b"first").digest()
    model(weights=str(file)).load_state_dict(state)
    file.write_bytes(b"second")
    with pytest.raises(UserError, match="the segmenter's weights are another file now"):
        model(weights=str(file)).load_state_dict(state)
    with pytest.raises(UserError, match="no such file; give the segmenter's weights"):
        model(weights=str(tmp_path / "none"))


def test_full_boxes_are_those_of_pixel_centres() -> None:
    found = FullBoxes().segment(image(), BOXES.numpy().astype(np.float64))
    expected = np.zeros((2, *SIZE), np.bool_)
    expected[0, 3:11, 2:9] = True
    expected[1, 1:20, 0:30] = True  # 0.6 is above the centre of the first row, 0.4 left of that of the first column
    assert np.array_equal(np.stack(found), expected)
