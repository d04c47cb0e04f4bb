"""Which weights segment given boxes: those of a run, a file, or a model of the zoo by its name. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psis_bench.config import RunConfig, load_config, resolve_config
from psis_bench.errors import UserError
from psis_bench.run import RESULTS, Stage
from psis_bench.zoo.index import NAME

_SUFFIXES = (".safetensors", ".pth")


@dataclass(frozen=True, kw_only=True)
class ChosenModel:
    """Weights, and what they are weights of.

    Attributes:
        title: How people call it: the name of the run's folder, of the file, or in the zoo.
        weights: The file.
        config: Names the model, and the device and its threads.
    """

    title: str
    weights: Path
    config: RunConfig


def model_of_run(folder: Path, keys: Sequence[str] = ()) -> ChosenModel:
    """Return the final weights of a run and its configuration.

    Args:
        folder: The run's directory.
        keys: ``key=value`` that change the configuration, e.g. ``device=cpu``.

    Raises:
        UserError: It is no run, or is not trained yet.
    """
    config = load_config(folder / "config.yaml")
    weights = folder / RESULTS[Stage.TRAIN]
    if not weights.is_file():
        raise UserError("the run has no trained weights yet", where=str(folder), cure=f"psis-bench train {folder}")
    return ChosenModel(title=folder.resolve().name, weights=weights, config=resolve_config(keys, base=config))


def model_of_checkpoint(name: str, keys: Sequence[str] = ()) -> ChosenModel:
    """Return the weights of a file, or of a model of the zoo (downloaded on first use), and their configuration.

    Args:
        name: Path of a ``.safetensors`` or ``.pth`` file, or a name as in ``psis-bench zoo list``.
        keys: ``key=value`` that choose the model and the device. In the folder of its run a file needs none.

    Raises:
        UserError: There is no such file or model, or nothing says what the weights are of.
    """
    weights = Path(name).expanduser()
    if any(word.startswith("model=") for word in keys):
        config = resolve_config(["split=fully_supervised", *keys])
        return ChosenModel(title=weights.stem, weights=weights, config=config)
    if not weights.is_file():
        if NAME.fullmatch(name) and not name.endswith(_SUFFIXES):
            return _model_of_zoo(name, keys)
        raise UserError("no such checkpoint", where=name, cure="give a file, or a name of psis-bench zoo list")
    # A checkpoint that still lies in its run's folder has its configuration beside it.
    beside = next((place for place in weights.absolute().parents[:2] if (place / "config.yaml").is_file()), None)
    if beside is None:
        raise UserError(
            "nothing says which model these weights are of",
            where=str(weights),
            cure="add model= and mask_head= (psis-bench ls models)",
        )
    config = resolve_config(keys, base=load_config(beside / "config.yaml"))
    return ChosenModel(title=f"{beside.name}/{weights.stem}", weights=weights, config=config)


def _model_of_zoo(name: str, keys: Sequence[str]) -> ChosenModel:
    from psis_bench.zoo.index import find_model
    from psis_bench.zoo.run_settings import run_settings
    from psis_bench.zoo.weights import get_weights

    base = run_settings(find_model(name))
    return ChosenModel(title=name, weights=get_weights(name), config=resolve_config(keys, base=base))
