"""What MMEngine raises when a config names something that cannot be built, told as a mistake of the user."""

from __future__ import annotations

from pathlib import Path

from psis_bench.errors import UserError

BUILD_ERRORS = (AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)
"""What building from a config with a wrong name, value or argument raises, in MMEngine and below it."""


def build_error(error: BaseException, *, where: Path) -> UserError:
    """Return what to raise in the place of one of `BUILD_ERRORS`; ``where`` is the config or the run."""
    # MMEngine's text goes on about its documentation.
    reason = str(error.args[0] if error.args else error).partition(". Please check")[0]
    return UserError(
        f"cannot be built: {reason or type(error).__name__}",
        where=str(where),
        cure="correct the config or the mm. override that it comes from (--debug shows where)",
    )
