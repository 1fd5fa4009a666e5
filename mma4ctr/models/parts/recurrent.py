"""Recurrent networks over histories."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.sequence import (
    SequenceConfig,
    SequenceModel,
    mean_of_present,
    require_at_least_1,
    require_choice,
)


@dataclasses.dataclass(frozen=True)
class RecurrentConfig(SequenceConfig):
    """`layers` of the network, and the `pooling` of its states: the mean of them or the last one."""

    layers: int = 1
    pooling: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_1(self, "layers")
        require_choice("pooling", self.pooling, ("mean", "last"))


def last_of_present(states: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Return the state (rows, width) of the last item of histories padded behind; 0 where there is none."""
    lengths = present.sum(1)
    rows = torch.arange(len(states), device=states.device)
    return states[rows, (lengths - 1).clamp(min=0)] * (lengths > 0).unsqueeze(1)


class Recurrent(SequenceModel):
    """The history is the mean of the states of a recurrent network over it, or the last state."""

    sees_candidate = False
    Config = RecurrentConfig
    padded_behind = True
    network: ClassVar[type[nn.RNNBase]]

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.states = self.network(config.embedding, config.embedding, config.layers, batch_first=True)
        self.pooled = mean_of_present if config.pooling == "mean" else last_of_present

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean of the states, or the last one, (rows, embedding)."""
        return self.pooled(self.states(history)[0], present)
