"""Arguments of commands that are no run: one word, and ``key=value``."""

from __future__ import annotations

from collections.abc import Sequence

from psis_bench.errors import UserError, did_you_mean


def read_arguments(arguments: Sequence[str], keys: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """Return the one word without ``=`` and the ``key=value`` arguments.

    Args:
        arguments: As typed, without options.
        keys: The keys that there are.

    Raises:
        UserError: A second word, an unknown key, a key that is there twice, or one without a value.
    """
    refuse_repeated(arguments)
    word: str | None = None
    values: dict[str, str] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals and word is None:
            word = argument
        elif not equals:
            raise UserError(f"{argument!r} is one word too many", cure=f"settings look like {keys[0]}=...")
        else:
            values[key] = value_of(key, text, keys)
    return word, values


def refuse_repeated(arguments: Sequence[str]) -> None:
    """Refuse a key that is given twice, since one of its values would be lost.

    Args:
        arguments: As typed; those without ``=`` are passed over.

    Raises:
        UserError: Names the key.
    """
    keys = [argument.partition("=")[0] for argument in arguments if "=" in argument]
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice is not None:
        raise UserError(f"{twice}= is given twice", cure="give it once")


def value_of(key: str, text: str, keys: Sequence[str]) -> str:
    """Return the text behind ``key=``.

    Raises:
        UserError: There is no such key, or nothing behind it.
    """
    if key not in keys:
        raise UserError(f"unknown key {key!r}", cure=did_you_mean(key, keys))
    if not text:
        raise UserError(f"{key} has no value", cure=f"write {key}=...")
    return text
