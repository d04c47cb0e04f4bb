"""A run directory: where everything of one run lies, and the lock that keeps a second process out.

::

    config.yaml                    the configuration, resolved
    mm_config.py                   MMEngine's configuration as it was used
    checkpoints/  train_log.jsonl  mmengine/  shape_priors.npz (of models that begin with some)
    pseudo_labels/                 a teacher's masks, and train.json that a student is trained from
    predictions/                   detections/, gt_box_masks/, manifest.json
    scores.json  per_class.csv  per_instance.parquet
    report.html
    stages/<stage>.json            written last: the stage is done, and from which inputs
    .state/                        lock, started stages, cached hashes: nothing that anybody else reads
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from psis_bench.config import RunConfig, load_config
from psis_bench.errors import UserError
from psis_bench.files import write_error

if TYPE_CHECKING:
    from psis_bench.data.dataset_config import DatasetConfig
    from psis_bench.splits.protocol import SplitProtocol


class Stage(StrEnum):
    """The stages of a run, in their order."""

    TRAIN = "train"
    PREDICT = "predict"
    SCORE = "score"
    REPORT = "report"

    @property
    def order(self) -> int:
        """Place in the chain, from 0."""
        return list(Stage).index(self)

    def and_later(self) -> list[Stage]:
        """Return this stage and those that are made from its results."""
        return list(Stage)[self.order :]


SHAPE_PRIORS = "shape_priors.npz"
"""Typical outlines of the seen objects, which some models begin with."""

PSEUDO_LABELS = "pseudo_labels"
"""Masks of a teacher, and the file that a student is trained from: `psis_bench.teacher`."""

OUTPUTS: dict[Stage, tuple[str, ...]] = {
    Stage.TRAIN: ("checkpoints", "train_log.jsonl", "mm_config.py", "mmengine", SHAPE_PRIORS, PSEUDO_LABELS),
    Stage.PREDICT: ("predictions",),
    Stage.SCORE: ("scores.json", "per_class.csv", "per_instance.parquet"),
    Stage.REPORT: ("report.html",),
}
"""What each stage writes, names in the run directory."""

BEGINNINGS = frozenset({"mm_config.py", "mmengine", SHAPE_PRIORS})
"""What a training writes before its first iteration: made again at once, so that nothing is lost with it."""

RESULTS: dict[Stage, str] = {
    Stage.TRAIN: "checkpoints/final.safetensors",
    Stage.PREDICT: "predictions/manifest.json",
    Stage.SCORE: "scores.json",
    Stage.REPORT: "report.html",
}
"""The file of each stage that is written last."""


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run, and what its configuration names.

    Attributes:
        path: The directory.
        config: The configuration that it is run with.
    """

    path: Path
    config: RunConfig

    @classmethod
    def of(cls, config: RunConfig) -> RunDirectory:
        """Return the run directory that a resolved configuration names; nothing is made."""
        if config.out is None:
            raise UserError("the configuration names no run directory", cure="resolve it first, or give out=")
        return cls(Path(config.out), config)

    @classmethod
    def load(cls, path: Path) -> RunDirectory:
        """Return a run directory that exists already, with its own configuration."""
        return cls(path, load_config(path / "config.yaml"))

    @property
    def config_file(self) -> Path:
        """``config.yaml``."""
        return self.path / "config.yaml"

    @property
    def mm_config(self) -> Path:
        """``mm_config.py``: MMEngine's configuration as it was used."""
        return self.path / "mm_config.py"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def final_weights(self) -> Path:
        """The weights of a finished training."""
        return self.result(Stage.TRAIN)

    @property
    def train_log(self) -> Path:
        """``train_log.jsonl``: one JSON object an interval."""
        return self.path / "train_log.jsonl"

    @property
    def predictions(self) -> Path:
        """Folder of the predictions."""
        return self.path / "predictions"

    @property
    def detections(self) -> Path:
        """Folder of the detections; absent for models without a detector."""
        return self.predictions / "detections"

    @property
    def gt_box_masks(self) -> Path:
        """Folder of the masks on ground-truth boxes."""
        return self.predictions / "gt_box_masks"

    @property
    def manifest(self) -> Path:
        """``predictions/manifest.json``: the predictions are complete."""
        return self.predictions / "manifest.json"

    @property
    def scores(self) -> Path:
        """``scores.json``."""
        return self.path / "scores.json"

    @property
    def report(self) -> Path:
        """``report.html``."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """Folder for what this package keeps for itself."""
        return self.path / ".state"

    def result(self, stage: Stage) -> Path:
        """Return the file that a stage writes last."""
        return self.path / RESULTS[stage]

    def marker(self, stage: Stage) -> Path:
        """Return the file that says a stage is done."""
        return self.path / "stages" / f"{stage}.json"

    def started(self, stage: Stage) -> Path:
        """Return the file that says a stage has begun, and from which inputs."""
        return self.state / f"started-{stage}.json"

    def has_results_of(self, stage: Stage) -> bool:
        """Whether anything that the stage computes is there, finished or not; `BEGINNINGS` are nothing yet."""
        for name in (name for name in OUTPUTS[stage] if name not in BEGINNINGS):
            path = self.path / name
            if path.is_file() or (path.is_dir() and any(path.iterdir())):
                return True
        return False

    @cached_property
    def split(self) -> SplitProtocol:
        """The split protocol of this run."""
        from psis_bench.splits.registry import get_split

        return get_split(self.config.split)

    @cached_property
    def dataset(self) -> DatasetConfig:
        """The data set of this run."""
        from psis_bench.data.dataset_config import get_dataset

        return get_dataset(self.config.data.name, root=self.config.data.root)

    def create(self) -> None:
        """Make the directory.

        Raises:
            UserError: It cannot be made, or holds files that are not of a run.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        except OSError as error:
            raise write_error(self.path, error) from error
        ours = {"config.yaml", "stages", *(name for names in OUTPUTS.values() for name in names)}
        if "config.yaml" not in names and names - ours:
            raise UserError(
                f"the folder holds other files, such as {min(names - ours)!r}",
                where=str(self.path),
                cure="choose a new or empty folder with out=",
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process out of this directory while the block runs.

        Raises:
            UserError: Another process works in it; its process number is given.
        """
        path = self.state / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise write_error(path, error) from error
        with handle:
            try:
                # Not flock: loading processes would inherit it, and they outlive a killed run by some seconds.
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                # Some network file systems have no locks: working without one beats not working.
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise self._busy(handle.name) from None
            handle.seek(0)
            handle.truncate()
            handle.write(f"{os.getpid()}\n")
            handle.flush()
            yield

    def _busy(self, lock: str) -> UserError:
        pid = Path(lock).read_text(encoding="utf-8").strip() or "unknown"
        return UserError(
            f"another process works in this run directory (pid {pid})",
            where=str(self.path),
            cure="wait for it to end, or choose another folder with out=",
        )
