"""Everything the template of the report shows, computed and formatted; the template only arranges it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psis_bench.figures import style
from psis_bench.report import curves, details
from psis_bench.report.charts import inline_svg
from psis_bench.report.command import command_of
from psis_bench.report.selection import LEAST_SIDE
from psis_bench.report.template_environment import template_environment
from psis_bench.scoring.results.extra_masks import EXTRA_MASKS, MARK
from psis_bench.scoring.results.probe_mark import MARK as PROBE_MODE
from psis_bench.scoring.results.probe_mark import PROBE

if TYPE_CHECKING:
    from markupsafe import Markup

    from psis_bench.report.detected import Detected
    from psis_bench.report.pictures import Gallery
    from psis_bench.report.run_files import RunFiles
    from psis_bench.splits.protocol import SplitProtocol

GROUPS: Final = ("all", "seen", "unseen")
AP_COLUMNS: Final = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
STAGES: Final = ("train", "predict", "score", "report")


def render(
    run: RunFiles, *, split: SplitProtocol, galleries: list[Gallery], detected: list[Detected], notes: list[str]
) -> str:
    """Return the HTML of the page; every text that comes from a file is escaped."""
    from psis_bench.report.detected import LEAST_SCORE, MOST

    environment = template_environment(Path(__file__).parent / "templates")
    environment.filters.update(percent=percent, count=lambda value: f"{value:,}".replace(",", "\u202f"))
    return environment.get_template("report.html.j2").render(
        split=split,
        facts=_facts(run),
        command=command_of(run.config),
        run_name=run.directory.resolve().name,
        groups={name: run.scores["groups"].get(name) for name in GROUPS},
        ap_columns=AP_COLUMNS,
        verdict=_verdict(run.scores["groups"]),
        limits=details.limit_rows(run.scores["groups"]),
        moved_boxes=details.moved_boxes(run.scores["groups"]),
        quality=details.quality_tables(run.scores),
        score_notes=[str(note) for note in run.scores.get("notes") or []],
        notes=notes,
        training=_training_charts(run),
        classes=_class_charts(run),
        instances=_instance_charts(run),
        table=run.per_class.sort_values("gt_box_miou", ascending=False).to_dict("records"),
        galleries=galleries,
        detected=detected,
        least_score=LEAST_SCORE,
        most_detections=MOST,
        least_side=LEAST_SIDE,
        stylesheet=_shipped("report.css"),
        script=_shipped("sort_table.js"),
    )


def percent(value: float | None) -> str:
    """Return a value in [0, 1] as the project prints it: times 100, one decimal; an en dash for none."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    return f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """Return a time in words, e.g. ``"4 min 12 s"``."""
    whole = round(seconds)
    if whole < 1:
        return f"{seconds:.1f} s"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _facts(run: RunFiles) -> list[tuple[str, str]]:
    """Return what was run, as pairs of a name and a text; what the configuration does not say is left out."""
    config = run.config
    data = config.get("data")
    given = {
        "model": config.get("model"),
        "mask head": config.get("mask_head") or "the model's own",
        "crop source": config.get("crop_source"),
        "teacher": config.get("teacher"),
        "data": data.get("name") if isinstance(data, dict) else data,
        "schedule": config.get("schedule"),
        "iterations": config.get("iterations") or (int(run.log[-1]["iteration"]) if run.log else None),
        "seed": config.get("seed"),
        "device": config.get("device"),
    }
    facts = [(name, str(value)) for name, value in given.items() if value is not None]
    dataset = run.scores.get("dataset") or {}
    if "images" in dataset and "instances" in dataset:
        facts.append(
            ("scored", f"{dataset['instances']:,} instances in {dataset['images']:,} images".replace(",", "\u202f"))
        )
    counts = run.per_class["group"].value_counts()
    facts.append(("classes", ", ".join(f"{counts[group]} {group}" for group in curves.GROUP_ORDER if group in counts)))
    times = [
        f"{stage} {duration(float(run.stages[stage]['seconds']))}"
        for stage in STAGES
        if isinstance(run.stages.get(stage, {}).get("seconds"), int | float)
    ]
    if times:
        facts.append(("time", " · ".join(times)))
    if run.manifest.get(EXTRA_MASKS):
        facts.append((MARK, str(run.manifest[EXTRA_MASKS])))
    if run.manifest.get(PROBE):
        facts.append(("protocol", PROBE_MODE))
    if run.manifest.get("checkpoint_sha256"):
        facts.append(("checkpoint", str(run.manifest["checkpoint_sha256"])[:12]))
    return facts


def _verdict(groups: dict[str, Any]) -> dict[str, Any] | None:
    """Return the numbers at the top of the page: unseen against seen classes and against the best trivial row."""

    def miou(group: str, row: str = "gt_box_miou") -> float | None:
        value = ((groups.get(group) or {}).get(row) or {}).get("class_mean")
        return float(value) if value is not None else None

    main = "unseen" if miou("unseen") is not None else "seen" if miou("seen") is not None else "all"
    value, seen = miou(main), miou("seen")
    trivial = [other for other in (miou(main, "full_box"), miou(main, "ellipse")) if other is not None]
    if value is None:
        return None
    return {
        "group": main,
        "value": value,
        "seen": seen,
        "trivial": max(trivial) if trivial else None,
        "gain": value - max(trivial) if trivial else None,
    }


def _training_charts(run: RunFiles) -> list[Markup]:
    from psis_bench.figures.training_curves import plot_learning_rate, plot_loss_terms

    losses, rates = curves.thin_log(run.log)
    charts = []
    with style.themed():
        if len(losses):
            ax = plot_loss_terms(style.new_axes(), losses)
            charts.append(inline_svg(ax, name="loss", label="Terms of the training loss over iterations"))
        if len(rates):
            ax = plot_learning_rate(style.new_axes(), rates)
            charts.append(inline_svg(ax, name="rate", label="Learning rate over iterations"))
    return charts


def _class_charts(run: RunFiles) -> dict[str, Any]:
    from psis_bench.figures.class_bars import plot_class_bars

    columns, left_out = curves.class_columns(run.per_class)
    charts = []
    with style.themed():
        for index, table in enumerate(columns):
            ax = style.new_axes(height=0.75 + 0.175 * len(table))
            plot_class_bars(ax, table)
            charts.append(inline_svg(ax, name=f"classes{index}", label="GT-box mIoU of each class, best first"))
    return {"charts": charts, "left_out": left_out, "without": int(run.per_class["gt_box_miou"].isna().sum())}


def _instance_charts(run: RunFiles) -> list[Markup]:
    from psis_bench.figures.iou_by_size import plot_iou_by_size
    from psis_bench.figures.iou_distribution import plot_iou_distribution

    if run.per_instance["iou"].isna().all():
        return []
    with style.themed():
        spread = plot_iou_distribution(style.new_axes(height=3.5), curves.iou_distribution(run.per_instance))
        by_size = plot_iou_by_size(style.new_axes(height=3.5), curves.iou_by_size(run.per_instance))
        return [
            inline_svg(
                spread, name="spread", label="Share of instances with at least a given IoU, seen and unseen classes"
            ),
            inline_svg(by_size, name="size", label="Mean IoU against object size, seen and unseen classes"),
        ]


def _shipped(name: str) -> Markup:
    from markupsafe import Markup

    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file
