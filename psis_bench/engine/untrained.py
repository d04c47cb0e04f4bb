"""The train stage of a model that is not trained: it writes down what the model is, and that it has learned nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dist import is_main_process

from psis_bench import console
from psis_bench.engine.checkpoints import save_weights
from psis_bench.files import write_text
from psis_bench.run import RunDirectory


def keep_untrained(run: RunDirectory, config: Config, *, classes: Sequence[str]) -> None:
    """Write the state of a model as it is built, a few bytes without learned weights, in place of a training.

    Nothing is written before the model is built: a run that never began may still be given another configuration.

    Raises:
        UserError: The model cannot be built as the config says, for lack of its own weights or package.
    """
    model: Any = MODELS.build(config.model)
    if is_main_process():
        write_text(run.mm_config, config.pretty_text)
        state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
        save_weights(run.final_weights, state, classes=classes)
        told = "train: this model has nothing to learn; what is written is its settings"
        console.err.print(told, soft_wrap=True, markup=False)
