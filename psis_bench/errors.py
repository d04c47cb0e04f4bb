"""Errors that are meant for the person who made them.

Everything a user can get wrong raises `UserError`. The command line prints it as one line and exits
with code 2; any other exception is a defect of this package and shows a traceback with ``--debug``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend, told in one line.

    Args:
        what: What is wrong, without a full stop, e.g. ``"unknown split 'voc2novoc'"``.
        where: The file and the place in it, e.g. ``"instances.json: annotations[12].bbox"``.
        cure: What to do about it, as an imperative, e.g. ``"give four numbers x, y, width, height"``.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, cure: str | None = None) -> None:
        self.what = what
        self.where = where
        self.cure = cure
        text = f"{where}: {what}" if where else what
        super().__init__(" ".join((f"{text}; {cure}" if cure else text).split()))


def did_you_mean(name: str, candidates: Iterable[str], *, limit: int = 3) -> str:
    """Return ``"did you mean 'a' or 'b'?"`` for the nearest valid names, or a list of what is valid.

    Args:
        name: What the user typed.
        candidates: The valid names.
        limit: How many near names to give at most.
    """
    valid = list(dict.fromkeys(candidates))
    lowered = {candidate.lower(): candidate for candidate in valid}
    near = [lowered[hit] for hit in difflib.get_close_matches(name.lower(), lowered, n=limit, cutoff=0.55)]
    if near:
        return "did you mean " + " or ".join(repr(hit) for hit in near) + "?"
    if not valid:
        return "there is none to choose from"
    shown = ", ".join(valid[:12])
    return f"choose one of: {shown}" + (f", ... ({len(valid)} in all)" if len(valid) > 12 else "")
