"""How a run is trained: everything that decides its weights beside the data and the model."""

from __future__ import annotations

import dataclasses

EPOCHS_PER_HALVING = 5


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How to train, and when to test; the names are those of mlp.py's options, the defaults are the published ones.

    A new field needs a default with which nothing changes: fields at their default are no part of a run's identity.
    """

    epochs: int = 30
    eval_every: int | None = None  # tested after every so many epochs as well
    learning_rate: float = 0.001
    batch_size: int = 8192
    lr_change: bool = True
    loss: str = "batch_softmax"
    patience: int | None = None
    seed: int = 0
    interruption: bool = True

    def rate(self, epoch: int, interruptions: int) -> float:
        """Return the learning rate of an epoch, counted from 0, after so many interruptions."""
        halvings = (epoch // EPOCHS_PER_HALVING if self.lr_change else 0) + interruptions
        return self.learning_rate * 0.5**halvings
