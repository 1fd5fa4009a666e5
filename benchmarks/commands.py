"""Commands of the campaign in processes of their own: started, watched, waited for, and what is left of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import measure
from scenes import Ran

LONGEST = 120.0  # seconds that a command may take
Command = tuple[str, Sequence[str]]


class Running(NamedTuple):
    """A command at work. Its output goes to files: a pipe ends only with the last process that has it."""

    command: Command
    process: subprocess.Popen
    out: IO[str]
    err: IO[str]


def start(command: Command) -> Running:
    """Start a command in a session of its own, by which its processes are found."""
    script, words = command
    out, err = (tempfile.TemporaryFile("w+", errors="replace") for _ in range(2))  # noqa: SIM115, `wait` closes them
    program = [sys.executable, str(measure.ROOT / f"{script}.py"), *words]
    return Running(command, subprocess.Popen(program, start_new_session=True, stdout=out, stderr=err), out, err)


def wait(running: Running) -> Ran:
    """Wait for the end of a command; end it where that takes too long."""
    try:
        status, late = running.process.wait(LONGEST), ""
    except subprocess.TimeoutExpired:
        running.process.kill()
        status, late = running.process.wait(), f"not at its end after {LONGEST:.0f} s"
    with running.out as out, running.err as err:
        out.seek(0), err.seek(0)
        return Ran(*running.command, status, out.read(), err.read() + late)


def run(command: Command) -> Ran:
    """Run a command to its end in a process of its own."""
    return wait(start(command))


def touched(folder: Path) -> set[tuple[Path, int]]:
    """Return the files below a folder with their times."""
    found = set()
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a temporary one
            found.add((file, file.stat().st_mtime_ns))
    return found


def wait_for_work(running: Running, folder: Path, before: set[tuple[Path, int]]) -> None:
    """Wait until a command changes something in a folder, its locks included, or ends."""
    while running.process.poll() is None and touched(folder) == before:
        time.sleep(0.002)


def left_over(session: int) -> list[int]:
    """Return the processes of a session that are still there (by /proc, so on Linux)."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()  # state, parent, group, session
            if fields[0] != "Z" and int(fields[3]) == session:
                found.append(int(file.parent.name))
    return found
