"""The settings of a run, from ``key=value`` arguments to one frozen, checked `RunConfig`.

Values are merged into a structured configuration by OmegaConf, so that a misspelt key or a value of the
wrong type is refused before anything is computed. What MMEngine's configuration should get besides is
collected from ``mm.<path>=value`` (the path must exist) and ``+mm.<path>=value`` (adds it); whether a path
exists is checked where the model is composed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from psis_bench.config_overrides import key_of_path, merge_overrides, parse_value, path_of_key
from psis_bench.errors import UserError, did_you_mean

CROP_SOURCES = ("gt", "proposals+gt")
OVERWRITES = ("none", "train", "predict", "score", "report", "all")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_TYPES = {"int": "a whole number", "str": "a text", "bool": "true or false"}


@dataclass(frozen=True)
class DataKeys:
    """Which data set: its name or a YAML file, and the folder that holds it."""

    name: str = "synthetic"
    root: str | None = None


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides one run.

    Attributes:
        split: Name of a split protocol, or a YAML file that declares one.
        model: Path of a model configuration under ``configs/models``, without ``.py``; or any ``.py`` file.
        mask_head: Name of a file under ``configs/mask_heads``, or any ``.py`` file; None: the model's own.
        crop_source: ``"gt"`` or ``"proposals+gt"``; None: the model's own.
        data: The data set.
        schedule: Name of a file under ``configs/schedules``, or any ``.py`` file; None: the model's own.
        iterations: Length of the training; None: that of the schedule.
        teacher: Folder of a trained run that segments the boxes of classes without masks for this one to learn from.
        seed: Seed of initialisation, data order and augmentation.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:<n>"`` or ``"mps"``.
        workers: Processes that load data; 0 loads in the main process.
        threads: CPU threads of torch; 0 takes every core.
        gpus: Processes of a training on each node, each with a GPU of its own; on CPUs each with its share of cores.
        nodes: Nodes of a SLURM job that a training is shared out to.
        out: The run directory; filled in when the configuration is resolved.
        box_jitter: Strengths of boxes that are not tight, on which masks are predicted too, as ``"0.1,0.2"``.
        boundary: Whether boundary AP and boundary IoU are scored too; None: no.
        class_agnostic: Whether class-agnostic recall is scored too; None: no.
        overwrite: First stage whose results may be thrown away; ``"none"``: nothing is.
        mm: Overrides of MMEngine's configuration: path (``"+path"`` where it is added) to value.
    """

    split: str
    model: str = "detection_free/small"
    mask_head: str | None = None
    crop_source: str | None = None
    data: DataKeys = field(default_factory=DataKeys)
    schedule: str | None = None
    iterations: int | None = None
    teacher: str | None = None
    seed: int = 0
    device: str = "auto"
    workers: int = 1
    threads: int = 0
    gpus: int = 1
    nodes: int = 1
    out: str | None = None
    box_jitter: str | None = None
    boundary: bool | None = None
    class_agnostic: bool | None = None
    overwrite: str = "none"
    mm: dict[str, Any] = field(default_factory=dict)


def configs_dir() -> Path:
    """Return the folder of model, mask head, schedule and data configurations.

    In a checkout it stands beside the package, in an installed wheel inside it.
    """
    package = Path(__file__).resolve().parent
    beside = package.parent / "configs"
    return beside if (beside / "models").is_dir() else package / "configs"


def resolve_config(arguments: Sequence[str], *, base: RunConfig | None = None) -> RunConfig:
    """Turn ``key=value`` arguments into a checked configuration with every path and ``out`` filled in.

    Args:
        arguments: E.g. ``["split=voc2nonvoc", "data=coco", "mm.optim_wrapper.optimizer.lr=0.01"]``.
        base: Where the values come from that are not given; None: the defaults.

    Raises:
        UserError: Unknown key or name, value of the wrong type or out of range.
    """
    values, mm = _read_arguments(arguments)
    if base is None and "split" not in values:
        raise UserError("no split is given", cure="add e.g. split=voc2nonvoc; `psis-bench ls splits` shows all")
    merged = _merge(values, base)
    config = dataclasses.replace(merged, mm=merge_overrides(merged.mm, mm))
    config = _check(_resolve_paths(config))
    return config if config.out else dataclasses.replace(config, out=str(default_out(config)))


def default_out(config: RunConfig) -> Path:
    """Return ``runs/<split>/<model>-<mask head>-<data>-seed<k>``, the run directory when none is given."""

    def short(name: str) -> str:
        path = Path(name)
        plain = path.stem if path.suffix in (".yaml", ".yml", ".py") else name
        if path.name == "dataset.yaml":
            plain = path.parent.name
        return re.sub(r"[^\w.+-]+", "-", plain).strip("-")

    parts = [config.model, config.mask_head, config.crop_source, config.data.name, config.teacher and "student"]
    run = "-".join(short(part) for part in parts if part)
    return Path("runs") / short(config.split) / f"{run}-seed{config.seed}"


def flatten(config: RunConfig) -> dict[str, Any]:
    """Return the configuration as the keys that a user would type, e.g. ``"data.root"`` and ``"+mm.x.y"``."""
    flat: dict[str, Any] = {}
    for key, value in dataclasses.asdict(config).items():
        if key == "mm":
            flat |= {key_of_path(path): item for path, item in value.items()}
        elif isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def config_to_yaml(config: RunConfig) -> str:
    """Return the configuration as the text of ``config.yaml``."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dataclasses.asdict(config)))


def load_config(path: Path) -> RunConfig:
    """Read a ``config.yaml`` that was written by this package.

    Raises:
        UserError: The file is missing, damaged, or has keys that this version does not know.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        read = OmegaConf.to_container(OmegaConf.load(path))
        if not isinstance(read, dict):
            raise UserError("not a run's configuration", where=str(path), cure="choose another out=")
        mm = {str(key): value for key, value in (read.pop("mm", None) or {}).items()}
        return dataclasses.replace(_merge({str(key): value for key, value in read.items()}, None), mm=mm)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), cure="give the folder of a run (psis-bench ls runs)") from None
    except (yaml.YAMLError, OmegaConfBaseException, AttributeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"damaged: {reason}", where=str(path), cure="remove the folder or choose another out="
        ) from None
    except UserError as error:
        raise UserError(
            error.what, where=str(path), cure="the run is of another version; choose another out="
        ) from None


def _read_arguments(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort ``key=value`` arguments into nested values for `RunConfig` and overrides for MMEngine."""
    values: dict[str, Any] = {}
    mm: dict[str, Any] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            raise UserError(f"{argument!r} is not key=value", cure=_cure_of_word(argument))
        if "${" in text:
            raise UserError(f"{key}: '${{' cannot be used in a value", cure="write the value itself")
        if key.startswith(("mm.", "+mm.")):
            mm[path_of_key(key)] = parse_value(key, text)
            continue
        if not text:
            raise UserError(f"{key} has no value", cure=f"write {key}=..., or leave it out")
        value = None if text == "null" else text
        if key == "data":
            values.setdefault("data", {})["name"] = value
            continue
        _check_key(key)
        parent, dot, inner = key.partition(".")
        if dot:
            values.setdefault(parent, {})[inner] = value
        else:
            values[key] = value
    return values, mm


def _cure_of_word(word: str) -> str:
    if word in _keys():
        return f"give a value, as in {word}=..."
    if Path(word).is_dir():
        return f"a folder is given first, or as out={word}"
    return "arguments look like split=voc2nonvoc"


def _keys() -> list[str]:
    fields = [item.name for item in dataclasses.fields(RunConfig) if item.name != "mm"]
    return [*fields, "data.name", "data.root"]


def _check_key(key: str) -> None:
    if key not in _keys():
        hint = did_you_mean(key, [*_keys(), "mm.<path>"])
        bare = key.removeprefix("+")
        if key.startswith("+") and bare in _keys():
            hint = f"only mm.<path> takes a plus; write {bare}=..."
        elif key == "mm":
            hint = "give a path, as in mm.optim_wrapper.optimizer.lr=0.01"
        raise UserError(f"unknown key {key!r}", cure=hint)


def _merge(values: Mapping[str, Any], base: RunConfig | None) -> RunConfig:
    """Merge values into the structured configuration; ``mm`` stays that of ``base``."""
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

    structured = OmegaConf.structured(RunConfig)
    layers: list[Any] = []
    if base is not None:
        layers.append({key: value for key, value in dataclasses.asdict(base).items() if key != "mm"})
    try:
        merged = cast(RunConfig, OmegaConf.to_object(OmegaConf.merge(structured, *layers, dict(values))))
    except ConfigKeyError as error:
        raise UserError(f"unknown key {error.full_key!r}", cure=did_you_mean(str(error.full_key), _keys())) from None
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key} is missing", cure=f"add {error.full_key}=...") from None
    except OmegaConfBaseException as error:
        raise _wrong_type(str(error.full_key), values) from None
    return dataclasses.replace(merged, mm=dict(base.mm) if base is not None else {})


def _wrong_type(key: str, values: Mapping[str, Any]) -> UserError:
    """Tell which type a key wants and what it was given instead."""
    parent, _, inner = key.partition(".")
    owner: Any = DataKeys if inner else RunConfig
    given: Any = values.get(parent)
    given = given.get(inner) if inner and isinstance(given, Mapping) else given
    annotation = {item.name: str(item.type) for item in dataclasses.fields(owner)}.get(inner or parent, "")
    wanted = _TYPES.get(annotation.removesuffix(" | None"), "another kind of value")
    if annotation.endswith("| None"):
        wanted += " or null"
    return UserError(f"{key} must be {wanted}, not {'null' if given is None else repr(given)}")


def _resolve_paths(config: RunConfig) -> RunConfig:
    """Make the paths of YAML files and folders absolute, so that a run can be continued from anywhere."""

    def absolute(name: str) -> str:
        return str(Path(name).expanduser().resolve()) if name.endswith((".yaml", ".yml", ".py")) else name

    name = config.data.name
    if "/" in name and (Path(name).expanduser() / "dataset.yaml").is_file():
        name = str(Path(name) / "dataset.yaml")
    root = str(Path(config.data.root).expanduser().resolve()) if config.data.root else None
    out = str(Path(config.out).expanduser()) if config.out else None
    data = DataKeys(name=absolute(name), root=root)
    return dataclasses.replace(
        config,
        split=absolute(config.split),
        model=absolute(config.model),
        mask_head=absolute(config.mask_head) if config.mask_head else None,
        schedule=absolute(config.schedule) if config.schedule else None,
        teacher=str(Path(config.teacher).expanduser().resolve()) if config.teacher else None,
        data=data,
        out=out,
    )


def _check(config: RunConfig) -> RunConfig:
    """Refuse names and numbers that no run could use."""
    from psis_bench.config_listing import check_name

    for kind, name in (("models", config.model), ("mask_heads", config.mask_head), ("schedules", config.schedule)):
        if name:
            check_name(kind, name)
    for key, value, allowed in (
        ("crop_source", config.crop_source, CROP_SOURCES),
        ("overwrite", config.overwrite, OVERWRITES),
    ):
        if value is not None and value not in allowed:
            raise UserError(f"unknown {key} {value!r}", cure=did_you_mean(value, allowed))
    if config.box_jitter:
        from psis_bench.scoring.masks.box_jitter import read_strengths

        read_strengths(config.box_jitter)
    if not _DEVICE.fullmatch(config.device):
        devices = ("auto", "cpu", "cuda", "cuda:0", "mps")
        raise UserError(f"unknown device {config.device!r}", cure=did_you_mean(config.device, devices))
    for key, number, least in (
        ("iterations", config.iterations, 1),
        ("seed", config.seed, 0),
        ("workers", config.workers, 0),
        ("threads", config.threads, 0),
        ("gpus", config.gpus, 1),
        ("nodes", config.nodes, 1),
    ):
        if number is not None and number < least:
            raise UserError(f"{key}={number} is too small", cure=f"give a whole number of at least {least}")
    if config.seed >= 2**32:
        raise UserError(f"seed={config.seed} is too large", cure="give a whole number below 4294967296")
    return config
