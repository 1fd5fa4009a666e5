"""The ranking test of a finished run: its clicks against items that their users never met."""

from __future__ import annotations

import numpy as np
import torch

from mma4ctr.cli import UserError
from mma4ctr.evaluation import ranking
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models.contract import Batch, Model
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import fit, folder
from mma4ctr.runs.run import Run
from mma4ctr.store import disk
from mma4ctr.training.batches import Batches
from mma4ctr.training.devices import device_of
from mma4ctr.training.engine import log_odds_of

ROWS = 16_384  # scored at a time
STREAM = 4  # which of the seed's streams of random numbers the items come from


def draws_of(inputs: Inputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a ranking test draws from.

    Returns
    -------
    clicks : (n,) int64 array
        The places of the clicks among the test rows.
    items : (k,) int array
        The items of all parts, sorted.
    met : (pairs,) int64 array
        What users met in any row of the task, as `evaluation.ranking.unmet` takes it.
    """
    rows = inputs.task.rows
    items = np.unique(rows[np.concatenate(list(inputs.task.parts.values())), 1])
    met = np.unique(rows[:, 0].astype(np.int64) * inputs.items + rows[:, 1])
    return np.flatnonzero(inputs.task.part("test")[:, 2] == 1), items, met


def refuse_counts(inputs: Inputs, model: str, option: str) -> None:
    """Raise `UserError` where a model needs what an item that was not shown does not have."""
    if "counts" in inputs.needs:
        raise UserError(f"{option}: {model} needs the counts of a row, which an item that was not shown does not have; "
                        "leave the option out")  # fmt: skip


def test_clicks(inputs: Inputs, protocol: str, device: torch.device) -> Batches:
    """Return the test rows with the content of every item, scaled as the test is."""
    test = Batches(inputs, "test", device, every_item=True)
    scaled_by = Batches(inputs, PROTOCOLS[protocol].scaled_by["test"], device)
    if scaled_by.content:
        test.scale(*scaled_by.content.column_range())
    return test


def scores_of(model: Model, test: Batches, clicks: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the log-odds (n, k) float32 of items (n, k) in the place of those of the test rows `clicks` (n,)."""
    device = test.clicks.device
    size = max(1, ROWS // items.shape[1])

    def batches() -> object:
        for start in range(0, len(clicks), size):
            rows = torch.from_numpy(clicks[start : start + size]).to(device)
            shown = torch.from_numpy(np.ascontiguousarray(items[start : start + size].T)).to(device)
            batch: Batch = test.with_items(rows, shown)
            yield batch, rows

    found = log_odds_of(model, batches()).cpu().numpy()  # type: ignore[arg-type]
    parts = np.split(found, np.cumsum([min(size, len(clicks) - start) * items.shape[1]
                                       for start in range(0, len(clicks), size)])[:-1])  # fmt: skip
    return np.vstack([part.reshape(items.shape[1], -1).T for part in parts])


def evaluate(run: Run, number: int) -> dict[str, float]:
    """Return the ranking test of a finished run; what was found before is read.

    Returns
    -------
    dict
        ``auc``, the mean over clicks of the share of items that a click is scored above; ``clicks``, how many.

    Raises
    ------
    UserError
        If the model needs what an item that was not shown does not have, or no user has unmet items.
    """
    place = folder.folder_of(run.settings, run.id)
    file = place / f"unmet_{number}.json"
    if file.exists():
        return disk.read_object(file, disk.Known(f"the same command after removing {file}"))
    inputs, model = fit.finished_model(run)
    refuse_counts(inputs, run.model, f"--unmet {number}")
    device, test = device_of(run.device or "auto"), inputs.task.part("test")
    clicks, items, met = draws_of(inputs)
    rng = np.random.default_rng([run.settings.seed, STREAM])
    drawn = ranking.unmet(rng, met, test[clicks, 0], items, number, inputs.items)
    clicks, drawn = clicks[drawn[:, 0] >= 0], drawn[drawn[:, 0] >= 0]
    if len(clicks) == 0:
        raise UserError(f"--unmet {number}: every user of the test has met nearly all items; leave the option out")
    shown = np.column_stack([test[clicks, 1].astype(np.int64), drawn])
    scores = scores_of(model, test_clicks(inputs, run.protocol, device), clicks, shown)
    found = {"auc": float(ranking.auc_of_clicks(scores[:, 0], scores[:, 1:]).mean()), "clicks": len(clicks)}
    disk.write_json(file, found)
    return found
