"""What every script's command line has in common: one-line errors, progress bars, closing lines."""

from __future__ import annotations

import argparse
import functools
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mma4ctr import ending, signals

T = TypeVar("T")
UNLIMITED = 10_000  # columns
LONGEST = 80  # characters of a value that a message repeats


class UserError(Exception):
    """An error that the user can cause and mend; its text is the one line that the user reads.

    The text names the file, line or key, what was found, what was expected and what to do.
    """


def step(main: Callable[[Sequence[str] | None], object]) -> Callable[[Sequence[str] | None], object]:
    """Wrap a script's ``main(argv=None)``, so that it ends in one line whatever ends it; see `mma4ctr.ending`."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> object:
        # One line, without source code.
        warnings.formatwarning = lambda message, *where: ending.from_here(f"warning: {message}\n")
        print_anything()
        try:
            with signals.raised_signals():
                try:
                    return main(argv)
                finally:
                    flush_output()
        except UserError as error:
            ending.say(f"error: {error}")
            raise SystemExit(2) from None
        except BrokenPipeError:  # whoever read the output, such as head, has had enough
            ending.drop_output()
            raise SystemExit(1) from None
        except BaseException as error:  # panics of Polars are no Exceptions
            ending.end(error)
            raise

    return wrapped


def flush_output() -> None:
    """Write what was printed: where nobody can read a result, there is none."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        ending.drop_output()
        raise UserError(f"what was printed cannot be written ({error.strerror}); make room, or let the output go "
                        "elsewhere, and run the same command again") from None  # fmt: skip


def print_anything() -> None:
    """Let stdout and stderr escape what their encoding, or any, cannot express, such as names of some files."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Parser(argparse.ArgumentParser):
    """A parser of arguments that repeats no more than the beginning of a long one."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def,override]
        """Keep the words, for `error`."""
        self.words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def print_help(self, file: Any = None) -> None:
        """Print the help, and fail where it cannot be printed."""
        print(self.format_help(), end="", file=file)

    def error(self, message: str) -> NoReturn:
        """End with status 2 and a message that has long words cut."""
        values = (value for word in self.words for value in (word, word.partition("=")[2]) if len(value) > LONGEST)
        for value in values:
            for written in (repr(value), value):
                message = message.replace(written, f"{written:.{LONGEST}}...")
        super().error(message)


def parser(description: str) -> Parser:
    """Return an argument parser that shows `description` as it is written and takes no abbreviations."""
    return Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)


def add_paths_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--paths``, which every step takes."""
    parser.add_argument("--paths", metavar="FILE", help="settings file; default: the path.json beside the scripts")


def step_parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of a step that works through data sets: ``--paths``, ``--dataset`` and ``--force``."""
    made = parser(description)
    add_paths_argument(made)
    made.add_argument("--dataset", nargs="+", metavar="NAME", help="default: every data set whose logs are there")
    made.add_argument("--force", action="store_true", help="build again even where nothing has changed")
    return made


def matrix_parser(description: str, protocols: Iterable[str], layouts: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of a step that writes matrices: that of a step, ``--protocol`` and ``--dense``."""
    made = step_parser(description)
    add_protocol_argument(made, protocols)
    made.add_argument(
        "--dense", nargs="?", choices=layouts, const=layouts[0],
        help="also write each feature row by row, float64, unscaled, for the rows of the protocol: [user embeddings | "
        "item features | click] (the default: the published input of mlp.py; needs step 3) or [user id | item features "
        "| click]",
    )  # fmt: skip
    return made


def add_tasks_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--dataset``, which names the tasks that a step after training works through."""
    parser.add_argument(
        "--dataset", nargs="+", metavar="TASK", help="tasks; default: of every data set whose logs are there"
    )


def add_scheduler_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--scheduler``, which hands the work to a cluster."""
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work, such as tcp://10.0.0.1:8786 "
        "(default: this process; see docs/cluster.md)",
    )  # fmt: skip


def add_protocol_argument(parser: argparse.ArgumentParser, protocols: Iterable[str]) -> None:
    """Add ``--protocol``, which overrides the key of path.json."""
    parser.add_argument("--protocol", choices=protocols, help="default: protocol of path.json")


def count_in_words(value: object) -> str:
    """Return what a step counted as it is read: the parts of a whole one after another, numbers with commas."""
    if isinstance(value, dict):
        return ", ".join(f"{number:,} {part}" for part, number in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(table: Table) -> None:
    """Print a table as wide as it is: a narrower terminal wraps its lines rather than lose figures."""
    console = Console()
    needed = Measurement.get(console, console.options.update(width=UNLIMITED), table).maximum
    Console(width=max(console.width, needed)).print(table)


def progress() -> Progress:
    """Return a rich progress bar for files, on stderr, silent when that is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def track(things: Sequence[T]) -> Iterator[T]:
    """Yield `things` one after another under a progress bar."""
    with progress() as bar:
        task = bar.add_task("", total=len(things))
        for thing in things:
            bar.update(task, description=getattr(thing, "name", str(thing)))
            yield thing
            bar.advance(task)
