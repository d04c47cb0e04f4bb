"""Pictures on the pages of submissions: good, median and bad masks of unseen classes, where the images may be shown.

Only when asked for, with a data set whose images one may publish: the images of COCO have many owners. Predictions are
opened only of submissions that a check has passed, and only files that have the hashes that were checked.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from psis_bench.errors import UserError
from psis_bench.files import atomic_path, sha256_of_file
from psis_bench.leaderboard.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from psis_bench.data.coco_format import CocoFile
    from psis_bench.data.dataset_config import DatasetConfig
    from psis_bench.report.pictures import Tile
    from psis_bench.splits.protocol import SplitProtocol
    from psis_bench.submissions.schema import Submission

_MASKS: Final = "gt_box_masks"


class Picture(NamedTuple):
    """One tile: its address from the page of the row, its class, the IoU of its mask, and its place in the order."""

    file: str
    name: str
    iou: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Draws the pictures of submissions that were scored on one data set.

    Attributes:
        dataset: Its validation images are drawn.
    """

    dataset: DatasetConfig

    def draw(self, row: Row, out: Path) -> tuple[Picture, ...]:
        """Write the pictures of a row beside its page; of several seeds the first.

        Args:
            row: Any row; only checked submissions on the very annotations of this data set have pictures.
            out: Root of the site.

        Returns:
            In the order of the page, good ones first; empty when there are none.

        Raises:
            UserError: The annotations of the data set cannot be read.
        """
        from psis_bench.report.pictures import build_galleries
        from psis_bench.submissions.consistency import protocol_of
        from psis_bench.submissions.schema import load_submission

        if row.folder is None or row.tier == "reported" or row.annotations != self._coco.sha256:
            return ()
        submission = load_submission(row.folder).submission
        masks = row.folder / "predictions" / _MASKS
        if not _as_checked(masks, submission):
            return ()
        galleries, _ = build_galleries(
            self._scored(masks, protocol_of(submission)),
            coco=self._coco,
            images=self.dataset.val.images,
            predictions=masks,
        )
        gallery = next((gallery for gallery in galleries if gallery.rows), None)
        shown = [(example.title, tile) for example in (gallery.rows if gallery else []) for tile in example.tiles]
        tiles = [(title, tile) for title, tile in shown if tile.uri]
        return tuple(_written(tile, title, row, out, index) for index, (title, tile) in enumerate(tiles))

    @cached_property
    def _coco(self) -> CocoFile:
        from psis_bench.data.coco_format import read_coco

        return read_coco(self.dataset.val.annotations, on_bad_boxes=self.dataset.on_bad_boxes)

    def _scored(self, masks: Path, split: SplitProtocol) -> pd.DataFrame:
        """Return the IoU of every instance, with the name and group of its class."""
        import pandas as pd

        from psis_bench.scoring import score_predictions

        resolved = split.resolve(self._coco.categories, where=str(self._coco.path))
        with tempfile.TemporaryDirectory(prefix="psis_bench_") as folder:
            shutil.copytree(masks, Path(folder) / "predictions" / _MASKS)
            score_predictions(
                Path(folder) / "predictions",
                annotations=self._coco.path,
                split=split,
                out=Path(folder),
                on_bad_boxes=self.dataset.on_bad_boxes,
            )
            scored = pd.read_parquet(Path(folder) / "per_instance.parquet")
        return scored.assign(
            name=scored["category_id"].map(resolved.names), group=scored["category_id"].map(resolved.group_of)
        )


def _as_checked(masks: Path, submission: Submission) -> bool:
    """Tell whether a folder of masks holds the files that the description, which was checked, lists, and no others."""
    files = {Path(file.path).name: file.sha256 for file in submission.predictions.files if file.path.startswith(_MASKS)}
    there = {path.name for path in masks.glob("*") if path.is_file() and not path.is_symlink()}
    return bool(files) and there == set(files) and all(sha256_of_file(masks / name) == files[name] for name in files)


def _written(tile: Tile, title: str, row: Row, out: Path, index: int) -> Picture:
    name = f"{index:02d}.jpg"
    with atomic_path(out / row.pictures / name) as temporary:
        temporary.write_bytes(base64.b64decode(tile.uri.partition(",")[2]))
    return Picture(f"{row.name}/{name}", tile.name, tile.iou, title)


def pictures_of(name: str, root: str | None) -> Pictures:
    """Return the pictures of a data set.

    Args:
        name: As in ``psis-bench ls data``, or a YAML file.
        root: The folder that holds it, or None.

    Raises:
        UserError: There is no such data set, or its annotations are not there.
    """
    from psis_bench.data.dataset_config import get_dataset

    dataset = get_dataset(name, root=root)
    if not dataset.val.annotations.is_file():
        raise UserError(
            "no such file", where=str(dataset.val.annotations), cure="give data.root=FOLDER, or leave pictures= out"
        )
    return Pictures(dataset=dataset)
