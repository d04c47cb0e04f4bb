"""The command ``psis-bench``: its subcommands, their help, and what happens when something goes wrong.

Nothing heavy is imported before a subcommand needs it: ``psis-bench --help`` answers at once. Exit codes: 0 done;
1 a problem was found (``doctor``, ``data check``) or this package has a defect; 2 something the user can mend, told
in one line; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

from psis_bench import __version__
from psis_bench.commands.command import Command, Option
from psis_bench.commands.help_texts import COMMANDS, KEYS
from psis_bench.errors import UserError, did_you_mean

_USAGE = """\
psis-bench trains, predicts and scores models for partially supervised instance segmentation:
boxes for all classes, masks for only some. How good are the masks of the other classes?

  psis-bench run split=voc2nonvoc          train, predict, score and report on synthetic images
  psis-bench ls splits                     which splits there are (also: models, data, recipes, runs)
  psis-bench doctor                        what is installed and found, and how to mend what is not
  psis-bench --help                        all commands
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    without_debug = [argument for argument in arguments if argument != "--debug"]
    return guarded(lambda: _dispatch(without_debug), debug=without_debug != arguments)


def guarded(action: Callable[[], int], *, debug: bool = False) -> int:
    """Do something as a command does it: every failure becomes one line and an exit code.

    Args:
        action: Returns the exit code of a success.
        debug: Whether a traceback is shown before the line.
    """
    try:
        code = action()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _stopped("interrupted; the same command continues where it stopped", 130)
    except BrokenPipeError:
        # The reader went away (`psis-bench ls splits | head`): silence what Python would still say at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _failed(error)


def _failed(error: Exception) -> int:
    """Tell of an error in one line and return the exit code."""
    from psis_bench.commands.failures import as_user_error

    mistake = as_user_error(error)
    if mistake is not None:
        return _stopped(f"error: {mistake}", mistake.exit_code)
    told = " ".join(str(error).split()) or "no message"
    return _stopped(
        f"defect: {type(error).__name__}: {told} (this is not your mistake; --debug shows where it happened)", 1
    )


def _stopped(line: str, code: int) -> int:
    # Not through rich: it would break the line at the width of the terminal.
    sys.stdout.flush()
    sys.stderr.write(f"psis-bench: {line}\n")
    return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        sys.stdout.write(_USAGE)
        return 0
    parser = _parser()
    first = arguments[0]
    if not first.startswith("-") and first not in COMMANDS:
        cure = f"put a command before it, as in psis-bench run {first}" if "=" in first else None
        raise UserError(f"unknown command {first!r}", cure=cure or did_you_mean(first, COMMANDS))
    options, rest = parser.parse_known_args(arguments)
    if "command" not in options or options.command is None:
        raise UserError(f"unknown option {rest[0]!r}" if rest else "no command is given", cure="psis-bench --help")
    # argparse stops filling key=value arguments at the first option; those after it are left over.
    for argument in rest:
        if argument.startswith("-"):
            known = [f"--{option.name}" for option in COMMANDS[options.command].options] + ["--help", "--debug"]
            raise UserError(f"unknown option {argument!r}", cure=did_you_mean(argument, known))
    options.arguments = [*options.arguments, *rest]
    command = COMMANDS[options.command]
    execute = cast(Callable[[argparse.Namespace], int], importlib.import_module(command.module).execute)
    return execute(options)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line like all others."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        keywords |= {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*args, **keywords)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing two lines and ending the process."""
        raise UserError(message, cure=f"see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="psis-bench",
        description="Benchmark of partially supervised instance segmentation: boxes for all classes, masks for some.",
        epilog="example:\n  psis-bench run split=voc2nonvoc data=coco data.root=/data/coco model=deep_marc/r50\n\n"
        "Each command has its own help: psis-bench run --help",
    )
    parser.add_argument("--version", action="version", version=f"psis_bench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", title="commands")
    for name, command in COMMANDS.items():
        _add_command(commands, name, command)
    return parser


def _add_command(commands: Any, name: str, command: Command) -> None:
    epilog = f"example{'s' if len(command.examples) > 1 else ''}:\n" + "\n".join(
        f"  {line}" for line in command.examples
    )
    described = command.description + (f"\n\n{KEYS}" if command.takes_keys else "")
    parser = commands.add_parser(name, help=command.summary, description=described, epilog=epilog)
    parser.add_argument("arguments", nargs="*", metavar=command.argument, help=command.argument_help)
    for option in (*command.options, Option("debug", "show the traceback of an error")):
        parser.add_argument(f"--{option.name}", action="store_true", help=option.help)
    parser.set_defaults(command=name)


if __name__ == "__main__":
    sys.exit(main())
