"""What the commands are called and what their help says. No imports here that take time."""

from __future__ import annotations

from psis_bench.commands.command import JSON as _JSON
from psis_bench.commands.command import Command, Option
from psis_bench.commands.help_convert import CONVERT
from psis_bench.commands.help_submissions import SUBMISSION_COMMANDS

KEYS = """\
keys:
  recipe=NAME        a row of the paper's tables: all of the keys below (psis-bench ls recipes)
  split=NAME         which classes have masks in training; a name or a .yaml (psis-bench ls splits)
  model=NAME         configs/models/NAME.py                       [detection_free/small]
  mask_head=NAME     configs/mask_heads/NAME.py                   [the model's own]
  crop_source=NAME   gt | proposals+gt, for Deep-MARC             [the model's own]
  data=NAME          synthetic, coco, ... or a .yaml (psis-bench ls data)      [synthetic]
  data.root=DIR      the folder that holds the data set
  schedule=NAME      configs/schedules/NAME.py                    [the model's own]
  iterations=N       length of the training                       [the schedule's]
  teacher=RUN        a trained run whose masks of the unseen classes this one learns from
  seed=N             of weights, data order and augmentation      [0]
  device=NAME        auto | cpu | cuda | cuda:N                   [auto]
  workers=N          processes that load data                     [1]
  threads=N          CPU threads, 0: all cores                    [0]
  gpus=N             processes of a training on each node, each with a GPU    [1]
  nodes=N            nodes of a SLURM job that a training is shared out to    [1]
  out=DIR            the run directory        [runs/<split>/<what is chosen>-seed<N>]
  box_jitter=S,S     also predict masks on boxes moved by these shares of their size, as 0.1,0.2
  boundary=true      also score boundary AP and boundary IoU
  class_agnostic=true  also score class-agnostic recall
  overwrite=STAGE    none | train | predict | score | report | all: results from this stage on
                     are thrown away                              [none]
  mm.PATH=VALUE      change a value of MMEngine's configuration; +mm.PATH=VALUE adds one

A stage that is done from the same inputs is not run again, so the same command continues an interrupted run.
The folder of a run in place of the keys takes them from there."""

_MARKDOWN = Option("markdown", "print the table as Markdown, and nothing else")
_CSV = Option("csv", "print every number in full as CSV, and nothing else")
_RUN_OPTIONS = (_JSON, Option("dry-run", "show the configuration and what would run and why; change nothing"))
_STAGE_ARGUMENT = "key=value"
_STAGE_HELP = "settings as below; the folder of a run may stand first"


def _stage(summary: str, description: str, *examples: str) -> Command:
    return Command(
        summary=summary,
        description=description,
        module="psis_bench.commands.stages",
        examples=examples,
        argument=_STAGE_ARGUMENT,
        argument_help=_STAGE_HELP,
        options=_RUN_OPTIONS,
        takes_keys=True,
    )


COMMANDS: dict[str, Command] = {
    "run": _stage(
        "train, predict, score and report",
        "Train, predict, score and report; ends with a table of seen and unseen classes and the path of report.html.",
        "psis-bench run split=voc2nonvoc",
        "psis-bench run split=random/20/0 mask_head=resnet4 seed=1",
        "psis-bench run split=voc2nonvoc data=coco data.root=/data/coco model=deep_marc/r50",
        "psis-bench run recipe=table2/hg52 data.root=/data/coco",
        "psis-bench run split=voc2nonvoc mm.optim_wrapper.optimizer.lr=0.0005 out=runs/lower_lr",
    ),
    "train": _stage(
        "only train",
        "Train a model under a split, or continue where a stopped training left off.",
        "psis-bench train split=voc2nonvoc",
    ),
    "predict": Command(
        summary="only predict, with a trained model; or segment boxes that you give",
        description="Predict detections, and masks on ground-truth boxes, for the validation images of a run.\n\n"
        "Or, with image= and boxes=, segment what is in boxes of your own (docs/user_boxes.md):\n"
        "  image=FILE         or a folder, or a pattern; may be given several times\n"
        "  boxes=BOXES        'x,y,w,h;x,y,w,h' in pixels, or a .csv or .json file\n"
        "  run=DIR            a trained run; or checkpoint=FILE with model= and mask_head=,\n"
        "                     or a model of the zoo by its name (psis-bench zoo list)\n"
        "  out=DIR            new folder for masks (PNG), masks.json (COCO) and overlays   [masks]",
        module="psis_bench.commands.predict",
        examples=(
            "psis-bench predict split=voc2nonvoc",
            "psis-bench predict runs/voc2nonvoc/detection_free-small-synthetic-seed0 device=cpu",
            "psis-bench predict image=photo.jpg boxes='10,20,200,150' run=runs/my_run",
            "psis-bench predict image=photos boxes=boxes.csv checkpoint=w.safetensors model=deep_marc/r50 out=masks",
        ),
        argument=_STAGE_ARGUMENT,
        argument_help=_STAGE_HELP,
        options=_RUN_OPTIONS,
        takes_keys=True,
    ),
    "score": Command(
        summary="score the predictions of a run, or anybody's COCO results (needs no torch)",
        description="Score the predictions of a run, or a COCO results file or prediction folder of any origin:\n"
        "detection AP and GT-box mIoU of all, seen and unseen classes.\n\n"
        "Either takes\n"
        "  boundary=true      also boundary AP, and boundary IoU of masks on ground-truth boxes\n"
        "  class_agnostic=true  also recall of the objects of each group, whatever class they are given\n\n"
        "A results file or prediction folder takes besides these keys alone:\n"
        "  split=NAME|YAML, data=NAME|YAML|annotations.json, data.root=DIR\n"
        "  out=DIR            also write scores.json, per_class.csv and per_instance.parquet there\n"
        "  details=true       also whether detection or masks limit mask AP, and GT-box mIoU by kind of object,\n"
        "                     as a run always has them\n"
        "  other=FILE         another annotation file of the same images: how far annotators agree, as a ceiling\n\n"
        "Annotations of LVIS are known by their fields and scored by LVIS's rules.",
        module="psis_bench.commands.score",
        examples=(
            "psis-bench score split=voc2nonvoc",
            "psis-bench score runs/voc2nonvoc/detection_free-small-synthetic-seed0 --json",
            "psis-bench score runs/voc2nonvoc/detection_free-small-synthetic-seed0 boundary=true",
            "psis-bench score results.json split=voc2nonvoc data=coco data.root=/data/coco out=scores",
            "psis-bench score results.json split=voc2nonvoc data=instances_val2017.json --markdown",
        ),
        argument=_STAGE_ARGUMENT,
        argument_help=f"a results file, or {_STAGE_HELP}",
        options=(*_RUN_OPTIONS, _MARKDOWN, _CSV),
        takes_keys=True,
    ),
    "compare": Command(
        summary="two or more scored runs side by side, with intervals (needs no torch)",
        description="Show scored runs side by side; of two, the difference with its interval, paired by image, and\n"
        "which classes moved. Runs that differ in their seed alone are one entry. What is compared:\n\n"
        "  the folder of a run, or one that psis-bench score ... out= wrote; or, with these keys,\n"
        "  results files and prediction folders, which are scored first:\n"
        "  split=NAME|YAML, data=NAME|YAML|annotations.json, data.root=DIR, boundary=true\n\n"
        "  draws=N            draws of images that intervals are taken from   [1000]",
        module="psis_bench.commands.compare",
        examples=(
            "psis-bench compare runs/voc2nonvoc/resnet4 runs/voc2nonvoc/hourglass20",
            "psis-bench compare runs/voc2nonvoc/*seed* --markdown",
            "psis-bench compare a.json b.json split=voc2nonvoc data=instances_val2017.json",
        ),
        argument="run",
        argument_help="two or more folders or results files",
        options=(_JSON, _MARKDOWN, _CSV, Option("all", "list every class, not only those that moved")),
    ),
    "report": _stage(
        "only make report.html of a scored run, or of a sweep (needs no torch)",
        "Make the page of a run: curves, a bar a class, and good, median and bad masks of unseen classes.\n"
        "Of the folder of a sweep: its transfer matrix and its jobs, as they are now.",
        "psis-bench report runs/voc2nonvoc/detection_free-small-synthetic-seed0",
        "psis-bench report runs/sweeps/transfer",
    ),
    "ls": Command(
        summary="list splits, models, data, recipes or runs",
        description="List what there is.\n\n"
        "  splits   which classes are seen and unseen\n"
        "  models   models and mask heads, with the first line of their configuration\n"
        "  data     data sets, and whether they are found\n"
        "  recipes  the rows of the paper's tables: its numbers, the model, what is missing to run one\n"
        "  runs     runs under ./runs (or the folder given), their stages and main numbers",
        module="psis_bench.commands.ls",
        examples=("psis-bench ls splits --all", "psis-bench ls recipes", "psis-bench ls models --json"),
        argument="what",
        argument_help="splits, models, data, recipes or runs; with runs: the folder to look in",
        options=(_JSON, Option("all", "every split of the single_source pattern")),
    ),
    "convert": CONVERT,
    "data": Command(
        summary="make or check a data set; make shape priors from one",
        description="Make a synthetic data set, check one in COCO format, or cluster the masks of seen classes.\n\n"
        "  make synthetic images=N out=DIR [val_images=N] [seed=N] [size=PIXELS] [workers=N]\n"
        "                 size: square root of the mean image area [160]; workers: processes [all cores]\n"
        "  check NAME|YAML [data.root=DIR] [workers=N]\n"
        "                 every fault, one a line, with the place and the cure\n"
        "  priors split=NAME [data=NAME|YAML] [data.root=DIR] [out=FILE.npz] [clusters=N] [size=CELLS]\n"
        "         [at_most=N] [seed=N]\n"
        "                 typical outlines of the seen objects, for ShapeMask; without a file it makes its own",
        module="psis_bench.commands.data",
        examples=(
            "psis-bench data make synthetic images=20000 out=/data/synthetic seed=1",
            "psis-bench data check coco data.root=/data/coco",
            "psis-bench data check my_set.yaml",
            "psis-bench data priors split=voc2nonvoc data=coco out=voc_shapes.npz",
        ),
        argument="what",
        argument_help="make, check or priors, and its settings",
        options=(_JSON, Option("dry-run", "make, priors: show what would be made")),
    ),
    "plot": Command(
        summary="the figures and tables of the paper, from runs",
        description="Draw a figure or make a table of the paper from runs or sweeps that are scored.\n"
        "Without arguments: the plots that there are, and their own keys.\n\n"
        "  out=DIR            where the files go: pictures, and the numbers in them as CSV   [runs/plots/NAME]\n"
        "  format=LIST        of pdf, svg, png                                               [pdf,png]\n"
        "  model=, mask_head=, data=, ...  which runs are meant, where there are several of one split and seed",
        module="psis_bench.commands.plot",
        examples=(
            "psis-bench plot",
            "psis-bench plot figure5b runs/sweeps/transfer",
            "psis-bench plot figure5a runs/sweeps/transfer metric=gt_box_miou format=svg out=figures",
        ),
        argument="what",
        argument_help="the plot, folders of runs or sweeps, and its settings",
        options=(_JSON,),
    ),
    "sweep": Command(
        summary="many runs: lists and patterns of keys, on this machine or on a cluster",
        description="Run every combination of keys that hold lists (a,b) or patterns (*), each a run in out=DIR/jobs.\n"
        "Only what is missing or failed is started, so the same command continues a stopped sweep and\n"
        "several may work on one folder. Ends with a table of the jobs, and report.html with the transfer\n"
        "matrix; exit code 1 while one has failed.\n\n"
        "  out=DIR            the folder of the sweep; alone it stands for the keys that were last used there\n"
        "  launcher=NAME      local: as many jobs at once as there are GPUs, or cores    [local]\n"
        "                     slurm: job arrays, put back when preempted    print: the commands\n"
        "  parallel=N         jobs at once                                 [GPUs, or cores]\n"
        "  retries=N          how often a job that fails is begun again    [0]\n"
        "  until=STAGE        train | predict | score | report             [report]\n"
        "  slurm.KEY=VALUE    partition, time (minutes), mem, account, ... as submitit names them\n"
        "  wait=true          with launcher=slurm: wait for the jobs       [false]\n"
        "  probe=true         one detector, frozen, and a mask head for each split on its features (docs/sweeps.md);\n"
        "                     probe.iterations=N, probe.batch=N, probe.detections=true\n\n"
        "All other keys are those of psis-bench run.",
        module="psis_bench.commands.sweep",
        examples=(
            "psis-bench sweep split=single_source/*,fully_supervised seed=0,1,2 out=runs/sweeps/transfer",
            "psis-bench sweep split=voc2nonvoc mask_head=resnet*,hourglass20 out=runs/sweeps/heads --dry-run",
            "psis-bench sweep out=runs/sweeps/transfer launcher=slurm slurm.partition=gpu slurm.time=600",
        ),
        argument="key=value",
        argument_help="settings as above, and keys of a run with lists and patterns",
        options=(
            _JSON,
            Option("dry-run", "show the jobs and their states; start nothing"),
            Option("all", "show every row of a table of more than 60 jobs"),
        ),
    ),
    "leaderboard": Command(
        summary="build the leaderboard: a static site, and the tables of model_zoo/README.md",
        description="Build the leaderboard from model_zoo/: published rows and submissions.\n\n"
        "  build [out=DIR] [zoo=DIR] [pictures=NAME|YAML] [data.root=DIR]\n"
        "                 out: folder of the site [site]; zoo: what it is built from [model_zoo]\n"
        "                 pictures: draw masks on the images of this data set, which you may publish\n\n"
        "The site opens from the disk or from any static host; it needs no network. A submission that cannot be\n"
        "read is named, nothing is written, and the exit code is 1.",
        module="psis_bench.commands.leaderboard",
        examples=("psis-bench leaderboard build", "psis-bench leaderboard build out=public pictures=synthetic"),
        argument="build",
        argument_help="build, and its settings",
        options=(_JSON,),
    ),
    **SUBMISSION_COMMANDS,
    "zoo": Command(
        summary="the model zoo: list models, get and check weights, add those of a run",
        description="The model zoo: configurations and weights, in the form of OpenMMLab (model-index.yml).\n\n"
        "  list [WORD]    models, those with weights first; WORD: only names that have it\n"
        "  get NAME [out=DIR]\n"
        "                 the file of a model's weights, downloaded on first use and checked\n"
        "  verify [NAME|FILE]\n"
        "                 weights against size, hash and format; without a word all on this machine\n"
        "  add RUN name=NAME licence=LICENCE [url=ADDRESS] [half=true] [replace=true]\n"
        "                 weights of a finished run into model_zoo/weights, and their entry into the metafile;\n"
        "                 url: the folder of a server where they will lie; half: 16 bits a number\n"
        "  index          give every configuration its entry\n"
        "  upload NAME repo=OWNER/NAME\n"
        "                 weights to the Hugging Face Hub (extra [hub])",
        module="psis_bench.commands.zoo",
        examples=(
            "psis-bench zoo list",
            "psis-bench zoo get my_model out=weights",
            "psis-bench zoo verify",
            "psis-bench zoo add runs/my_run name=my_model licence=Apache-2.0",
        ),
        argument="what",
        argument_help="list, get, verify, add, index or upload, and its settings",
        options=(_JSON,),
    ),
    "time": Command(
        summary="how long a model takes for an image, by stage; memory, parameters, multiply-adds",
        description="Time a model on images of one size, with masks on the same number of boxes in each: loading,\n"
        "backbone, detection, mask head, paste and encode, and end to end. Without run= its weights are random,\n"
        "which changes nothing but what its detector finds.",
        module="psis_bench.commands.timing",
        examples=(
            "psis-bench time model=deep_marc/small",
            "psis-bench time run=runs/voc2nonvoc/mine threads=1 batch=1,8 images=50 out=timing.json",
            "psis-bench time model=deep_mac/hg104 device=cuda size=1024x1024 --json",
        ),
        argument="key=value",
        argument_help="model=, mask_head=, device=, threads=, mm.PATH= as for a run; or run=DIR and its weights;\n"
        "batch=1,4; images=20, after warm_up=3 batches; boxes=100; size=640x480; out=FILE: the JSON, too",
        options=(_JSON,),
    ),
    "demo": Command(
        summary="a local page on which one draws boxes on a picture and gets masks",
        description="Serve a page on this machine: draw boxes on a picture of yours or an example, compare two\n"
        "models, move the threshold, download COCO JSON and PNG. Needs the extras [train] and [demo]. Nothing of a\n"
        "picture is kept, and nothing leaves the machine.\n\n"
        "  run=DIR            a trained run; may be given several times\n"
        "  checkpoint=NAME    a model of the zoo, or a file in the folder of its run; may be given several times\n"
        "                     [synthetic_hourglass20 and synthetic_resnet4]\n"
        "  port=N             where it listens, on 127.0.0.1 alone; 0: any free port   [8050]\n"
        "  device=NAME, threads=N    as for a run",
        module="psis_bench.commands.demo",
        examples=("psis-bench demo", "psis-bench demo run=runs/voc2nonvoc/a run=runs/voc2nonvoc/b port=0"),
        argument="key=value",
        argument_help="settings as above",
        options=(),
    ),
    "doctor": Command(
        summary="what is installed and found, and how to mend what is not",
        description="Report Python, torch, CUDA, the mm packages, disk and data, and for each problem the one command\n"
        "that mends it. Exit code 0 when all is fine, 1 otherwise.",
        module="psis_bench.commands.doctor",
        examples=("psis-bench doctor", "psis-bench doctor --json"),
        argument="key=value",
        argument_help="out=DIR: look at the disk of this folder [.]",
        options=(_JSON,),
    ),
}
