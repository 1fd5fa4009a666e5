"""DIEN, the Deep Interest Evolution Network (Zhou et al., AAAI 2019): interests, and how they lead to the candidate."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.activation_unit import ActivationUnit, softmax_of_present
from mma4ctr.models.parts.sequence import (
    SequenceConfig,
    SequenceModel,
    require_at_least_0,
    require_choice,
    require_widths,
)


@dataclasses.dataclass(frozen=True)
class Config(SequenceConfig):
    """`auxiliary`: weight of the extractor's own loss; `attention`: bilinear, or DIN's unit with `unit` layers."""

    activation: str = "dice"
    auxiliary: float = 1.0
    attention: str = "bilinear"
    unit: tuple[int, ...] = (80, 40)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_0(self, "auxiliary")
        require_choice("attention", self.attention, ("bilinear", "unit"))
        require_widths("unit", self.unit)


class Bilinear(nn.Module):
    """Scores h W e of states and the candidate, as the paper has them before its softmax."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, width, bias=False)

    def forward(self, candidate: torch.Tensor, states: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return scores (rows, length) of states (rows, length, width) for candidates (rows, width)."""
        return torch.bmm(states, self.weight(candidate).unsqueeze(2)).squeeze(2)


class AUGRU(nn.Module):
    """A GRU whose update gate is multiplied with the attention to the step.

    Where the attention is 0, as it is to padding, the state stays as it is.

    Parameters
    ----------
    width : int
        Of what comes in, and of the state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # Side by side: reset gate, update gate, candidate state.
        self.of_input, self.of_state = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)

    def forward(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the last state (rows, width) over values (rows, length, width) with attention (rows, length)."""
        width = values.shape[2]
        state = values.new_zeros(len(values), width)
        # `unbind`: the backward pass of a slice would write zeros for all other steps.
        for given, weight in zip(self.of_input(values).unbind(1), weights.unsqueeze(2).unbind(1), strict=True):
            known = self.of_state(state)
            reset, update = torch.sigmoid(given[:, : 2 * width] + known[:, : 2 * width]).chunk(2, dim=1)
            fresh = torch.tanh(given[:, 2 * width :] + reset * known[:, 2 * width :])
            state = torch.lerp(state, fresh, weight * update)
        return state


def next_click_loss(
    states: torch.Tensor, items: torch.Tensor, names: torch.Tensor, present: torch.Tensor
) -> torch.Tensor:
    """Return how badly each state tells the next click from an item that another row has at that place.

    The other row is the one before it in the batch. Its item is left out where it is the next click itself.

    Parameters
    ----------
    states, items : (rows, length, width) float32 tensor
    names : (rows, length) int64 tensor
        Which items they are.
    present : (rows, length) bool tensor
    """
    before, after, others = states[:, :-1], items[:, 1:], items.roll(1, 0)[:, 1:]
    clicked = present[:, 1:]
    drawn = clicked & present.roll(1, 0)[:, 1:] & (names != names.roll(1, 0))[:, 1:]
    missed = functional.softplus(-(before * after).sum(2)) * clicked
    mistaken = functional.softplus((before * others).sum(2)) * drawn
    return (missed + mistaken).sum() / (clicked.sum() + drawn.sum()).clamp(min=1)


class DIEN(SequenceModel):
    """The history is the last state of an AUGRU over the states of a GRU, as they concern the candidate."""

    Config = Config
    padded_behind = True
    is_shared = False  # the auxiliary loss is taken between the rows of a batch

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        width, self.auxiliary = config.embedding, config.auxiliary
        self.extractor = nn.GRU(width, width, batch_first=True)
        is_unit = config.attention == "unit"
        self.attention = ActivationUnit(width, config.unit, config.activation) if is_unit else Bilinear(width)
        self.scale = width**-0.5 if is_unit else 1.0
        self.evolution = AUGRU(width)

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the last state (rows, embedding)."""
        states = self.extractor(history)[0]
        if self.auxiliary and self.training:
            loss = next_click_loss(states, history, batch.history, present)  # type: ignore[arg-type]
            self.auxiliary_loss = self.auxiliary * loss
        weights = softmax_of_present(self.scale * self.attention(candidate, states, present), present)
        return self.evolution(states, weights)
