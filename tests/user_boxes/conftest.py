"""Pictures that a test draws for itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Return a function that writes a grey picture of a name, height and width, and returns its path."""

    def write(name: str = "a.png", height: int = 40, width: int = 60) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.arange(height * width * 3, dtype=np.uint64).reshape(height, width, 3) % 200
        assert cv2.imwrite(str(path), pixels.astype(np.uint8))
        return path

    return write
