"""Reads ``model_zoo/published``: rows of papers' tables, each with its source and what is doubtful about it.

One folder a paper, one YAML file a table, and ``papers.yaml`` with the papers themselves. The files are data that
people write: every fault is told with its file, place and cure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from psis_bench.errors import UserError, did_you_mean
from psis_bench.leaderboard.rows import GROUPS, METRICS, Doubt, Estimate, Link, Row, SplitKey
from psis_bench.yaml_file import check_keys, read_mapping, text_of, whole_number_of, wrong_type

SCHEMA: Final = 1
_TABLE_KEYS: Final = ("schema", "paper", "table", "about", "data", "rows")
_PAPER_KEYS: Final = ("title", "authors", "venue", "paper")
_ROW_TEXTS: Final = ("backbone", "mask_head", "crop_source", "mask_sources", "note", "command", "hardware", "code")
_ROW_KEYS: Final = ("row", "model", "split", "metrics", "ms_per_image", "image_size", "doubts", *_ROW_TEXTS)
_FIELDS_IN_DOUBT: Final = ("row", "model", "backbone", "mask_head", "ms_per_image")
_UNPROVEN: Final = "Our configuration of this model, not yet shown to reach these numbers"
_SPLIT: Final = re.compile(r"([A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*){0,2})@([1-9][0-9]{0,3})")


def read_published(folder: Path) -> list[Row]:
    """Return the rows of every table below ``model_zoo/published``.

    Args:
        folder: It need not exist.

    Raises:
        UserError: A file is damaged, or a row names a paper, metric or split that cannot be.
    """
    if not folder.is_dir():
        return []
    papers = _read_papers(folder / "papers.yaml")
    rows: list[Row] = []
    for path in sorted(folder.glob("*/*.yaml")):
        rows += _read_table(path, papers)
    return rows


def _read_papers(path: Path) -> dict[str, dict[str, Any]]:
    papers = read_mapping(path, what="list of papers")
    for name, paper in papers.items():
        if not isinstance(paper, dict):
            raise wrong_type(paper, where=f"{path}: {name}", wanted="a paper of several lines")
        check_keys(paper, where=f"{path}: {name}", allowed=_PAPER_KEYS, required=("title", "venue"))
    return papers


def _read_table(path: Path, papers: Mapping[str, dict[str, Any]]) -> list[Row]:
    table = read_mapping(path, what="table of published rows")
    where = str(path)
    check_keys(table, where=where, allowed=_TABLE_KEYS, required=_TABLE_KEYS)
    if whole_number_of(table, "schema", where=where, default=0) != SCHEMA:
        raise UserError(f"schema {table['schema']} is not known", where=where, cure=f"write schema: {SCHEMA}")
    name = text_of(table, "paper", where=where)
    if name not in papers:
        raise UserError(
            f"unknown paper {name!r}", where=where, cure=f"add it to papers.yaml; {did_you_mean(name, papers)}"
        )
    if not isinstance(table["rows"], list):
        raise wrong_type(table["rows"], where=f"{where}: rows", wanted="a list")
    return [
        _read_row(row, table=table, paper=papers[name], stem=f"{name}-{path.stem}", where=f"{where}: rows[{index}]")
        for index, row in enumerate(table["rows"])
    ]


def _read_row(row: Any, *, table: Mapping[str, Any], paper: Mapping[str, Any], stem: str, where: str) -> Row:
    if not isinstance(row, dict):
        raise wrong_type(row, where=where, wanted="a row of several lines")
    check_keys(row, where=where, allowed=_ROW_KEYS, required=("row", "model", "split", "metrics"))
    texts = {key: text_of(row, key, where=where) for key in _ROW_TEXTS if row.get(key) is not None}
    label, title = text_of(row, "row", where=where), text_of(row, "model", where=where)
    ordinal = where.rpartition("[")[2].rstrip("]")
    facts = [("row", f"{table['table']}: {label}"), ("about the table", str(table["about"]))]
    facts += [
        (key.replace("_", " "), texts[key]) for key in ("crop_source", "mask_sources", "hardware") if key in texts
    ]
    if row.get("image_size") is not None:
        facts.append(("image size", f"{whole_number_of(row, 'image_size', where=where, default=0)} pixels"))
    links = [("source", paper.get("paper")), ("code", texts.get("code"))]
    return Row(
        name=f"{stem}-{int(ordinal) + 1}",
        title=title,
        tier="reported",
        split=_split(row, where),
        data=text_of(table, "data", where=where),
        numbers=_numbers(row["metrics"], f"{where}: metrics"),
        backbone=texts.get("backbone"),
        mask_head=texts.get("mask_head"),
        ms_per_image=_time(row.get("ms_per_image"), where),
        source=f"{paper['venue']}, {table['table']}",
        facts=(*facts, ("source", f"{paper.get('authors') or 'authors unknown'}: {paper['title']}. {paper['venue']}")),
        links=tuple(Link(name, str(url)) for name, url in links if url),
        doubts=_doubts(row.get("doubts"), f"{where}: doubts"),
        notes=(texts["note"],) if "note" in texts else (),
        commands=((_UNPROVEN, texts["command"]),) if "command" in texts else (),
        how=("The numbers are the paper's; nothing was recomputed.",),
    )


def _split(row: Mapping[str, Any], where: str) -> SplitKey:
    parts = _SPLIT.fullmatch(text_of(row, "split", where=where))
    if not parts:
        raise UserError(f"{row['split']!r} is not a split with a version", where=where, cure="write it as voc2nonvoc@1")
    return SplitKey(parts[1], int(parts[2]))


def _numbers(metrics: Any, where: str) -> dict[str, Estimate]:
    if not isinstance(metrics, dict):
        raise wrong_type(metrics, where=where, wanted="metrics of several lines")
    check_keys(metrics, where=where, allowed=METRICS, required=())
    numbers = {}
    for metric, groups in metrics.items():
        if not isinstance(groups, dict):
            raise wrong_type(groups, where=f"{where}: {metric}", wanted="{all: ..., seen: ..., unseen: ...}")
        check_keys(groups, where=f"{where}: {metric}", allowed=GROUPS, required=())
        for group, value in groups.items():
            if value is not None:
                numbers[f"{metric}.{group}"] = Estimate(_fraction(value, f"{where}: {metric}.{group}"))
    return numbers


def _fraction(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise wrong_type(value, where=where, wanted="a number from 0 to 1 or null", hint="divide percents by 100")
    return float(value)


def _time(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise wrong_type(value, where=f"{where}: ms_per_image", wanted="a number above 0 or null")
    return float(value)


def _doubts(doubts: Any, where: str) -> tuple[Doubt, ...]:
    if doubts is None:
        return ()
    if not isinstance(doubts, list):
        raise wrong_type(doubts, where=where, wanted="a list")
    allowed = [f"{metric}.{group}" for metric in METRICS for group in GROUPS]
    read = []
    for index, doubt in enumerate(doubts):
        place = f"{where}[{index}]"
        if not isinstance(doubt, dict):
            raise wrong_type(doubt, where=place, wanted="two lines, number and why")
        check_keys(doubt, where=place, allowed=("number", "why"), required=("number", "why"))
        number = text_of(doubt, "number", where=place)
        if number not in allowed and number not in _FIELDS_IN_DOUBT:
            raise UserError(
                f"no number {number!r}", where=place, cure=did_you_mean(number, [*allowed, *_FIELDS_IN_DOUBT])
            )
        read.append(Doubt(number, text_of(doubt, "why", where=place)))
    return tuple(read)
