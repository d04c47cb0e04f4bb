"""Arguments of the commands about submissions: any number of paths, and ``key=value``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psis_bench.commands.arguments import read_arguments
from psis_bench.errors import UserError


def paths_and_values(arguments: Sequence[str], keys: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Return the paths among the arguments, and the values by their keys.

    A path may have an equals sign below its first folder.

    Raises:
        UserError: An unknown key, or one without a value.
    """
    paths = [argument for argument in arguments if "=" not in argument or "/" in argument.partition("=")[0]]
    _, values = read_arguments([argument for argument in arguments if argument not in paths], keys)
    return [Path(path).expanduser() for path in paths], values


def zoo_of(values: dict[str, str]) -> Path:
    """Return the model zoo: what is given, ``model_zoo`` here, or that of the checkout."""
    if "zoo" in values:
        return Path(values["zoo"]).expanduser()
    here = Path("model_zoo")
    if here.is_dir():
        return here
    from psis_bench.config import configs_dir

    of_checkout = configs_dir().parent / "model_zoo"
    return of_checkout if of_checkout.is_dir() else here


def submissions_below(path: Path) -> list[Path]:
    """Return a path itself, or the submissions up to four folders below it when it is a folder of several."""
    if not path.is_dir() or (path / "submission.json").exists():
        return [path]
    found = sorted({file.parent for depth in range(1, 5) for file in path.glob("*/" * depth + "submission.json")})
    return found or [path]


def existing(path: Path, what: str) -> Path:
    """Return a path that is there.

    Raises:
        UserError: It is not.
    """
    if not path.exists():
        raise UserError(f"no such {what}", where=str(path), cure="check the path")
    return path
