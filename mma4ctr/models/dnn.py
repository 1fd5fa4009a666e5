"""DNN of Sequential User Behavior Modeling at TMALL: the history is the mean or the sum of its items."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.sequence import SequenceConfig, SequenceModel, mean_of_present, require_choice


@dataclasses.dataclass(frozen=True)
class Config(SequenceConfig):
    """`pooling`: mean, as that text says, or sum, as its code has it."""

    pooling: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("pooling", self.pooling, ("mean", "sum"))


class DNN(SequenceModel):
    """The order of the history plays no part."""

    sees_candidate = False
    Config = Config

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.is_mean = config.pooling == "mean"

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean or the sum (rows, embedding) of the history's items."""
        return mean_of_present(history, present) if self.is_mean else history.sum(1)
