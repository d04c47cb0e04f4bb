"""What is wrong with a data set: one line for each fault, raised at once or collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from psis_bench.errors import UserError

Report = Callable[[str, str, str], None]
"""Takes the place (``annotations[12].bbox``), what is wrong there, and the cure. May raise or return."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault of a data set.

    Attributes:
        where: The file and the place in it.
        what: What is wrong.
        cure: What to do about it.
    """

    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        return str(self.error())

    def error(self) -> UserError:
        """Return the fault as the error that a reader of the file raises."""
        return UserError(self.what, where=self.where, cure=self.cure)


def raising(path: object) -> Report:
    """Return a report that raises a `UserError` for the first fault of the file ``path``."""

    def report(place: str, what: str, cure: str) -> NoReturn:
        raise UserError(what, where=f"{path}: {place}" if place else str(path), cure=cure)

    return report


class Collector:
    """Keeps the first faults and counts the others.

    Args:
        limit: How many are kept.
    """

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._kept: list[Problem] = []

    def report_for(self, path: object) -> Report:
        """Return a report that collects the faults of the file ``path``."""

        def report(place: str, what: str, cure: str) -> None:
            self.add(Problem(where=f"{path}: {place}" if place else str(path), what=what, cure=cure))

        return report

    def add(self, problem: Problem) -> None:
        """Count a fault, and keep it while there are fewer than ``limit``."""
        self.count += 1
        if len(self._kept) < self.limit:
            self._kept.append(problem)

    def add_error(self, error: UserError) -> None:
        """Count a fault that was raised."""
        self.add(Problem(where=error.where or "", what=error.what, cure=error.cure or ""))

    def problems(self) -> list[Problem]:
        """Return the faults that were kept, and one more that tells how many there are besides."""
        further = self.count - len(self._kept)
        if not further:
            return list(self._kept)
        told = Problem(
            where=self._kept[-1].where.partition(": ")[0],
            what=f"{further} further problems are not shown",
            cure="mend these first",
        )
        return [*self._kept, told]
