"""Train one model: epochs, halving of the learning rate, validation interruption, early stop, going on after a kill.

Every random choice follows from the seed: the first weights from (seed, attempt), the order of an epoch's batches from
(seed, epoch, attempt), that of the validation rows from the seed alone. So a longer run has the shorter one as its
prefix, and a resumed run equals an undisturbed one.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Model
from mma4ctr.models.layers import initialise
from mma4ctr.models.losses import starting_bias
from mma4ctr.schedule import Schedule
from mma4ctr.training.batches import Batches, fixed_once
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.engine import Engine
from mma4ctr.training.negatives import click_rate

PREPARING = 2**31  # stands for the epoch before the first one, in what is drawn
ATTEMPTS = 5  # how often an epoch is tried before its result is kept whatever it is
# What is raised for a checkpoint that is not whole or not of this run, or of a model that has changed since.
UNUSABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError)


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


def seed_dropout(*seed: int) -> None:
    """Seed PyTorch's own generators, from which dropout draws, so that a resumed epoch drops what it would have."""
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1)))


def require_gradient(schedule: Schedule, rows: int) -> None:
    """Raise `UserError` where no batch of `rows` training rows gives a gradient.

    The softmax over a batch of a single row is 1, whatever its score.
    """
    if schedule.loss == "batch_softmax" and min(schedule.batch_size, rows) < 2:
        raise UserError(
            f"--batch_size {schedule.batch_size} on {rows:,} training rows: batches of one row have no gradient under "
            "the loss batch_softmax, which is taken over a batch; give 2 or more, or --loss bce"
        )


class Trainer:
    """A model in training, with all that its checkpoint holds.

    Parameters
    ----------
    model : Model
        A new one; it is put on the device of the rows and started from the seed.
    parts : dict of str to Batches
        The training and validation rows; the test rows are not touched here.
    schedule : Schedule
    checkpoint : Checkpoint, optional
        Where the state is kept after every epoch; an existing one is gone on from.
    engine : Engine, optional
        What goes through the rows; one device, one batch at a time, where it is left out.
    """

    def __init__(
        self, model: Model, parts: dict[str, Batches], schedule: Schedule, checkpoint: Checkpoint | None = None,
        engine: Engine | None = None,
    ) -> None:  # fmt: skip
        self.training, self.validation = parts["training"], parts["validation"]
        require_gradient(schedule, len(self.training))
        self.schedule, self.checkpoint, self.engine = schedule, checkpoint, engine or Engine()
        self.model = model.to(self.training.clicks.device)
        self.click_rate = click_rate(self.training, schedule)
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] = {}
        self._start(attempt=0)
        if checkpoint is not None and checkpoint.exists:
            self._resume(checkpoint)
        self._check_that_all_start_alike()

    def _check_that_all_start_alike(self) -> None:
        """Raise `UserError` where the processes of one model found different checkpoints."""
        here, first = len(self.progress.history), self.engine.agreed(len(self.progress.history))
        if here != first and self.checkpoint is not None:
            raise UserError(
                f"{self.checkpoint.file}: has {here} epochs in this process and {first} in the first one; every "
                "process has to see the same torch_model_path: put it on a file system that they share"
            )

    def _start(self, attempt: int) -> None:
        """Put the model and the optimiser at their beginning."""
        schedule = self.schedule
        self.model.requires_grad_(True)
        initialise(self.model, schedule.seed, attempt, starting_bias(schedule.loss, self.click_rate))
        seed_dropout(schedule.seed, PREPARING, attempt)
        self.model.prepare(self.training, schedule.seed)
        self.optimiser = self.engine.optimiser(self.model, schedule)

    def _state(self) -> dict[str, dict]:
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def _restore(self, state: dict[str, dict]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _resume(self, checkpoint: Checkpoint) -> None:
        try:
            content = checkpoint.load(self.training.clicks.device)
            self._restore(content)
            self.best, self.progress = content["best"], Progress(**content["progress"])
        except UNUSABLE as error:
            warnings.warn(f"{checkpoint.file}: cannot be read ({error!s:.60}); the run starts over", stacklevel=2)
            self.best, self.progress = {}, Progress()
            self._start(attempt=0)

    def _save(self) -> None:
        if self.checkpoint is not None and self.engine.is_first:
            content = {**self._state(), "best": self.best, "progress": dataclasses.asdict(self.progress)}
            self.checkpoint.save(content)

    def _attempt(self, epoch: int, attempt: int) -> dict[str, float]:
        """Train and validate one epoch as the learning rate now stands."""
        rate = self.schedule.rate(epoch, self.progress.interruptions)
        self.engine.set_rate(self.optimiser, rate)
        seed_dropout(self.schedule.seed, epoch, attempt)
        loss = self.engine.train_epoch(self.model, self.optimiser, self.training, self.schedule, epoch, attempt)
        validated = self.engine.validate(self.model, self.validation, self.schedule)
        if not math.isfinite(loss) or not math.isfinite(validated["valid_loss"]):
            raise UserError(
                f"epoch {epoch + 1}: the loss is no longer a number at learning rate {rate:g} and batch size "
                f"{self.schedule.batch_size}; give a lower --learning_rate"
            )
        return {"epoch": epoch + 1, "attempts": attempt + 1, "learning_rate": rate, "train_loss": loss, **validated}

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Run one epoch; undo it and run it at half the rate while its validation AUC is 0.5 or less."""
        before = copy.deepcopy(self._state()) if self.schedule.interruption else {}
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

    def run(self, after_epoch: Callable[[Model, dict[str, float]], None] = lambda model, entry: None) -> Model:
        """Train to the end and return the model.

        Parameters
        ----------
        after_epoch : callable, optional
            Called with the model and the epoch's entry of the history, to which it may add.

        Returns
        -------
        Model
            With the weights after the last epoch or, with `patience`, of the best validation AUC.
        """
        progress = self.progress
        quiet = None if self.engine.is_first else True  # None: where there is no terminal
        bar = tqdm(total=self.schedule.epochs, initial=len(progress.history), unit="epoch", disable=quiet, leave=False)
        with fixed_once(self.model, self.training, self.validation):
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
