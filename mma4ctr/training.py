"""Train one MLP: epochs, halving of the learning rate, validation interruption, early stop, and going on after a kill.

Every random choice follows from the seed: the first weights from (seed, attempt), the order of an epoch's batches from
(seed, epoch, attempt). So a longer run has the shorter one as its prefix, and a resumed run equals an undisturbed one.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mma4ctr import artifacts, metrics
from mma4ctr.inputs import Batches
from mma4ctr.model import LOSSES, MLP, initialise, starting_bias

ATTEMPTS = 5  # how often an epoch is tried before its result is kept whatever it is
EPOCHS_PER_HALVING = 5
EVALUATION_ROWS = 8_192  # rows scored at a time
# What PyTorch raises for a checkpoint that is not whole, or not of this model.
DAMAGED = (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How to train; the names are those of mlp.py's options."""

    epochs: int
    learning_rate: float
    batch_size: int
    loss: str
    seed: int
    lr_change: bool
    interruption: bool
    patience: int | None

    def rate(self, epoch: int, interruptions: int) -> float:
        """Return the learning rate of an epoch, counted from 0, after so many interruptions."""
        halvings = (epoch // EPOCHS_PER_HALVING if self.lr_change else 0) + interruptions
        return self.learning_rate * 0.5**halvings


@dataclasses.dataclass
class Progress:
    """Where a training run stands after an epoch; all that a checkpoint holds beside weights and optimiser."""

    interruptions: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = -1
    train_seconds: float = 0.0

    def is_finished(self, schedule: Schedule) -> bool:
        """Tell whether the last epoch, or the last that `patience` allows, is done."""
        done = len(self.history)
        impatient = schedule.patience is not None and done - 1 - self.best_epoch >= schedule.patience
        return done >= schedule.epochs or (done > 0 and impatient)


def order_of_rows(rows: int, schedule: Schedule, epoch: int, attempt: int) -> torch.Tensor:
    """Return the order (rows,) int64 in which an epoch goes through the training rows."""
    return torch.from_numpy(np.random.default_rng([schedule.seed, epoch, attempt]).permutation(rows))


def train_epoch(
    model: MLP, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule, epoch: int, attempt: int
) -> float:
    """Train for one epoch and return the mean loss of its batches."""
    loss_of = LOSSES[schedule.loss]
    total, number = torch.zeros((), device=batches.clicks.device), 0
    order = order_of_rows(len(batches), schedule, epoch, attempt).to(batches.clicks.device)
    for batch, clicks in batches.batches(schedule.batch_size, order):
        loss = loss_of(model(batch), clicks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total, number = total + loss.detach(), number + 1
    return float(total) / number


@torch.inference_mode()
def log_odds_of(model: MLP, batches: Batches) -> torch.Tensor:
    """Return the log-odds (rows,) float32 of all rows of a part, on the device."""
    return torch.cat([model(batch) for batch, _ in batches.batches(EVALUATION_ROWS)])


@torch.inference_mode()
def hidden_of(model: MLP, batches: Batches) -> np.ndarray:
    """Return the last hidden layer (rows, 4) float32 of all rows of a part."""
    return torch.cat([model.hidden(batch) for batch, _ in batches.batches(EVALUATION_ROWS)]).cpu().numpy()


def probabilities_of(model: MLP, batches: Batches) -> np.ndarray:
    """Return the click probabilities (rows,) float32 of all rows of a part."""
    return torch.sigmoid(log_odds_of(model, batches)).cpu().numpy()


@torch.inference_mode()
def validate(model: MLP, batches: Batches, schedule: Schedule) -> dict[str, float]:
    """Return validation AUC, LogLoss, and the training loss on validation batches of the training size."""
    log_odds = log_odds_of(model, batches)
    parts = zip(log_odds.split(schedule.batch_size), batches.clicks.split(schedule.batch_size), strict=True)
    losses = [float(LOSSES[schedule.loss](*part)) for part in parts]
    labels, probabilities = batches.clicks.cpu().numpy(), torch.sigmoid(log_odds).cpu().numpy()
    return {
        "valid_loss": sum(losses) / len(losses),
        "valid_auc": metrics.auc(labels, probabilities),
        "valid_logloss": metrics.logloss(labels, probabilities),
    }


class Trainer:
    """A model in training, with all that its checkpoint holds.

    Parameters
    ----------
    in_features : int
    parts : dict of str to Batches
        The training and validation rows; the test rows are not touched here.
    schedule : Schedule
    checkpoint : Path, optional
        Where the state is kept after every epoch; an existing one is gone on from.
    """

    def __init__(
        self, in_features: int, parts: dict[str, Batches], schedule: Schedule, checkpoint: Path | None = None
    ) -> None:
        self.training, self.validation = parts["training"], parts["validation"]
        self.schedule, self.checkpoint = schedule, checkpoint
        self.model = MLP(in_features).to(self.training.clicks.device)
        self.click_rate = float(self.training.clicks.mean())
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] = {}
        self._start(attempt=0)
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)

    def _start(self, attempt: int) -> None:
        """Put the model and the optimiser at their beginning."""
        schedule = self.schedule
        initialise(self.model, schedule.seed, attempt, starting_bias(schedule.loss, self.click_rate))
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=schedule.learning_rate, foreach=True)

    def _state(self) -> dict[str, dict]:
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def _restore(self, state: dict[str, dict]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _resume(self, checkpoint: Path) -> None:
        try:
            content = torch.load(checkpoint, weights_only=True, map_location=self.training.clicks.device)
            self._restore(content)
            self.best, self.progress = content["best"], Progress(**content["progress"])
        except DAMAGED as error:
            warnings.warn(f"{checkpoint}: cannot be read ({error!s:.60}); the run starts over", stacklevel=2)
            self.best, self.progress = {}, Progress()
            self._start(attempt=0)

    def _save(self) -> None:
        if self.checkpoint is not None:
            content = {**self._state(), "best": self.best, "progress": dataclasses.asdict(self.progress)}
            with artifacts.replacing(self.checkpoint) as temporary:
                torch.save(content, temporary)

    def _attempt(self, epoch: int, attempt: int) -> dict[str, float]:
        """Train and validate one epoch as the learning rate now stands."""
        rate = self.schedule.rate(epoch, self.progress.interruptions)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = train_epoch(self.model, self.optimiser, self.training, self.schedule, epoch, attempt)
        validated = validate(self.model, self.validation, self.schedule)
        return {"epoch": epoch + 1, "attempts": attempt + 1, "learning_rate": rate, "train_loss": loss, **validated}

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Run one epoch; undo it and run it at half the rate while its validation AUC is 0.5 or less."""
        before = copy.deepcopy(self._state()) if self.schedule.interruption else None
        for attempt in range(ATTEMPTS):
            entry = self._attempt(epoch, attempt)
            if entry["valid_auc"] > 0.5 or not self.schedule.interruption or attempt == ATTEMPTS - 1:
                break
            self.progress.interruptions += 1
            if epoch == 0:
                self._start(attempt + 1)
            else:
                self._restore(copy.deepcopy(before))
        return {**entry, "interruptions": self.progress.interruptions, "kept_below_half": entry["valid_auc"] <= 0.5}

    def run(self, after_epoch: Callable[[MLP, dict[str, float]], None] = lambda model, entry: None) -> MLP:
        """Train to the end and return the model.

        Parameters
        ----------
        after_epoch : callable, optional
            Called with the model and the epoch's entry of the history, to which it may add.

        Returns
        -------
        MLP
            The weights after the last epoch or, with `patience`, of the best validation AUC.
        """
        progress = self.progress
        bar = tqdm(total=self.schedule.epochs, initial=len(progress.history), unit="epoch", disable=None, leave=False)
        while not progress.is_finished(self.schedule):
            started = time.perf_counter()
            entry = self._epoch(len(progress.history))
            entry["seconds"] = time.perf_counter() - started
            progress.train_seconds += entry["seconds"]
            after_epoch(self.model, entry)
            progress.history.append(entry)
            if entry["valid_auc"] > self._best_auc():
                progress.best_epoch = len(progress.history) - 1
                self.best = copy.deepcopy(self.model.state_dict()) if self.schedule.patience is not None else {}
            self._save()
            bar.update()
            bar.set_postfix(valid_auc=f"{entry['valid_auc']:.4f}", loss=f"{entry['train_loss']:.4f}")
        bar.close()
        sys.stderr.flush()
        if self.schedule.patience is not None and self.best:
            self.model.load_state_dict(self.best)
        return self.model

    def _best_auc(self) -> float:
        return self.progress.history[self.progress.best_epoch]["valid_auc"] if self.progress.best_epoch >= 0 else 0.0
