"""DIN, the Deep Interest Network (Zhou et al., KDD 2018): the history as it concerns the candidate."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.activation_unit import ActivationUnit, softmax_of_present
from mma4ctr.models.parts.sequence import SequenceConfig, SequenceModel, require_widths, sum_of


@dataclasses.dataclass(frozen=True)
class Config(SequenceConfig):
    """`attention`: the hidden layers of the activation unit; `softmax`: whether its weights are normalised."""

    activation: str = "dice"
    attention: tuple[int, ...] = (80, 40)
    softmax: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("attention", self.attention)


class DIN(SequenceModel):
    """The history is the sum of its items, each weighted by the local activation unit (Eq. 3)."""

    Config = Config

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.unit = ActivationUnit(config.embedding, config.attention, config.activation)
        self.softmax, self.scale = config.softmax, config.embedding**-0.5

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the weighted sum (rows, embedding) of the history's items."""
        weights = self.unit(candidate, history, present)
        return sum_of(history, softmax_of_present(weights * self.scale, present) if self.softmax else weights)
