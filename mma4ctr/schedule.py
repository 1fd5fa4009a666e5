"""How a run is trained: everything that decides its weights beside the data."""

from __future__ import annotations

import dataclasses

EPOCHS_PER_HALVING = 5


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
