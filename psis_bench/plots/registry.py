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
    "probe": "true | false: runs of probe mode, or trainings of their own; so chooses each key of a run",
}

_TABLES = {
    1: "Deep-MARC with the default head: crops from proposals or ground truth",
    2: "Deep-MARC: four mask heads, both crop sources",
    3: "Deep-MAC: mask heads on two backbones",
    4: "detection-free: GT-box mIoU of mask heads",
    5: "Deep-MAC: what an hourglass owes to skips and down-sampling",
    6: "Deep-MAC: dilated convolutions in ResNet-20",
    7: "detection-free: backbones and mask heads",
    8: "all methods, in both directions",
    9: "fully supervised, test-dev (the paper's numbers alone)",
    10: "embeddings given to the mask head",
    11: "fully connected mask heads",
    12: "Mask R-CNN, fully supervised: class-specific or not",
    13: "students of self-distillation",
}

PLOTS: dict[str, Plot] = {
    "figure1": Plot(
        module="psis_bench.plots.figure1",
        summary="mask heads side by side on the same objects; runs in the order of the columns",
        keys={"group": "unseen | seen                                      [unseen]", "rows": "how many objects  [5]"},
    ),
    "figure3": Plot(
        module="psis_bench.plots.figure3",
        summary="seen against unseen classes, by depth and family of the mask head",
        keys={"metric": "mask_ap | gt_box_miou | box_ap                  [mask_ap where there is a detector]"},
    ),
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
    "figure6": Plot(
        module="psis_bench.plots.figure6",
        summary="masks in boxes of your own; folders that psis-bench predict image=... boxes=... wrote",
        keys={"columns": "images in a row                                     [3]"},
    ),
    "figure7": Plot(
        module="psis_bench.plots.figure7",
        summary="annotation quality: crude and careful masks of a class; and where two files annotate the same object",
        keys={
            "data": "data set whose masks are looked at                  [synthetic]",
            "data.root": "its folder",
            "part": "train | val                                         [val]",
            "classes": "classes to show                  [bicycle,dining_table,potted_plant]",
            "least": "smallest mask, square root of its area in pixels    [64]",
            "other": "annotation file of the same images, as LVIS's of COCO: mutual IoU",
        },
    ),
    **{
        f"table{number}": Plot(module="psis_bench.plots.tables", summary=summary) for number, summary in _TABLES.items()
    },
}
