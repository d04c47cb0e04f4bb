"""Failures of the machine that reach the command line as exceptions of others: a full disk, no permission."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from psis_bench.errors import UserError
from psis_bench.files import write_error

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EIO, errno.EMFILE}
# Arrow and torch put the reason into the text alone.
_FULL = re.compile(r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed writing|inline_container")


def as_user_error(error: BaseException) -> UserError | None:
    """Return the error as one that the user can mend, or None when it is a defect of this package.

    Args:
        error: Any exception; what it was raised from is looked at too.
    """
    for link in _chain(error):
        if isinstance(link, UserError):
            return link
        if isinstance(link, OSError) and link.errno in _MACHINE and not isinstance(link, BrokenPipeError):
            return write_error(Path(str(link.filename)), link) if link.filename else _without_path(link)
        if isinstance(link, OSError | RuntimeError) and _FULL.search(str(link)):
            return UserError("cannot write: no space left on device", cure=_FREE)
        if isinstance(link, MemoryError):
            return UserError("the machine is out of memory", cure="close other programs, or lower workers=")
    return None


_FREE = "free some disk space and run the same command again"


def _without_path(error: OSError) -> UserError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return UserError(f"cannot write: {error.strerror or error}", cure=_FREE if full else None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
