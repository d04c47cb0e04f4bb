"""Training: a composed config, a data set and a split become weights.

MMEngine's Runner does the work. What is added: the training set with restricted masks, a stream of samples
that depends on nothing but position, and checkpoints from which the same command continues.
"""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_distributed, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from psis_bench.console import progress
from psis_bench.data.coco_format import read_coco
from psis_bench.data.dataset_config import Subset
from psis_bench.engine import stream, training_set  # noqa: F401 - registers data set, transforms and sampler
from psis_bench.engine.build_errors import BUILD_ERRORS, build_error
from psis_bench.engine.checkpoints import ResumableCheckpoint, last_checkpoint, save_weights
from psis_bench.engine.data_parallel import wrapper_config
from psis_bench.engine.device import use_device
from psis_bench.engine.hooks import SeedEachIteration, TrainLog
from psis_bench.engine.images import from_worker
from psis_bench.engine.pseudo_label import student_subset
from psis_bench.engine.shape_priors import provide_shape_priors
from psis_bench.engine.untrained import keep_untrained
from psis_bench.errors import UserError
from psis_bench.files import write_text
from psis_bench.models import registered  # noqa: F401 - supplies mmcv's operations, so it comes before MMDetection
from psis_bench.models.compose import compose_run
from psis_bench.run import RunDirectory


def train(run: RunDirectory) -> None:
    """Train what a run directory's configuration names, or go on where it stopped.

    Raises:
        UserError: Everything that the user can mend; what was computed stays.
    """
    dataset = run.dataset
    if dataset.train is None:
        raise UserError(f"the data set '{dataset.name}' has no training part", cure="add train: to its YAML file")
    max_detections = run.split.max_detections
    # Once before anything is read: a mistake in mm. or crop_source is told at once, also where reading takes a minute.
    compose_run(run.config, classes=run.split.seen, max_detections=max_detections)
    subset = student_subset(run) if run.config.teacher else dataset.train
    annotations = subset.annotations
    # Read once only to be checked: every fault is found before the first iteration, not in the middle of one.
    coco = read_coco(annotations, images=subset.images, on_bad_boxes=dataset.on_bad_boxes)
    split = run.split.resolve(coco.categories, where=str(annotations))
    if run.split.by_synset:  # told now, not after the training
        scored = dataset.val.annotations
        run.split.check_scored(read_coco(scored, masks=False, on_bad_boxes="drop").categories, where=str(scored))
    # The student of a teacher is trained as if fully supervised, from a file without any other mask.
    taught = run.config.teacher is not None
    classes = [str(category["name"]) for category in coco.categories]
    config = compose_run(run.config, classes=classes, max_detections=max_detections)
    provide_shape_priors(config, folder=run.path, coco=coco, seen=classes if taught else run.split.seen)
    if not config.trained:
        keep_untrained(run, config, classes=classes)
        return
    if is_main_process():
        write_text(run.mm_config, config.pretty_text)
    settings = run.config
    train_model(
        config,
        folder=run.path,
        subset=subset,
        classes=classes,
        seen_ids=[int(category["id"]) for category in coco.categories] if taught else split.seen_ids,
        seed=settings.seed,
        workers=settings.workers,
        device=settings.device,
        threads=settings.threads,
    )


def training_dataloader(
    config: Config, *, subset: Subset, classes: Sequence[str], seen_ids: Iterable[int], seed: int, workers: int
) -> dict[str, Any]:
    """Return the config of the training data loader; of several processes each has its share of every batch.

    Raises:
        UserError: The batch cannot be shared out evenly.
    """
    processes = get_world_size()
    if config.batch_size % processes:
        raise UserError(
            f"a batch of {config.batch_size} images cannot be shared out to {processes} processes",
            cure="choose gpus= and nodes= that divide it, or set mm.batch_size",
        )
    source = {
        "type": "PartiallySupervisedDataset",
        "ann_file": str(subset.annotations),
        "data_prefix": {"img": str(subset.images)},
        # In the order of the file: MMDetection numbers labels by the file's order, whatever is asked for.
        "metainfo": {"classes": tuple(classes)},
        "seen_ids": sorted(seen_ids),
        "only_with_masks": config.only_images_with_masks,
        "filter_cfg": {"filter_empty_gt": True, "min_size": 8},
        "pipeline": config.train_pipeline,
    }
    return {
        "batch_size": config.batch_size // processes,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "sampler": {"type": "PositionSampler"},
        "dataset": {"type": "PositionStream", "dataset": source, "seed": seed},
        "collate_fn": {"type": "pseudo_collate"},
    }


def build_runner(
    config: Config,
    *,
    folder: Path,
    dataloader: dict[str, Any],
    seed: int,
    device: torch.device,
    resume_from: Path | None,
) -> Runner:
    """Return MMEngine's Runner for a training run that logs to files only.

    Raises:
        UserError: Something cannot be built as the config says.
    """
    logs = folder / "mmengine"
    logs.mkdir(parents=True, exist_ok=True)
    settings = Config(
        {
            "default_scope": "mmdet",
            "model": config.model,
            "work_dir": str(logs),
            # MMEngine keeps one logger, one visualizer and so on for each name in a process.
            "experiment_name": f"train-{os.getpid()}-{time.monotonic_ns()}",
            "train_dataloader": dataloader,
            "train_cfg": {
                "type": "IterBasedTrainLoop",
                "max_iters": config.max_iters,
                "val_interval": config.max_iters + 1,
            },
            "optim_wrapper": config.optim_wrapper,
            "param_scheduler": config.param_scheduler,
            # Hooks of this package log and save; MMEngine's would write half files and to the terminal.
            "default_hooks": {"logger": None, "checkpoint": None, "sampler_seed": None, "timer": None},
            "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
            "randomness": {"seed": seed, "deterministic": False},
            "visualizer": {"type": "Visualizer", "vis_backends": config.get("vis_backends", [])},
            "log_level": "WARNING",
            # The processes have found each other before (psis_bench.engine.rank).
            "launcher": "pytorch" if is_distributed() else "none",
            "model_wrapper_cfg": wrapper_config(device) if is_distributed() else None,
            "load_from": None if resume_from is None else str(resume_from),
            "resume": resume_from is not None,
        }
    )
    try:
        # MMEngine and pycocotools tell of each file that they read on standard output, where results go.
        with redirect_stdout(io.StringIO()):
            return _built(settings, device)
    except BUILD_ERRORS as error:
        raise build_error(error, where=folder / "mm_config.py") from error


def _built(settings: Config, device: torch.device) -> Runner:
    """Build everything now that MMEngine would build when training starts."""
    runner = Runner.from_cfg(settings)
    for handler in runner.logger.handlers:
        # Warnings go to MMEngine's log file: there is one for each frozen layer.
        if type(handler) is logging.StreamHandler:
            handler.setLevel(logging.ERROR)
    # MMEngine puts the model on whatever the machine has; the user decides here.
    runner.model.to(device)
    if device.type == "cpu" and not is_distributed():
        # A quarter to a half less time for the narrow convolutions of the small models. Several processes have it from
        # `SharedOut`, since the layout also decides which random number becomes which weight.
        runner.model.to(memory_format=torch.channels_last)
    _ = runner.train_loop  # with its data set
    if "paramwise_cfg" in runner.optim_wrapper:
        # A layer that several levels of a pyramid share is one group of parameters, not as many as there are levels.
        runner.optim_wrapper.paramwise_cfg.setdefault("bypass_duplicate", True)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


def train_model(
    config: Config,
    *,
    folder: Path,
    subset: Subset,
    classes: Sequence[str],
    seen_ids: Iterable[int],
    seed: int,
    workers: int,
    device: str,
    threads: int,
) -> Path:
    """Train, or go on where a stopped run left off; return the path of the final weights.

    Args:
        config: From `psis_bench.models.compose.compose_model`.
        folder: The run directory; ``checkpoints/`` and ``train_log.jsonl`` are written there.
        subset: The training part of a data set, checked.
        classes: Class names in the order of the annotation file, which is that of the labels.
        seen_ids: Category ids with mask supervision.
        seed: Seed of weights, order, augmentation and sampling.
        workers: Processes that load images; the result does not depend on it.
        device: See `use_device`.
        threads: CPU threads; the result on a CPU is repeatable for one number of threads.

    Raises:
        UserError: Bad data or config, a damaged checkpoint, a loss that is not finite.
    """
    place = use_device(device, threads)
    checkpoints = folder / "checkpoints"
    last = last_checkpoint(checkpoints)
    loader = training_dataloader(config, subset=subset, classes=classes, seen_ids=seen_ids, seed=seed, workers=workers)
    runner = build_runner(
        config,
        folder=folder,
        dataloader=loader,
        seed=seed,
        device=place,
        resume_from=None if last is None else last.path,
    )
    done = 0 if last is None else last.iteration
    with progress("train", total=config.max_iters, done=done, shown=is_main_process()) as bar:
        runner.register_hook(SeedEachIteration(seed=seed))
        runner.register_hook(TrainLog(path=folder / "train_log.jsonl", interval=config.log_interval, bar=bar))
        runner.register_hook(ResumableCheckpoint(folder=checkpoints, interval=config.checkpoint_interval))
        try:
            with redirect_stdout(io.StringIO()):  # as in build_runner
                runner.train()
        except UserError as error:
            raise from_worker(error) from error
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    final = checkpoints / "final.safetensors"
    if is_main_process():
        save_weights(final, weights, classes=classes)
    return final
