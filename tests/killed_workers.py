"""Functions that workers run in the tests of the cluster, and that kill the worker the first time.

They lie in a module of their own, since workers import it: nothing here needs pytest.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from mma4ctr.data import item_rows
from mma4ctr.data.datasets import tiktok
from mma4ctr.data.raw_files import Part
from mma4ctr.grid.plan import Job
from mma4ctr.settings import Settings


def kill_once(marker: Path) -> None:
    """Kill this process, unless `marker` says that another one was killed before."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def square(number: int, folder: Path) -> int:
    """Square a number; the first worker that is to square 3 is killed."""
    if number == 3:
        kill_once(folder / "killed")
    return number * number


def read_titles(part: Part, kept: np.ndarray, folder: Path) -> item_rows.Lines:
    """Read titles; the first worker that comes to the last part is killed, with all that it has read before."""
    if part.end == part.file.stat().st_size:
        kill_once(folder / "killed")
    return tiktok.read_titles(part, kept)


def end(job: Job, settings: Settings) -> str:
    """End the process that is to do a run."""
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def train(job: Job, settings: Settings) -> str:
    """Do a run; the first worker that has done three epochs is killed, and the run that goes on is noted."""
    from mma4ctr.training.trainer import Trainer

    folder = settings.saved_path.parent
    save, resume = Trainer._save, Trainer._resume

    def save_and_die(self: Trainer) -> None:
        save(self)
        if len(self.progress.history) == 3:
            kill_once(folder / "killed")

    def note(self: Trainer, checkpoint: Path) -> None:
        resume(self, checkpoint)
        (folder / f"resumed_after_{len(self.progress.history)}").touch()

    Trainer._save, Trainer._resume = save_and_die, note
    try:
        return job.do(settings)
    finally:
        Trainer._save, Trainer._resume = save, resume
