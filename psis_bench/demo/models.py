"""The models of the demo: chosen by a key, loaded when they are first asked for, one computation at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from psis_bench.demo.boxes import Box
from psis_bench.demo.masks import Masks
from psis_bench.demo.pictures import Picture
from psis_bench.errors import UserError
from psis_bench.splits.registry import get_split
from psis_bench.user_boxes.chosen_model import ChosenModel

if TYPE_CHECKING:
    from psis_bench.engine.picture_boxes import PictureSegmenter


class DemoModels:
    """Models that segment boxes of pictures.

    Args:
        chosen: At least one; their titles are shown.
    """

    def __init__(self, chosen: Sequence[ChosenModel]) -> None:
        self.chosen = {str(number): model for number, model in enumerate(chosen)}
        self._loaded: dict[str, PictureSegmenter] = {}
        # Requests are served by threads; torch has threads of its own.
        self._one_at_a_time = threading.Lock()

    @property
    def keys(self) -> list[str]:
        """What the page names the models by, in order."""
        return list(self.chosen)

    def title(self, key: str) -> str:
        """Return what people call a model."""
        return self._known(key).title

    def seen(self, key: str) -> frozenset[str] | None:
        """Return the classes whose masks a model has seen; None where its split is not one of this package."""
        try:
            return frozenset(get_split(self._known(key).config.split).seen)
        except UserError:
            return None

    def load(self, key: str) -> PictureSegmenter:
        """Return a model, loading it on first use.

        Raises:
            UserError: There is no such model, or its weights do not fit.
        """
        chosen = self._known(key)
        if key not in self._loaded:
            from psis_bench.engine.picture_boxes import PictureSegmenter

            self._loaded[key] = PictureSegmenter(chosen.config, chosen.weights)
        return self._loaded[key]

    def segment(self, key: str, picture: Picture, boxes: Sequence[Box]) -> Masks:
        """Return what a model says of boxes.

        Raises:
            UserError: There is no such model.
        """
        given = [(x, y, w, h) for x, y, w, h in (box["xywh"] for box in boxes)]
        with self._one_at_a_time:
            found = self.load(key).crops(picture.pixels, given)
        return Masks(crops=found.values, frames=found.frames, grid=found.grid)

    def made_by(self, key: str) -> dict[str, str | None]:
        """Return what is written into files beside the masks of a model."""
        with self._one_at_a_time:
            sha256 = self.load(key).sha256
        config = self._known(key).config
        return {"model": config.model, "mask_head": config.mask_head, "checkpoint_sha256": sha256}

    def _known(self, key: object) -> ChosenModel:
        if not isinstance(key, str) or key not in self.chosen:
            raise UserError("there is no such model", cure="choose one of the list")
        return self.chosen[key]
