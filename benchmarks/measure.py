"""Run a command and measure it; keep what was measured."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def run(*command: str) -> tuple[float, float, str]:
    """Run a script of the project in a process of its own.

    Whoever calls this must be small itself: a new process counts the memory of the one that started it as its own.

    Returns
    -------
    seconds, megabytes : float
        Wall-clock time, start of the interpreter included, and the highest resident memory.
    output : str
        What it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: python {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, output


def size_of(folder: Path, pattern: str = "*") -> float:
    """Return the megabytes of all files below `folder` whose names fit `pattern`."""
    return sum(file.stat().st_size for file in folder.rglob(pattern) if file.is_file()) / 1e6


def keep(name: str, content: object) -> None:
    """Write what was measured as ``benchmarks/results/<name>.json``, from which RESULTS.md is made."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def kept(name: str) -> dict | None:
    """Return what a benchmark kept, None where it has not run."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def run_one_of(functions: Mapping[str, Callable[..., None]], description: str) -> None:
    """Be a script that runs one of some functions, named on its command line before the function's arguments."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("function", choices=functions)
    parser.add_argument("arguments", nargs="*")
    args = parser.parse_args()
    functions[args.function](*args.arguments)
