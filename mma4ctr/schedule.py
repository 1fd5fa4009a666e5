"""How a run is trained: everything that decides its weights beside the data and the model."""

from __future__ import annotations

import dataclasses

from mma4ctr.arguments import LEAST_RATE, MOST
from mma4ctr.cli import UserError

EPOCHS_PER_HALVING = 5
LOSSES = ("batch_softmax", "bce")  # the published one first
OBSERVED = "observed"
NEGATIVES = (OBSERVED, "random", "in_batch", "hard", "mixed")
# Field -> its least value. Nothing is trained in 0 epochs: a run that is only looked for may say so.
LEAST = {"epochs": 0, "eval_every": 1, "learning_rate": LEAST_RATE, "batch_size": 1, "patience": 1, "seed": 0,
         "weight_decay": 0.0, "negatives_each": 1, "pool": 1, "alpha": 0.0}  # fmt: skip
MAY_BE_NONE = ("eval_every", "patience")
# Fields, of a configuration too, that are chosen on validation rows: a model is the same with any value of them.
TUNED = ("learning_rate", "weight_decay", "id_dropout")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How to train, and when to test; the names are those of mlp.py's options, the defaults are the published ones.

    A new field needs a default with which nothing changes: fields at their default are no part of a run's identity.

    Raises
    ------
    UserError
        If a number is out of its range, or `eval_every` says nothing.
    """

    epochs: int = 30
    eval_every: int | None = None  # tested after every so many epochs as well
    learning_rate: float = 0.001
    batch_size: int = 8192
    lr_change: bool = True
    loss: str = LOSSES[0]
    patience: int | None = None
    seed: int = 0
    interruption: bool = True
    negatives: str = OBSERVED  # which rows without a click are trained on: see `training.negatives`
    negatives_each: int = 4  # for each click, where they are drawn
    pool: int = 20  # items that the hardest are taken from, where these are
    alpha: float = 0.5  # the share of mixed ones that come from the batch
    weight_decay: float = 0.0  # of Adam: the L2 penalty that is added to the gradients

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            kinds = (int, float) if isinstance(least, float) else (int,)
            if value is None and name in MAY_BE_NONE:
                continue
            if not isinstance(value, kinds) or not least <= value <= MOST:  # nan is not in any range
                what = "a number" if float in kinds else "a whole number"
                raise UserError(f"{name} is {value!r:.60}, expected {what} from {least:g} to {MOST}")
        if self.negatives not in NEGATIVES:
            raise UserError(f"negatives is {self.negatives!r:.60}, expected one of {', '.join(NEGATIVES)}")
        if self.alpha > 1:
            raise UserError(f"alpha is {self.alpha:g}, expected a share from 0 to 1")
        if self.negatives == "hard" and self.pool < self.negatives_each:
            raise UserError(f"pool is {self.pool}, fewer than the {self.negatives_each} negatives that are taken from "
                            "it; make it larger")  # fmt: skip
        if self.eval_every is not None and self.eval_every > self.epochs:
            raise UserError(
                f"eval_every is {self.eval_every}, more than the {self.epochs} epochs, so that nothing would be tested "
                "before the end; make it smaller, or leave it out"
            )

    def rate(self, epoch: int, interruptions: int) -> float:
        """Return the learning rate of an epoch, counted from 0, after so many interruptions."""
        halvings = (epoch // EPOCHS_PER_HALVING if self.lr_change else 0) + interruptions
        return self.learning_rate * 0.5**halvings
