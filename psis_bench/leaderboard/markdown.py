"""The same tables as Markdown, kept between two marks of ``model_zoo/README.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from psis_bench.errors import UserError
from psis_bench.files import write_text
from psis_bench.leaderboard import wording
from psis_bench.leaderboard.board import SplitBoard, Table
from psis_bench.leaderboard.rows import Row

BEGIN: Final = "<!-- BEGIN leaderboard: written by psis-bench leaderboard build, do not edit -->"
END: Final = "<!-- END leaderboard -->"

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~^$&@:])")


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: one line, no link, no mark-up, no HTML, no cell of a table."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def to_markdown(boards: Sequence[SplitBoard]) -> str:
    """Return the tables of every split."""
    return "\n".join(line for board in boards for line in _board(board))


def update_readme(path: Path, boards: Sequence[SplitBoard]) -> None:
    """Replace what stands between the marks of a file.

    Raises:
        UserError: The file or one of the marks is missing, or a mark is there twice.
    """
    write_text(path, with_tables(_read(path), boards, where=str(path)))


def with_tables(text: str, boards: Sequence[SplitBoard], *, where: str) -> str:
    """Return ``text`` with the tables between its marks.

    Raises:
        UserError: The marks are not there once each, in order.
    """
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed or BEGIN in rest or END in after or END in before:
        raise UserError(
            "does not have the marks of the leaderboard once each", where=where, cure=f"put {BEGIN!r} and {END!r} in it"
        )
    return f"{before}{BEGIN}\n\n{to_markdown(boards)}\n{END}{after}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot read: {error.strerror}", where=str(path), cure="run it where model_zoo/ is, or give zoo=DIR"
        ) from error


def _board(board: SplitBoard) -> Iterator[str]:
    yield f"### {escaped(board.key.name)}\\@{board.key.version}"
    yield ""
    yield escaped(board.description)
    yield ""
    for table in board.tables:
        yield f"**{escaped(table.title)}**"
        yield ""
        yield from _table(table)
        yield ""


def _table(table: Table) -> Iterator[str]:
    extra = [name for name in ("parameters", "ms_per_image", "seeds") if table.has(name)]
    titles = ["model", *(column.title for column in table.columns), *map(wording.named, extra), "tier", "source"]
    numbers = len(table.columns) + len(extra)
    yield f"| {' | '.join(titles)} |"
    yield f"| --- |{' ---: |' * numbers} --- | --- |"
    for row in table.rows:
        cells = [escaped(row.title), *(_number(row, column.key) for column in table.columns)]
        cells += [_extra(row, name) for name in extra]
        yield f"| {' | '.join([*cells, row.tier, _source(row)])} |"
    for name, values in table.trivial:
        cells = [f"*{name}*", *(wording.percent(values.get(column.key)) for column in table.columns)]
        yield f"| {' | '.join([*cells, *('' for _ in extra), '', ''])} |"


def _number(row: Row, key: str) -> str:
    estimate = row.numbers.get(key)
    text = " ".join(filter(None, (wording.percent(row.number(key)), wording.interval(estimate).replace("[", "\\["))))
    return f"{text} (?)" if row.doubts_about(key) else text


def _extra(row: Row, name: str) -> str:
    if name == "parameters":
        return wording.quantity(row.parameters)
    if name == "seeds":
        return str(len(row.seeds)) if row.seeds else wording.NONE
    return wording.milliseconds(row.ms_per_image) + (" (?)" if row.doubts_about(name) else "")


def _source(row: Row) -> str:
    address = next((link.url for link in row.links if link.label in ("source", "paper") and link.is_safe), None)
    if address is None or re.search(r"[\s()<>\[\]\\|]", address):
        return escaped(row.source)
    return f"[{escaped(row.source)}]({address})"
