"""The plots that there are. No imports here that take time."""

from __future__ import annotations

from psis_bench.plots.request import Plot

_METRIC = "mask_AP | gt_box_miou | box_AP                  [mask_AP where there is a detector]"
_TRANSFER = {
    "metric": _METRIC,
    "sources": "classes in the order wanted, as in cat,dining_table",
    "targets": "classes in the order wanted                     [those that are unseen]",
    "groups": "YAML file: name of a group to names of classes, to have groups for targets",
    "reference": "split of the runs with masks of all classes     [fully_supervised]",
}

PLOTS: dict[str, Plot] = {
    "figure5a": Plot(
        module="psis_bench.plots.figure5a",
        summary="a bar a source class: mean over unseen classes, with intervals over seeds",
        keys=_TRANSFER,
    ),
    "figure5b": Plot(
        module="psis_bench.plots.figure5b",
        summary="the transfer matrix, clustered: share of what the run with all masks reaches",
        keys={**_TRANSFER, "order": "clustered | given                               [clustered]"},
    ),
}
