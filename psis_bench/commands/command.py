"""What a subcommand is: its names and texts. No imports here that take time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """A flag: its name without the dashes, and what it does."""

    name: str
    help: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A subcommand.

    Attributes:
        summary: One line in the list of commands.
        description: The paragraph of its own help.
        module: Where its ``execute`` is.
        examples: Commands as one would type them.
        argument: How its arguments are shown.
        argument_help: What they are.
        options: Its flags.
        takes_keys: Whether the keys of a run are explained in its help.
    """

    summary: str
    description: str
    module: str
    examples: tuple[str, ...]
    argument: str
    argument_help: str
    options: tuple[Option, ...]
    takes_keys: bool = False


JSON = Option("json", "print the result as JSON on standard output, and nothing else there")
"""The flag that most commands have."""
