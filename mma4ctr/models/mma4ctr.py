"""MMa4CTR (Huo, Jin, Liao, 2024): a Tanh MLP over the user's embedding and the item's content."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch, Graph, Model, Sizes
from mma4ctr.models.layers import activation_of, require_activation

# (narrowest input, widest input) -> widths of the hidden layers, as the published tables print them.
HIDDEN_WIDTHS = {
    (201, 500): (256, 64, 16, 4),
    (101, 200): (128, 32, 4),
    (61, 100): (64, 16, 4),
    (31, 60): (32, 16, 4),
    (11, 30): (16, 4),
    (5, 10): (8, 4),
}


def hidden_widths(in_features: int) -> tuple[int, ...]:
    """Return the published widths of the hidden layers for an input of `in_features` columns.

    Raises
    ------
    UserError
        If the table has no row for this width.
    """
    for (narrowest, widest), widths in HIDDEN_WIDTHS.items():
        if narrowest <= in_features <= widest:
            return widths
    raise UserError(
        f"in_features is {in_features}, but hidden layers are defined for 5 to 500 inputs; "
        "change user_embedding_length in path.json"
    )


@dataclasses.dataclass(frozen=True)
class Config:
    """Widths of the hidden layers (none: those of the published tables) and what follows each of them."""

    hidden: tuple[int, ...] = ()
    activation: str = "tanh"

    def __post_init__(self) -> None:
        require_activation(self.activation)
        if any(width < 1 for width in self.hidden):
            raise UserError(f"hidden is {self.hidden}, expected widths of 1 or more, such as 128,32,4")


class MMa4CTR(Model):
    """Linear layers with an activation after every hidden one; whoever wants probabilities applies the sigmoid."""

    version = 1
    needs: ClassVar[frozenset[str]] = frozenset({"content"})
    Config = Config
    is_captured = True

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        widths = (sizes.content, *(config.hidden or hidden_widths(sizes.content)))
        layers = [layer for inputs, width in itertools.pairwise(widths)
                  for layer in (nn.Linear(inputs, width), activation_of(config.activation, width))]  # fmt: skip
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(widths[-1], 1)

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        return self.layers(batch.content)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)

    def score_all(self, users: Batch, items: Batch) -> torch.Tensor:
        """Return the log-odds (a, b) of a users with b items; the first layer's products are of each alone."""
        first, *others = self.layers
        own, other = users.content, items.content
        left, right = first.weight.split((own.shape[1], other.shape[1]), dim=1)  # type: ignore[operator, union-attr]
        start = functional.linear(own, left, first.bias).unsqueeze(1) + functional.linear(other, right)  # type: ignore[arg-type]
        values = start.flatten(0, 1)
        for layer in others:
            values = layer(values)  # type: ignore[operator]
        return self.output(values).view(start.shape[:2])
