"""What goes through the rows of an epoch: training, validation and scoring on one device.

`cuda_graph` and `data_parallel` have engines of their own, which do the same on a GPU without the host, and in several
processes at once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch

from mma4ctr.evaluation import metrics
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.losses import LOSSES, Loss
from mma4ctr.schedule import Schedule
from mma4ctr.training.adam import Adam
from mma4ctr.training.batches import EVALUATION_ROWS, Batches
from mma4ctr.training.negatives import training_rows
from mma4ctr.training.tables import Runs, scored

T = TypeVar("T")
VALIDATION_STREAM = (1,)  # which of the seed's streams of random numbers the order of validation rows comes from


def order_of_rows(rows: int, schedule: Schedule, epoch: int, attempt: int) -> torch.Tensor:
    """Return the order (rows,) int64 in which an epoch goes through the training rows."""
    return torch.from_numpy(np.random.default_rng([schedule.seed, epoch, attempt]).permutation(rows))


@functools.lru_cache(maxsize=1)
def validation_order(rows: int, seed: int, device: torch.device) -> torch.Tensor:
    """Return the order (rows,) int64 in which the validation rows are put into the batches that give the loss.

    `batch_softmax` depends on which rows share a batch; as they lie, those of one user would. The order is the same in
    every epoch and attempt, so that what changes from one epoch's loss to the next is the model alone; the published
    scripts shuffle anew in every epoch. It comes from a stream of its own, so that it changes no other draw.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=VALIDATION_STREAM))
    return torch.from_numpy(generator.permutation(rows)).to(device)


def whole_loss(loss_of: Loss, model: Model, batch: Batch, clicks: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch, the model's own penalty included."""
    loss, penalty = loss_of(model(batch), clicks), model.penalty()
    return loss if penalty is None else loss + penalty


def trained(model: Model) -> list[torch.nn.Parameter]:
    """Return the parameters that are trained: not those that a model has fixed beforehand."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


class Engine:
    """Goes through the rows on one device, a batch at a time.

    Attributes
    ----------
    is_first : bool
        Whether this process is the one that writes files and prints; with a single process it always is.
    """

    is_first = True

    def agreed(self, value: T) -> T:
        """Return the value that the first process has, so that all of them decide alike."""
        return value

    def close(self) -> None:
        """Leave whatever the engine has joined."""

    def optimiser(self, model: Model, schedule: Schedule) -> torch.optim.Optimizer:
        """Return a new optimiser for `model`."""
        return Adam(trained(model), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, foreach=True)

    def set_rate(self, optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
        """Give the optimiser another learning rate."""
        for group in optimiser.param_groups:
            group["lr"] = learning_rate

    def train_epoch(
        self, model: Model, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule, epoch: int,
        attempt: int,
    ) -> float:  # fmt: skip
        """Train for one epoch and return the mean loss of its batches."""
        model.train()
        rows = training_rows(batches, schedule, model, epoch, attempt)
        total, number = torch.zeros((), device=batches.clicks.device), 0
        order = order_of_rows(len(rows), schedule, epoch, attempt).to(batches.clicks.device)
        with Runs(model, -(-len(rows) // schedule.batch_size)) as runs:
            for batch, clicks in rows.batches(schedule.batch_size, order):
                runs.begin(batch)
                loss = whole_loss(rows.loss, model, batch, clicks)
                optimiser.zero_grad()
                loss.backward()
                runs.end()
                optimiser.step()
                total, number = total + loss.detach(), number + 1
        return float(total) / number

    def log_odds(self, model: Model, batches: Batches) -> torch.Tensor:
        """Return the log-odds (rows,) float32 of all rows of a part, on the device."""
        return log_odds_of(model, batches.batches(EVALUATION_ROWS))

    @torch.inference_mode()
    def validate(self, model: Model, batches: Batches, schedule: Schedule) -> dict[str, float]:
        """Return validation AUC, LogLoss, and the training loss on shuffled validation batches of its size."""
        log_odds = self.log_odds(model, batches)
        order = validation_order(len(batches), schedule.seed, log_odds.device)
        shuffled = (rows.index_select(0, order).split(schedule.batch_size) for rows in (log_odds, batches.clicks))
        losses = torch.stack([LOSSES[schedule.loss](*part) for part in zip(*shuffled, strict=True)]).double()
        probabilities = torch.sigmoid(log_odds)
        figures = {
            "valid_loss": losses.mean(),
            "valid_auc": metrics.tensor_auc(batches.clicks, probabilities),
            "valid_logloss": metrics.tensor_logloss(batches.clicks, probabilities),
        }
        # One transfer for all of them: each makes the host wait for the device.
        return self.agreed(dict(zip(figures, torch.stack(list(figures.values())).tolist(), strict=True)))


@torch.inference_mode()
def log_odds_of(model: Model, batches: Iterator[tuple[Batch, torch.Tensor]]) -> torch.Tensor:
    """Return the log-odds (rows,) float32 of the rows of some batches, on the device."""
    model.eval()
    return torch.cat([model(batch) for batch, _ in scored(model, batches)])


@torch.inference_mode()
def hidden_of(model: Model, batches: Batches) -> np.ndarray | None:
    """Return the last hidden layer (rows, width) float32 of all rows of a part, None where a model has none to show."""
    model.eval()
    layers = (model.hidden(batch) for batch, _ in scored(model, batches.batches(EVALUATION_ROWS)))
    found = [layer for layer in layers if layer is not None]
    return torch.cat(found).cpu().numpy() if found else None


def probabilities_of(model: Model, batches: Batches) -> np.ndarray:
    """Return the click probabilities (rows,) float32 of all rows of a part."""
    return torch.sigmoid(log_odds_of(model, batches.batches(EVALUATION_ROWS))).cpu().numpy()
