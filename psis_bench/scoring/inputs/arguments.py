"""What a library call is given, checked before anything is read: an argument of another kind is told by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from psis_bench.errors import UserError, did_you_mean
from psis_bench.scoring.inputs.json_results import no_list_error


def check_choice(name: str, value: object, choices: Any) -> None:
    """Check that an argument is one of the texts of a ``Literal``.

    Raises:
        UserError: It is not; names the nearest.

    Example:
        >>> from psis_bench.scoring.engine import Engine
        >>> check_choice("engine", "pycocotool", Engine)
        Traceback (most recent call last):
            ...
        psis_bench.errors.UserError: engine: unknown value 'pycocotool'; did you mean 'pycocotools'?
    """
    valid = get_args(choices)
    if value not in valid:
        raise UserError(f"unknown value {value!r}", where=name, cure=did_you_mean(str(value), valid))


def predictions_of(given: Any) -> Path | Sequence[Mapping[str, Any]]:
    """Return predictions as a path, or as the content of a results file.

    Args:
        given: A path as text or object, or a list or tuple of detections.

    Raises:
        UserError: It is neither; names its type.
    """
    if isinstance(given, str | os.PathLike):
        return Path(given)
    if isinstance(given, Mapping):
        raise no_list_error(given, "predictions")
    if isinstance(given, Sequence) and not isinstance(given, bytes | bytearray):
        return given
    raise type_error("predictions", given, "a list of detections, or the path of a results file or prediction folder")


def annotations_of(given: Any) -> Path | Mapping[str, Any]:
    """Return annotations as a path, or as the content of an annotation file.

    Raises:
        UserError: They are neither; names their type.
    """
    if isinstance(given, str | os.PathLike):
        return Path(given)
    if isinstance(given, Mapping):
        return given
    raise type_error("annotations", given, "the path of an annotation file, or its content as a dictionary")


def type_error(name: str, given: object, wanted: str) -> UserError:
    """Return the error of an argument of another type than ``wanted``, which says what to give."""
    return UserError(f"has the type {type(given).__name__}", where=name, cure=f"give {wanted}")
