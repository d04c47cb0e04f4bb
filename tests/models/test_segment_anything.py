"""The adapter of Segment Anything, with the package itself and a network of its parts that is tiny and untrained."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401
from psis_bench.models.segment_anything import SegmentAnything

package = pytest.importorskip("segment_anything")

BOXES = np.array([[3.0, 4.0, 30.0, 40.0], [0.0, 0.0, 50.0, 48.0], [20.5, 10.25, 44.0, 30.0]])


def tiny_sam(checkpoint: None = None) -> Any:
    """Return SAM with an image encoder of one layer."""
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    encoder = ImageEncoderViT(
        depth=1, embed_dim=16, num_heads=2, img_size=1024, patch_size=16, out_chans=32, window_size=14, norm_layer=norm
    )
    prompts = PromptEncoder(embed_dim=32, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=4)
    transformer = TwoWayTransformer(depth=1, embedding_dim=32, mlp_dim=32, num_heads=2)
    decoder = MaskDecoder(num_multimask_outputs=3, transformer=transformer, transformer_dim=32)
    return Sam(image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder)


@pytest.fixture(autouse=True)
def tiny_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(package.sam_model_registry, "tiny", tiny_sam)


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 50, 3)).astype(np.uint8)


def test_masks_are_those_of_the_package_box_by_box(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sam = tiny_sam().eval()
    torch.save(sam.state_dict(), tmp_path / "w.pth")
    save_file(sam.state_dict(), tmp_path / "w.safetensors")
    predictor = package.SamPredictor(sam)
    predictor.set_image(image())
    expected = [predictor.predict(box=box, multimask_output=False)[0][0] for box in BOXES]
    assert 0 < np.mean(expected) < 1
    for name in ("w.pth", "w.safetensors"):
        adapter = SegmentAnything(variant="tiny", weights=str(tmp_path / name), boxes_at_once=2)
        found = adapter.segment(image(), BOXES)
        assert [mask.shape for mask in found] == [(48, 50)] * 3
        assert all(np.array_equal(mask, other) for mask, other in zip(found, expected, strict=True))


class Payload:
    def __reduce__(self) -> Any:
        return Path("ran").touch, ()


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"a": Payload()}))
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"no weights of Segment Anything are given; add mm\.model\.segmenter\.weights"):
        SegmentAnything(variant="tiny", weights=None)
    for name, message in (
        ("code.pth", "not a readable checkpoint"),
        ("none.pth", "no such checkpoint"),
        ("other.pth", "are no weights of Segment Anything's tiny"),
    ):
        with pytest.raises(UserError, match=message):
            SegmentAnything(variant="tiny", weights=str(tmp_path / name)).segment(image(), BOXES)
    with pytest.raises(UserError, match="no variant 'vit_x'; did you mean"):
        SegmentAnything(variant="vit_x", weights=str(tmp_path / "other.pth"))
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'psis_bench\[sam\]'"):
        SegmentAnything(variant="tiny", weights="w.pth")
