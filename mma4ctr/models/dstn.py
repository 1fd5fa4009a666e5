"""DSTN (Ouyang et al., KDD 2019): what the user clicked, and what the user left, as it concerns the candidate."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.activation_unit import softmax_of_present
from mma4ctr.models.parts.item_fields import ItemFields, RowFields
from mma4ctr.models.parts.sequence import require_at_least_1, require_choice, sum_of
from mma4ctr.models.parts.tower import Tower, require_tower


@dataclasses.dataclass(frozen=True)
class Config:
    """`variant`: how the items of a history are weighted; `attention`: the width of the weights' hidden layer."""

    variant: str = "interactive"
    embedding: int = 10
    history_length: int = 20
    attention: int = 128
    hidden: tuple[int, ...] = (512, 256)
    activation: str = "relu"
    dropout: float = 0.5
    ids: bool = True
    contents: bool = True

    def __post_init__(self) -> None:
        require_choice("variant", self.variant, tuple(WEIGHTS))
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length", "attention")


class Weights(nn.Module):
    """One number for each item of a history: a hidden ReLU layer over the item, and what it is weighed against.

    Parameters
    ----------
    target, width : int
        Of what the items are weighed against, 0 for nothing, and of an item.
    hidden : int
    dropout : float
    """

    def __init__(self, target: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.target = target
        self.joined = nn.Linear(target + width, hidden)  # over [target; item]
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, 1)

    def forward(self, target: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return scores (rows, length) of items (rows, length, width) against targets (rows, target).

        What the hidden layer makes of a target is the same for all items of a row, so that it is computed once.
        """
        of_target, of_item = self.joined.weight.split((self.target, items.shape[2]), dim=1)
        values = functional.linear(items, of_item, self.joined.bias)
        if self.target:
            values = values + functional.linear(target, of_target).unsqueeze(1)
        return self.score(self.dropout(torch.relu(values))).squeeze(2)


class Pooling(nn.Module):
    """DSTN-P: the sum of the items."""

    def __init__(self, target: int, width: int, config: Any) -> None:
        super().__init__()

    def forward(self, target: torch.Tensor, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the weights (rows, length) of items (rows, length, width); 0 where none is `present`."""
        return present.to(items.dtype)


class SelfAttention(nn.Module):
    """DSTN-S: a softmax over the items of what each is by itself."""

    def __init__(self, target: int, width: int, config: Any) -> None:
        super().__init__()
        self.weights = Weights(0, width, config.attention, config.dropout)

    def forward(self, target: torch.Tensor, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the weights (rows, length) of items (rows, length, width); 0 where none is `present`."""
        return softmax_of_present(self.weights(target, items), present)


class InteractiveAttention(nn.Module):
    """DSTN-I: exp of a score against the target; not normalised, so that all items together may count for little."""

    def __init__(self, target: int, width: int, config: Any) -> None:
        super().__init__()
        self.weights = Weights(target, width, config.attention, config.dropout)

    def forward(self, target: torch.Tensor, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the weights (rows, length) of items (rows, length, width); 0 where none is `present`."""
        return self.weights(target, items).masked_fill(~present, -torch.inf).exp()


WEIGHTS: dict[str, type[nn.Module]] = {
    "pooling": Pooling,
    "self": SelfAttention,
    "interactive": InteractiveAttention,
}


class DSTN(Model):
    """[user, context, candidate; weighted sum of clicked items; that of the others] -> hidden layers -> log-odds."""

    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "context", "item_content", "history", "unclicked"})
    Config = Config
    schedule = EARLY_STOP

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.items = ItemFields(sizes, config.embedding, ids=config.ids, contents=config.contents)
        self.rows = RowFields(sizes, config.embedding)
        width = self.items.number * config.embedding
        target = self.rows.number * config.embedding + width
        self.clicked = WEIGHTS[config.variant](target, width, config)
        self.unclicked = WEIGHTS[config.variant](target, width, config)
        self.tower = Tower(target + 2 * width, config.hidden, config.activation, config.dropout)
        self.output = nn.Linear(self.tower.width, 1)

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        clicked, unclicked = batch.history, batch.unclicked
        candidate, liked, left = self.items(batch, batch.item, clicked, unclicked)
        target = torch.cat((self.rows(batch), candidate), dim=1)
        sums = (
            sum_of(items, weigh(target, items, self.items.present(history)))  # type: ignore[arg-type]
            for weigh, items, history in ((self.clicked, liked, clicked), (self.unclicked, left, unclicked))
        )
        return self.tower(torch.cat((target, *sums), dim=1))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)
