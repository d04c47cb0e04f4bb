"""What the page tells beyond the main numbers: what limits mask AP, boxes that are moved, masks by kind of object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AXES = {"size": "Size", "aspect": "Shape", "supercategory": "Supercategory", "coco_folder": "COCO's folder"}
"""Axes of ``mask_quality`` and their headings."""


def limit_rows(groups: Mapping[str, Any]) -> list[tuple[str, dict[str, float | None]]]:
    """Return group and limits of each group of classes that has any, with ``AP`` among them."""
    rows = []
    for name in ("seen", "unseen", "all"):
        group = groups.get(name) or {}
        if group.get("limits"):
            rows.append((name, {"AP": (group.get("mask") or {}).get("AP"), **group["limits"]}))
    return rows


def moved_boxes(groups: Mapping[str, Any]) -> list[tuple[str, dict[str, dict[str, float | None]]]]:
    """Return strength in percent and the scores of every group on boxes moved by it, ascending."""
    found: dict[str, dict[str, Any]] = {}
    for name, group in groups.items():
        for strength, means in ((group or {}).get("jittered") or {}).items():
            found.setdefault(strength, {})[name] = means
    return [(f"{100 * float(strength):g}", found[strength]) for strength in sorted(found, key=float)]


def quality_tables(scores: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Return for each axis its heading and its parts, each with what is known of every group."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for row in scores.get("mask_quality") or ():
        tables.setdefault(row["axis"], {}).setdefault(row["part"], {})[row["group"]] = row
    return [(AXES.get(axis, axis), list(parts.items())) for axis, parts in tables.items()]
