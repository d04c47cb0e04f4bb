"""Every way in which an image can be wrong is told in one line, from loading processes too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from psis_bench.engine.images import LoadCheckedImage, from_worker
from psis_bench.engine.predict import ImageList
from psis_bench.errors import UserError
from psis_bench.models import registered  # noqa: F401

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def truncate(share: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: path.unlink(), "no such image; restore the file, or correct the images folder"),
    "empty": (lambda path: path.write_bytes(b""), "the image cannot be decoded; restore the file"),
    "text": (lambda path: path.write_text("no image"), "the image cannot be decoded"),
    "cut early": (truncate(0.1), "the image cannot be decoded"),
    "cut in the middle": (truncate(0.5), "the image cannot be decoded"),
    "cut late": (truncate(0.97), "the image cannot be decoded"),
    "another size": (
        lambda path: cv2.imwrite(str(path), PIXELS[:, :50]),
        "the image has 50 x 40 pixels, its record says 60 x 40; correct width and height in the annotation file",
    ),
    "turned": (
        lambda path: cv2.imwrite(str(path), PIXELS.swapaxes(0, 1)),
        "has 40 x 60 pixels, its record says 60 x 40",
    ),
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, fault: str, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    cv2.imwrite(str(path), PIXELS)
    spoil, told = FAULTS[fault]
    spoil(path)
    with pytest.raises(UserError) as error:
        LoadCheckedImage().transform({"img_path": str(path), "height": 40, "width": 60})
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)


def test_a_sound_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "image.png"), PIXELS)
    loaded = LoadCheckedImage().transform({"img_path": str(tmp_path / "image.png"), "height": 40, "width": 60})
    assert np.array_equal(loaded["img"], PIXELS)
    assert loaded["ori_shape"] == loaded["img_shape"] == (40, 60)


def test_grey_images_get_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "image.jpg"), PIXELS[:, :, 0])
    loaded = LoadCheckedImage().transform({"img_path": str(tmp_path / "image.jpg"), "height": 40, "width": 60})
    assert loaded["img"].shape == (40, 60, 3)


@pytest.mark.parametrize("fault", ["missing", "cut in the middle", "another size"])
def test_a_loading_process_tells_the_same_line(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), PIXELS)
    spoil, told = FAULTS[fault]
    spoil(path)
    record = {"id": 1, "file_name": "image.jpg", "height": 40, "width": 60}
    images = ImageList([record], folder=tmp_path, pipeline=[{"type": "LoadCheckedImage"}])
    with pytest.raises(UserError) as direct:
        images[0]
    with pytest.raises(UserError) as error:
        next(iter(DataLoader(images, batch_size=None, num_workers=1)))
    assert "Traceback" in str(error.value)  # that of the process
    assert str(from_worker(error.value)) == str(direct.value)
    assert told in str(direct.value)
    assert str(from_worker(direct.value)) == str(direct.value)
