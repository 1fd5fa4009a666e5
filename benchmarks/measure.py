"""Run a command and measure it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str) -> tuple[float, float]:
    """Run a script of the project in a process of its own.

    Returns
    -------
    seconds, megabytes : float
        Wall-clock time, start of the interpreter included, and the highest resident memory.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: python {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def size_of(folder: Path) -> float:
    """Return the megabytes of all files below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
