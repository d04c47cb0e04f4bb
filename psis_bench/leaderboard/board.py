"""Arranges rows for reading: a table for each split and data set, its columns, its trivial rows and its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from psis_bench.errors import UserError
from psis_bench.leaderboard.rows import Row, SplitKey, merit
from psis_bench.splits.registry import get_split

DATA_TITLES: Final = {
    "coco": "COCO val2017",
    "coco-test-dev2017": "COCO test-dev2017",
    "lvis": "LVIS v1 val",
    "synthetic": "synthetic images",
}
TRIVIAL: Final = {"full_box": "full box", "ellipse": "inscribed ellipse"}


class Column(NamedTuple):
    """A column of numbers: its key in `Row.numbers` and its heading."""

    key: str
    title: str


COLUMNS: Final = (
    Column("mask_AP.unseen", "mask AP unseen"),
    Column("mask_AP.seen", "mask AP seen"),
    Column("mask_AP.all", "mask AP"),
    Column("gt_box_miou.unseen", "GT-box mIoU unseen"),
    Column("gt_box_miou.seen", "GT-box mIoU seen"),
    Column("gt_box_miou.all", "GT-box mIoU"),
    Column("box_AP.all", "box AP"),
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that can be compared: one split, one set of annotations; best first.

    Attributes:
        anchor: Unique on its page.
        title: The data, for readers.
        rows: Best first.
        columns: The columns in which at least one row has a number.
        trivial: GT-box mIoU of the shapes that need no model: name and values by key of a column.
    """

    anchor: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    trivial: tuple[tuple[str, dict[str, float]], ...]

    def has(self, attribute: str) -> bool:
        """Whether any row has a value for an attribute such as ``parameters``."""
        return any(getattr(row, attribute) for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class SplitBoard:
    """Everything of one split."""

    key: SplitKey
    description: str
    tables: tuple[Table, ...]

    @property
    def page(self) -> str:
        """Address of its page below the root of the site."""
        return f"splits/{self.key.slug}.html"

    @property
    def rows(self) -> list[Row]:
        """The rows of all tables."""
        return [row for table in self.tables for row in table.rows]


def arrange(rows: Sequence[Row]) -> list[SplitBoard]:
    """Return a board for each split, those with most rows first.

    Raises:
        UserError: Two rows of a split have the same name, so that one page would overwrite the other.
    """
    twice = [key for key, count in Counter((row.split, row.name.lower()) for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"two rows of {twice[0][0]} are called {twice[0][1]!r}", cure="rename one of them")
    by_split: dict[SplitKey, list[Row]] = {}
    for row in rows:
        by_split.setdefault(row.split, []).append(row)
    boards = [
        SplitBoard(key=key, description=_description(key), tables=_tables(of_split))
        for key, of_split in by_split.items()
    ]
    return sorted(boards, key=lambda board: (-len(board.rows), board.key))


def _description(key: SplitKey) -> str:
    try:
        split = get_split(key.name) if not key.name.endswith((".yaml", ".yml")) else None
    except UserError:
        split = None
    if split is None:
        return "A split that does not come with the package."
    return split.description if split.version == key.version else f"An older version of: {split.description}"


def _tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.data, _annotations(row, rows)), []).append(row)
    several = Counter(data for data, _ in groups)
    tables: list[Table] = []
    for (data, sha256), members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0][0])):
        title = DATA_TITLES.get(data, data)
        if several[data] > 1:
            title += f", annotations {sha256[:8] if sha256 else 'unknown'}"
        ordered = tuple(sorted(members, key=merit, reverse=True))
        tables.append(
            Table(
                anchor=f"data-{len(tables) + 1}",
                title=title,
                rows=ordered,
                columns=_columns(ordered),
                trivial=_trivial(ordered),
            )
        )
    return tuple(tables)


def _annotations(row: Row, rows: Sequence[Row]) -> str | None:
    """Return the annotations of a row; a published row, which does not say, joins most submissions of its data."""
    if row.annotations is not None:
        return row.annotations
    known = Counter(other.annotations for other in rows if other.data == row.data and other.annotations is not None)
    return min(known, key=lambda sha: (-known[sha], sha)) if known else None


def _columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    given = [column for column in COLUMNS if any(column.key in row.numbers for row in rows)]
    # Scores of all classes are the headline only where no class is unseen; "seen" would say the same there.
    with_unseen = {column.key.partition(".")[0] for column in given if column.key.endswith(".unseen")}
    return tuple(
        column
        for column in given
        if column.key == "box_AP.all" or (column.key.partition(".")[0] in with_unseen) != column.key.endswith(".all")
    )


def _trivial(rows: Sequence[Row]) -> tuple[tuple[str, dict[str, float]], ...]:
    found = []
    for name, title in TRIVIAL.items():
        row = next((row for row in rows if any(key.startswith(f"{name}.") for key in row.numbers)), None)
        if row is not None:
            prefix = f"{name}."
            values = {
                f"gt_box_miou.{key.removeprefix(prefix)}": estimate.mean
                for key, estimate in row.numbers.items()
                if key.startswith(prefix)
            }
            found.append((title, values))
    return tuple(found)
