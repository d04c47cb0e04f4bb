"""The transfer matrix: how well masks of a source class teach to segment a target class.

Source: paper, section "single source" and Figure 5. A score is a number in [0, 1]; what was not measured is a hole
(NaN in memory, null in files) and stays one: it is never filled, and never counts as 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from psis_bench.errors import UserError
from psis_bench.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

METRICS: Final = {"mask_AP": "mask AP", "box_AP": "box AP", "gt_box_miou": "GT-box mIoU"}
"""Columns of ``per_class.csv`` that a matrix can be made of, and what they are called."""
FULL, PROBE = "full", "probe"
_SCHEMA = "1"


@dataclass(frozen=True, kw_only=True)
class TransferMatrix:
    """Scores of target classes, for each source and seed.

    Attributes:
        metric: A key of `METRICS`.
        protocol: ``"full"``: each cell is of a training of its own; ``"probe"``: of a mask head on shared, frozen
            features (docs/sweeps.md). Numbers of the two are not comparable.
        sources: S names: the class whose masks were in training, or the split where there are several.
        targets: T names of classes, or of groups of classes.
        seeds: K seeds, ascending.
        scores: (S, T, K) in [0, 1]; NaN where there is none.
        seen: (S, T): masks of the target itself were in training.
        reference: (T, R): the same of R runs with masks of all classes; R may be 0.
    """

    metric: str
    protocol: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Floats
    seen: npt.NDArray[np.bool_]
    reference: Floats

    def __post_init__(self) -> None:
        """Check that labels and arrays belong together.

        Raises:
            ValueError: They do not.
        """
        shape = (len(self.sources), len(self.targets), len(self.seeds))
        if self.scores.shape != shape or self.seen.shape != shape[:2] or self.reference.shape[0] != shape[1]:
            raise ValueError(
                f"labels for {shape}, but scores {self.scores.shape}, seen {self.seen.shape}, "
                f"reference {self.reference.shape}"
            )

    def mean(self) -> Floats:
        """Return the mean over seeds, (S, T)."""
        return nan_mean(self.scores, axis=2)

    def ratios(self) -> Floats:
        """Return the mean over seeds, divided by that of the all-classes runs, (S, T).

        Not truncated. A cell is a hole where either is one, and where the reference is 0.
        """
        reference = nan_mean(self.reference, axis=1)
        reference = np.where(reference > 0, reference, np.nan)
        ratios: Floats = self.mean() / reference[None, :]
        return ratios

    def by_source(self) -> Floats:
        """Return, for each source and seed, the mean over the targets that it has not seen, (S, K)."""
        unseen = np.where(self.seen[:, :, None], np.nan, self.scores)
        return nan_mean(unseen, axis=1)

    def holes(self) -> int:
        """Return how many of the S x T x K scores there are not."""
        return int(np.isnan(self.scores).sum())

    def grouped(self, groups: Mapping[str, Sequence[str]]) -> TransferMatrix:
        """Return the matrix with groups of targets in place of targets: means over a group's classes with a score.

        A class that a source has seen does not count for that source; a group is seen where all of it is.

        Args:
            groups: Name of a group to names of targets.

        Raises:
            UserError: A group names a target that there is not.
        """
        places = {name: place for place, name in enumerate(self.targets)}
        columns: list[list[int]] = []
        for group, names in groups.items():
            unknown = [name for name in names if name not in places]
            if unknown:
                raise UserError(f"group {group!r} has a class without a column: {unknown[0]!r}", cure="leave it out")
            columns.append([places[name] for name in names])
        unseen = np.where(self.seen[:, :, None], np.nan, self.scores)
        seen = np.stack([self.seen[:, chosen].all(axis=1) for chosen in columns], axis=1)
        scores = [
            np.where(
                seen[:, place, None],
                nan_mean(self.scores[:, chosen], axis=1),
                nan_mean(unseen[:, chosen], axis=1),
            )
            for place, chosen in enumerate(columns)
        ]
        return replace(
            self,
            targets=tuple(groups),
            scores=np.stack(scores, axis=1),
            seen=seen,
            reference=np.stack([nan_mean(self.reference[chosen], axis=0) for chosen in columns]),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a cell and seed: ``source, target, seed, seen, score, reference``.

        ``reference`` is the mean over the all-classes runs, the same in each row of a target.
        """
        import pandas as pd

        shape = self.scores.shape
        source, target, seed = (index.ravel() for index in np.indices(shape))
        return pd.DataFrame(
            {
                "source": pd.Categorical.from_codes(source, categories=pd.Index(self.sources)),
                "target": pd.Categorical.from_codes(target, categories=pd.Index(self.targets)),
                "seed": np.asarray(self.seeds, dtype=np.int64)[seed],
                "seen": self.seen[source, target],
                "score": self.scores.ravel(),
                "reference": nan_mean(self.reference, axis=1)[target],
            }
        )


def nan_mean(values: Floats, *, axis: int) -> Floats:
    """Return the mean over an axis without the holes; a hole where there is nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        mean: Floats = np.nanmean(values, axis=axis)
    return mean


def write_matrix(matrix: TransferMatrix, path: Path) -> Path:
    """Write a matrix; the suffix chooses the format: ``.parquet``, ``.csv`` or ``.nc`` (netCDF 3).

    Parquet and CSV have one row a cell and seed; netCDF has the arrays with their labels.

    Raises:
        UserError: Another suffix, or the file cannot be written.
    """
    writers = {".parquet": _write_parquet, ".csv": _write_csv, ".nc": _write_netcdf}
    if path.suffix not in writers:
        raise UserError("unknown format", where=str(path), cure=f"end the name in {', '.join(writers)}")
    with atomic_path(path) as temporary:
        writers[path.suffix](matrix, temporary)
    return path


def _write_parquet(matrix: TransferMatrix, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(matrix.to_frame(), preserve_index=False)
    about = {"psis_bench.schema": _SCHEMA, "metric": matrix.metric, "protocol": matrix.protocol}
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **about}), path, compression="zstd")


def _write_csv(matrix: TransferMatrix, path: Path) -> None:
    frame = matrix.to_frame()
    frame.insert(0, "metric", matrix.metric)
    frame.insert(1, "protocol", matrix.protocol)
    frame.to_csv(path, index=False, lineterminator="\n")


def _write_netcdf(matrix: TransferMatrix, path: Path) -> None:
    from scipy.io import netcdf_file

    with netcdf_file(path, "w", version=2) as file:
        file.metric, file.protocol = matrix.metric, matrix.protocol
        for name, labels in (("source", matrix.sources), ("target", matrix.targets)):
            letters = np.array([label.encode() for label in labels]).astype("S")
            width = max(1, letters.dtype.itemsize)
            file.createDimension(name, len(labels))
            file.createDimension(f"{name}_letters", width)
            variable = file.createVariable(name, "c", (name, f"{name}_letters"))
            variable[:] = np.frombuffer(letters.astype(f"S{width}").tobytes(), "S1").reshape(len(labels), width)
        file.createDimension("seed", len(matrix.seeds))
        file.createVariable("seed", "i", ("seed",))[:] = np.asarray(matrix.seeds, dtype=np.int32)
        file.createVariable("score", "d", ("source", "target", "seed"))[:] = matrix.scores
        file.createVariable("seen", "b", ("source", "target"))[:] = matrix.seen.astype(np.int8)
        file.createVariable("reference", "d", ("target",))[:] = nan_mean(matrix.reference, axis=1)


def read_matrix(path: Path) -> TransferMatrix:
    """Read a matrix that `write_matrix` wrote as Parquet; of the all-classes runs their mean is kept.

    Raises:
        UserError: There is none, or it is damaged or of another schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about: dict[bytes, bytes] = table.schema.metadata or {}
        if about.get(b"psis_bench.schema") != _SCHEMA.encode():
            raise UserError("no transfer matrix of this version", where=str(path), cure="assemble it again")
        return _from_frame(table.to_pandas(), metric=about[b"metric"].decode(), protocol=about[b"protocol"].decode())
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), cure="psis-bench plot figure5b SWEEP writes one") from None
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UserError(f"damaged: {error}", where=str(path), cure="assemble it again") from error


def _from_frame(frame: Any, *, metric: str, protocol: str) -> TransferMatrix:
    sources, targets = (tuple(frame[column].cat.categories) for column in ("source", "target"))
    seeds = tuple(sorted(int(seed) for seed in frame["seed"].unique()))
    shape = (len(sources), len(targets), len(seeds))
    places = (
        frame["source"].cat.codes.to_numpy(),
        frame["target"].cat.codes.to_numpy(),
        np.searchsorted(seeds, frame["seed"].to_numpy()),
    )
    scores = np.full(shape, np.nan)
    scores[places] = frame["score"].to_numpy()
    seen = np.zeros(shape[:2], dtype=bool)
    seen[places[:2]] = frame["seen"].to_numpy()
    known = np.full(len(targets), np.nan)
    known[places[1]] = frame["reference"].to_numpy()
    reference: Floats = known[:, None] if not np.isnan(known).all() else np.empty((len(targets), 0))
    return TransferMatrix(
        metric=metric,
        protocol=protocol,
        sources=sources,
        targets=targets,
        seeds=seeds,
        scores=scores,
        seen=seen,
        reference=reference,
    )
