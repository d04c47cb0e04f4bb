"""Each figure, given a table made by hand, draws what the table says on the axes it was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from psis_bench.figures import style
from psis_bench.figures.class_bars import plot_class_bars
from psis_bench.figures.depth_curves import plot_depth_curves
from psis_bench.figures.iou_by_size import plot_iou_by_size
from psis_bench.figures.iou_distribution import plot_iou_distribution
from psis_bench.figures.seen_vs_unseen import plot_mask_generalization
from psis_bench.figures.training_curves import plot_learning_rate, plot_loss_terms


@pytest.fixture
def ax() -> Iterator[Axes]:
    with style.themed():
        yield style.new_axes()


def _draw(ax: Axes) -> None:
    """Run the layout and every formatter, where most mistakes show."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()


def _labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_loss_terms_are_one_line_each_and_the_sum_stands_out(ax: Axes) -> None:
    table = pd.DataFrame(
        {"iteration": [10, 20] * 3, "term": ["loss", "loss", "loss_mask", "loss_mask", "loss_$x$", "loss_$x$"],
         "value": [3.0, 2.0, 1.0, np.nan, 2.0, 1.5]}
    )  # fmt: skip
    assert plot_loss_terms(ax, table) is ax
    _draw(ax)
    assert len(ax.get_lines()) == 3
    assert _labels(ax) == ["mask", "$x$", "sum"]
    total = ax.get_lines()[2]
    assert list(total.get_ydata()) == [3.0, 2.0]
    assert total.get_color() == style.INK


def test_learning_rate_is_one_line(ax: Axes) -> None:
    assert plot_learning_rate(ax, pd.DataFrame({"iteration": [1, 2, 3], "lr": [0.1, 0.2, 0.02]})) is ax
    _draw(ax)
    (line,) = ax.get_lines()
    assert list(line.get_ydata()) == [0.1, 0.2, 0.02]


def test_class_bars_keep_the_order_and_tell_groups_apart_by_colour_and_hatch(ax: Axes) -> None:
    table = pd.DataFrame(
        {"name": ["cat", "a$b$c", "dog"], "group": ["unseen", "seen", "unseen"], "miou": [0.9, 0.7, 0.2],
         "ellipse_miou": [0.5, 0.6, 0.4]},
        index=[7, 7, 1],
    )  # fmt: skip
    assert plot_class_bars(ax, table) is ax
    _draw(ax)
    bars = sorted(ax.patches, key=lambda bar: bar.get_y())  # type: ignore[attr-defined]
    assert [bar.get_width() for bar in bars] == [0.9, 0.7, 0.2]  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["cat", "a$b$c", "dog"]
    top, bottom = ax.get_ylim()[1], ax.get_ylim()[0]
    assert top < bottom
    looks = [(to_hex(bar.get_facecolor()), bar.get_hatch()) for bar in bars]
    assert looks[0] == looks[2] == (style.GROUPS["unseen"].colour, "////")
    assert looks[1] == (style.GROUPS["seen"].colour, None)
    ticks = [lines for lines in ax.collections if isinstance(lines, LineCollection)]
    assert [segment[0, 0] for segment in ticks[-1].get_segments()] == [0.5, 0.6, 0.4]
    assert _labels(ax) == ["seen", "unseen", "ellipse"]


def test_distribution_has_a_line_for_each_group(ax: Axes) -> None:
    table = pd.DataFrame(
        {
            "group": ["seen"] * 2 + ["unseen"] * 2 + ["ellipse"] * 2,
            "iou": [0.0, 1.0] * 3,
            "share": [1, 0.5, 1, 0.2, 1, 0],
        }
    )
    assert plot_iou_distribution(ax, table) is ax
    _draw(ax)
    assert _labels(ax) == ["seen", "unseen", "inscribed ellipse"]
    assert [list(line.get_ydata()) for line in ax.get_lines()] == [[1, 0.5], [1, 0.2], [1, 0]]
    assert len({line.get_linestyle() for line in ax.get_lines()}) == 3
    assert [text.get_text() for text in ax.get_xticklabels()][-1] == "100"


def test_size_curve_has_a_band_for_each_group_of_classes(ax: Axes) -> None:
    table = pd.DataFrame(
        {"group": ["seen"] * 2 + ["ellipse"] * 2, "size": [16.0, 64.0] * 2, "mean": [0.5, 0.6, 0.3, 0.4],
         "low": [0.4] * 4, "high": [0.7] * 4, "instances": [9] * 4}
    )  # fmt: skip
    assert plot_iou_by_size(ax, table) is ax
    _draw(ax)
    assert _labels(ax) == ["seen", "inscribed ellipse"]
    assert sum(isinstance(band, FillBetweenPolyCollection) for band in ax.collections) == 1
    assert ax.get_xscale() == "log"


def test_empty_tables_draw_empty_axes(ax: Axes) -> None:
    columns = ["group", "size", "mean", "low", "high"]
    assert plot_iou_by_size(ax, pd.DataFrame(columns=columns)) is ax
    _draw(ax)


def _generalization(heads: list[str], groups: tuple[str, ...] = ("seen", "unseen")) -> pd.DataFrame:
    rows = [
        (head, group, 0.6 + 0.01 * i, 0.58 + 0.01 * i, 0.63 + 0.01 * i)
        for i, head in enumerate(heads)
        for group in groups
    ]
    return pd.DataFrame(rows, columns=["head", "group", "mean", "low", "high"])


@pytest.mark.parametrize("heads", [["ResNet-4", "Hourglass-20"], ["a", "b", "c", "$d$", "e"]])
def test_generalization_has_a_dot_with_its_interval_for_each_head_and_group(ax: Axes, heads: list[str]) -> None:
    table = _generalization([*heads, "full box", "ellipse"])
    table.loc[table["head"].isin(["full box", "ellipse"]), ["low", "high"]] = np.nan
    assert plot_mask_generalization(ax, table) is ax
    _draw(ax)
    dots = [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer)]
    assert len(dots) == 2 * len(heads)
    expected = table[(table["group"] == "seen") & table["low"].notna()]
    for dot, (_, row) in zip(dots[: len(heads)], expected.iterrows(), strict=True):
        ((_, low), (_, high)) = dot.lines[2][0].get_segments()[0]
        assert (low, high) == pytest.approx((row["low"], row["high"]))
        assert to_hex(dot.lines[0].get_color()) == style.GROUPS["seen"].colour
    assert [text.get_text() for text in ax.get_xticklabels()] == heads * 2
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("full box") == texts.count("ellipse") == 2
    assert {"seen classes", "unseen classes", "60.0"} <= set(texts)


def test_generalization_leaves_out_what_the_table_does_not_have(ax: Axes) -> None:
    table = _generalization(["a", "b"]).drop(index=[3])
    assert plot_mask_generalization(ax, table) is ax
    _draw(ax)
    assert len(ax.containers) == 3


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_a_figure_is_saved_in_the_format_of_its_name(ax: Axes, tmp_path: Path, suffix: str) -> None:
    plot_mask_generalization(ax, _generalization(["a"]))
    start = style.save(ax, tmp_path / "new" / f"figure{suffix}").read_bytes()[:60]
    assert {".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}[suffix] in start


def test_groups_differ_in_colour_marker_line_and_hatch() -> None:
    for trait in ("colour", "marker", "line", "hatch"):
        assert getattr(style.GROUPS["seen"], trait) != getattr(style.GROUPS["unseen"], trait)
    assert style.group_style("anything") is style.GROUPS["other"]


def test_every_colour_has_one_role() -> None:
    colours = [style.INK, style.MUTED, style.GRID, style.SURFACE, style.TRIVIAL, *style.LINE_COLOURS]
    colours += [look.colour for look in style.GROUPS.values()]
    assert len(colours) == len(set(colours))
    assert style.rgb("#0072b2") == (0, 114, 178)


def test_numbers_of_near_depths_do_not_run_into_each_other() -> None:
    depths = [4, 8, 9, 15, 16, 20, 21, 51, 52]
    table = pd.DataFrame({"depth": depths}).assign(family="a", group="unseen", mean=0.5, low=0.4, high=0.6)
    ax = plot_depth_curves(style.new_axes(), table, label="mask AP")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4", "8", "15", "20", "51"]
