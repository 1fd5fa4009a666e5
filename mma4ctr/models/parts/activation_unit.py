"""The local activation unit of DIN: how much each item of a history has to do with the candidate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.layers import activation_of
from mma4ctr.models.parts.tower import Tower


def softmax_of_present(scores: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Return the softmax (rows, length) over the places where `present`; 0 elsewhere, and where there is none."""
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax over nothing is not a number
    return torch.softmax(scores.masked_fill(~present, lowest), dim=1).masked_fill(~present, 0)


class ActivationUnit(nn.Module):
    """A tower over [query; key; query - key; query * key] that ends in one number (Zhou et al., KDD 2018, Fig. 2).

    The first layer is computed by its four parts: what it makes of the query is the same for all keys of a row.

    Parameters
    ----------
    width : int
        Of queries and keys.
    hidden : sequence of int
    activation : str
        A key of `layers.ACTIVATIONS`.
    """

    def __init__(self, width: int, hidden: Sequence[int], activation: str) -> None:
        super().__init__()
        self.joined = nn.Linear(4 * width, hidden[0])
        self.activation = activation_of(activation, hidden[0])
        self.tower = Tower(hidden[0], hidden[1:], activation)
        self.score = nn.Linear(hidden[-1], 1)

    def _scores(self, query: torch.Tensor, of_query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Return the score (...,) of keys (..., width), each with its query and what the first layer makes of it."""
        _, key, difference, product = self.joined.weight.chunk(4, dim=1)
        weights = torch.cat((key - difference, product), dim=1)
        values = of_query + functional.linear(torch.cat((keys, query * keys), dim=-1), weights)
        return self.score(self.tower(self.activation(values))).squeeze(-1)

    def forward(self, query: torch.Tensor, keys: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the scores (rows, length) of keys (rows, length, width) for queries (rows, width); 0 where none is.

        In training only the places where `present` (rows, length) go through the layers: a batch-normalised activation
        would otherwise take the padding for items. Scoring takes all of them, so that no row's score depends on how
        long the others' histories are.
        """
        own, _, difference, _ = self.joined.weight.chunk(4, dim=1)
        of_query = functional.linear(query, own + difference, self.joined.bias)
        if not self.training:
            return self._scores(query.unsqueeze(1), of_query.unsqueeze(1), keys).masked_fill(~present, 0)
        places = present.flatten().nonzero().squeeze(1)
        rows = places // present.shape[1]
        # `embedding` takes rows of a table; its backward pass is much faster than that of an index.
        taken = (functional.embedding(rows, query), functional.embedding(rows, of_query),
                 functional.embedding(places, keys.flatten(0, 1)))  # fmt: skip
        scores = self._scores(*taken)
        return scores.new_zeros(present.shape).masked_scatter(present, scores)
