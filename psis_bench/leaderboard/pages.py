"""Fills the templates of the site. Everything that comes from a file is escaped; the templates only arrange."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from psis_bench.leaderboard import wording
from psis_bench.leaderboard.board import DATA_TITLES, SplitBoard
from psis_bench.leaderboard.pictures import Picture
from psis_bench.leaderboard.rows import GROUPS, METRICS, TIERS, ClassScore, Row
from psis_bench.leaderboard.scatter import scatters
from psis_bench.report.template_environment import template_environment

if TYPE_CHECKING:
    from jinja2 import Environment

_CARDS: Final = (
    "mask_AP.unseen",
    "mask_AP.seen",
    "gt_box_miou.unseen",
    "gt_box_miou.seen",
    "mask_AP.all",
    "gt_box_miou.all",
)
_BETWEEN: Final = re.compile(r">\s*\n\s*<")
_SINGLE_SOURCE: Final = "single_source/"
FULL: Final = "fully_supervised"


class Pages:
    """The pages of one site.

    Args:
        boards: Every split with its rows.
        pictures: By the address of the page of a row.
    """

    def __init__(self, boards: Sequence[SplitBoard], pictures: Mapping[str, Sequence[Picture]]) -> None:
        self._boards = boards
        self._pictures = pictures
        self._full: dict[tuple[str | None, str], dict[str, ClassScore]] = {
            (row.model, row.data): {score.name: score for score in row.classes}
            for board in boards
            for row in board.rows
            if board.key.name == FULL and row.model is not None
        }

    def all(self) -> Iterator[tuple[str, str]]:
        """Yield address below the root of the site, and text, of every page."""
        yield "index.html", self._fill("index.html.j2", root="", here="index")
        for board in self._boards:
            yield board.page, self._split(board)
            for row in board.rows:
                yield row.page, self._row(row)

    def _split(self, board: SplitBoard) -> str:
        return self._fill(
            "split.html.j2",
            root="../",
            here=board.key.slug,
            board=board,
            drawings={table.anchor: scatters(table.rows) for table in board.tables},
            present={row.tier for row in board.rows},
        )

    def _row(self, row: Row) -> str:
        ratios = self._full.get((row.model, row.data)) if row.split.name.startswith(_SINGLE_SOURCE) else None
        by_ap = any(score.mask_ap is not None for score in row.classes)
        shown = [_shown(score, by_ap=by_ap, full=ratios) for score in row.classes]
        return self._fill(
            "row.html.j2",
            root="../../",
            here=row.split.slug,
            row=row,
            data_title=DATA_TITLES.get(row.data, row.data),
            cards=_cards(row),
            facts=_facts(row),
            groups=_groups(row),
            metrics=[name for name in METRICS if any(key.partition(".")[0] == name for key in row.numbers)],
            seed_keys=[key for key in _CARDS if any(key in scores.numbers for scores in row.per_seed)],
            classes=sorted(shown, key=lambda item: (item["value"] is None, -(item["value"] or 0.0), item["name"])),
            class_metric="mask AP" if by_ap else "GT-box mIoU",
            other_metric="GT-box mIoU" if by_ap and any(item["other"] is not None for item in shown) else None,
            ratios=bool(ratios),
            ticks=any(item["tick"] is not None for item in shown),
            pictures=self._pictures.get(row.page, ()),
        )

    def _fill(self, template: str, **values: Any) -> str:
        text = self._environment.get_template(template).render(boards=self._boards, tiers=TIERS, **values)
        # Line breaks between elements are half of all nodes of a long table, and cost as much to load.
        return _BETWEEN.sub("><", text)

    @cached_property
    def _environment(self) -> Environment:
        environment = template_environment(Path(__file__).parent / "templates")
        environment.filters.update(
            percent=wording.percent,
            interval=wording.interval,
            quantity=wording.quantity,
            milliseconds=wording.milliseconds,
            named=wording.named,
            unit=lambda length: f"{length:.2f}",
            address=lambda path: quote(path, safe="/@~+"),
        )
        return environment


def _groups(row: Row) -> list[str]:
    """Return the groups that a row has numbers of: all, seen and unseen, then any further ones of its split."""
    found = {key.partition(".")[2] for key in row.numbers}
    return [name for name in GROUPS if name in found] + sorted(found - set(GROUPS))


def _cards(row: Row) -> list[dict[str, Any]]:
    """Return at most four numbers for the top of a page: unseen before seen, all only where there is no other."""
    keys = [key for key in _CARDS[:4] if key in row.numbers] or [key for key in _CARDS[4:] if key in row.numbers]
    return [
        {"value": row.number(key), "metric": wording.named(key.split(".")[0]), "group": key.split(".")[1]}
        for key in keys
    ]


def _facts(row: Row) -> list[tuple[str, str]]:
    given = {
        "backbone": row.backbone,
        "mask head": row.mask_head,
        "parameters": None if row.parameters is None else f"{row.parameters:,}".replace(",", "\u202f"),
        "ms per image": None if row.ms_per_image is None else wording.milliseconds(row.ms_per_image),
        "seeds": ", ".join(map(str, row.seeds)) or None,
    }
    return [*((name, text) for name, text in given.items() if text is not None), *row.facts]


def _shown(score: ClassScore, *, by_ap: bool, full: Mapping[str, ClassScore] | None) -> dict[str, Any]:
    """Return one line of the table of classes; ``ratio`` as in Fig. 5b of the paper, at most 1."""
    value = score.mask_ap if by_ap else score.gt_box_miou
    ratio = None
    if full is not None and score.name in full and value is not None:
        whole = full[score.name].mask_ap if by_ap else full[score.name].gt_box_miou
        ratio = min(value / whole, 1.0) if whole else None
    return {
        "name": score.name,
        "group": score.group,
        "instances": score.instances,
        "value": value,
        "other": score.gt_box_miou if by_ap else None,
        "ratio": ratio,
        "tick": None if by_ap else score.ellipse_miou,
    }
