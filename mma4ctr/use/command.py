"""What recommend.py does: choose a run, then score or rank under a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import polars as pl
from tqdm import tqdm

from mma4ctr.cli import UserError
from mma4ctr.data.registry import task_of
from mma4ctr.runs import finished, folder, tested
from mma4ctr.settings import Settings
from mma4ctr.use.trained import TrainedRun, load_run


def best_of(settings: Settings, task: str, protocol: str) -> TrainedRun:
    """Return the run of a model of the package with the highest validation AUC; test rows play no part.

    Raises
    ------
    UserError
        If no run of the task under this protocol stands on the artefacts as they are now.
    """
    task_of(settings, task)
    known = (content for content in folder.all_metrics(settings) if finished.native_model(content))
    of_task = [content for content in known if (content["task"], content["protocol"]) == (task, protocol)]
    found = [finished.load(settings, content) for content in of_task]
    current = [run for run in found if tested.is_current(settings, run)]
    if not current:
        raise UserError(
            f"{settings.saved_path}: has no run of {task} under the {protocol} protocol that stands on the artefacts "
            f"as they are now; run python mlp.py --dataset {task} --protocol {protocol} first"
        )
    return load_run(max(current, key=lambda run: (run.valid_auc, run.folder.name)).folder)


def chosen(settings: Settings, run: str | None, task: str | None, protocol: str | None) -> TrainedRun:
    """Return the run that is named, by its id or its folder, or the best one of a task."""
    if run is None:
        return best_of(settings, str(task), protocol or settings.protocol)
    place = folder.folder_of(settings, run)
    if not (place / folder.METRICS).exists():
        raise UserError(f"--run {run:.80}: {place} is not the folder of a finished run; give an id of "
                        f"{settings.saved_path / 'results.csv'}")  # fmt: skip
    return load_run(place)


def scored(run: TrainedRun, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the probabilities of pairs."""
    with tqdm(total=len(pairs), unit="pair", disable=not sys.stderr.isatty(), leave=False) as bar:
        return run.predict(pairs, bar.update)


def ranked(run: TrainedRun, users: Sequence[str] | None, k: int, *, unseen: bool) -> pl.DataFrame:
    """Return the best items of some users, of all where none are named."""
    chunks = []
    with tqdm(unit="user", disable=not sys.stderr.isatty(), leave=False) as bar:
        for chunk in run.top_chunks(users, k, unseen=unseen):
            chunks.append(chunk)
            bar.update(chunk["user"].n_unique())
    return pl.concat(chunks)
