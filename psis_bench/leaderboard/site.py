"""Builds the site: reads ``model_zoo/``, fills the pages, writes them, and removes what an earlier build left over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psis_bench import console
from psis_bench.errors import UserError
from psis_bench.files import write_error, write_json, write_text
from psis_bench.leaderboard.board import SplitBoard, arrange
from psis_bench.leaderboard.pages import Pages
from psis_bench.leaderboard.pictures import Pictures
from psis_bench.leaderboard.published import read_published
from psis_bench.leaderboard.rows import Row
from psis_bench.leaderboard.submitted import read_submitted

LISTING: Final = ".psis_bench-leaderboard.json"
"""In the folder of a site: the files that are ours, so that no other is ever removed."""

_OUR_TEMPLATES: Final = Path(__file__).parent / "templates"
_REPORT_TEMPLATES: Final = Path(__file__).parent.parent / "report" / "templates"


@dataclass(frozen=True, kw_only=True)
class Zoo:
    """What ``model_zoo/`` holds for the leaderboard.

    Attributes:
        boards: Every split with its rows.
        faults: One line for each submission that could not be read.
    """

    boards: list[SplitBoard]
    faults: list[str]

    @property
    def rows(self) -> list[Row]:
        """The rows of all splits."""
        return [row for board in self.boards for row in board.rows]


def read_zoo(folder: Path) -> Zoo:
    """Read published rows and submissions.

    Raises:
        UserError: There is no such folder, or a published table is damaged.
    """
    if not (folder / "published").is_dir() and not (folder / "submissions").is_dir():
        raise UserError(
            "holds neither published/ nor submissions/",
            where=str(folder),
            cure="run it in a checkout, or give the folder with zoo=DIR",
        )
    submitted, faults = read_submitted(folder / "submissions")
    return Zoo(boards=arrange([*read_published(folder / "published"), *submitted]), faults=faults)


def build_site(boards: Sequence[SplitBoard], out: Path, *, pictures: Pictures | None = None) -> int:
    """Write the site.

    Args:
        boards: From `read_zoo`.
        out: Its folder: new, empty, or of an earlier build, whose files are replaced.
        pictures: Draws those of submissions; None draws none.

    Returns:
        How many pages were written.

    Raises:
        UserError: The folder holds other files, or cannot be written.
    """
    before = _ours(out)
    written: list[str] = []
    drawn = {row.page: pictures.draw(row, out) for board in boards for row in board.rows} if pictures else {}
    written += [str(Path(page).parent / picture.file) for page, found in drawn.items() for picture in found]
    total = 1 + sum(1 + len(board.rows) for board in boards)
    with console.progress("pages", total=total) as bar:
        for address, text in Pages(boards, drawn).all():
            write_text(out / address, text)
            written.append(address)
            bar.advance()
    write_text(
        out / "assets" / "site.css", _joined(_REPORT_TEMPLATES / "report.css", _OUR_TEMPLATES / "leaderboard.css")
    )
    write_text(out / "assets" / "site.js", _joined(_REPORT_TEMPLATES / "sort_table.js", _OUR_TEMPLATES / "filter.js"))
    write_json(out / "leaderboard.json", {"schema": 1, "rows": [_plain(row) for board in boards for row in board.rows]})
    written += ["assets/site.css", "assets/site.js", "leaderboard.json"]
    write_json(out / LISTING, {"files": sorted(written)})
    _remove(out, sorted(set(before) - set(written)))
    return total


def _ours(out: Path) -> list[str]:
    """Return the files of an earlier build.

    Raises:
        UserError: There are files and none of them says that this package made them.
    """
    try:
        if not out.exists() or not any(out.iterdir()):
            return []
        listing = json.loads((out / LISTING).read_text(encoding="utf-8"))
        files = listing["files"]
        return [name for name in files if isinstance(name, str) and not Path(name).is_absolute() and ".." not in name]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        raise UserError(
            "holds files that are not of a leaderboard", where=str(out), cure="choose a new or empty folder with out="
        ) from None
    except OSError as error:
        raise write_error(out, error) from error


def _remove(out: Path, names: Sequence[str]) -> None:
    for name in names:
        path = out / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        folder = path.parent
        while folder != out and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _joined(*paths: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _plain(row: Row) -> dict[str, Any]:
    """Return a row as JSON: numbers unrounded in [0, 1]."""
    return {
        "split": str(row.split),
        "data": row.data,
        "model": row.title,
        "tier": row.tier,
        "numbers": {key: {"mean": item.mean, "low": item.low, "high": item.high} for key, item in row.numbers.items()},
        "backbone": row.backbone,
        "mask_head": row.mask_head,
        "parameters": row.parameters,
        "ms_per_image": row.ms_per_image,
        "seeds": list(row.seeds),
        "source": row.source,
        "doubts": [doubt._asdict() for doubt in row.doubts],
        "page": row.page,
    }
