"""A tower: linear layers, each followed by an activation, that end in one number or in the last hidden layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.layers import Normalisation, activation_of, require_activation


def require_tower(hidden: Sequence[int], activation: str, dropout: float = 0.0) -> None:
    """Raise `UserError` unless a tower can have these hidden layers."""
    require_activation(activation)
    if not hidden or any(width < 1 for width in hidden):
        raise UserError(f"hidden is {tuple(hidden)}, expected widths of 1 or more, such as 200,80")
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is {dropout:g}, expected a share from 0 to below 1")


class Tower(nn.Module):
    """Linear layers, each followed by an activation and dropout.

    Parameters
    ----------
    inputs : int
        The last dimension of what comes in, (..., inputs).
    hidden : sequence of int
        The widths of the layers.
    activation : str
        A key of `layers.ACTIVATIONS`.
    dropout : float
        The share of a layer's outputs that is dropped while training.
    normalised : bool
        Whether the input is batch-normalised first, as (Zhou et al., KDD 2018) have it.
    """

    def __init__(
        self, inputs: int, hidden: Sequence[int], activation: str = "relu", dropout: float = 0.0, *,
        normalised: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = [Normalisation(inputs)] if normalised else []
        for width_in, width in itertools.pairwise((inputs, *hidden)):
            layers += [nn.Linear(width_in, width), activation_of(activation, width)]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)
        self.width = hidden[-1] if hidden else inputs

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer (..., width)."""
        return self.layers(values)
