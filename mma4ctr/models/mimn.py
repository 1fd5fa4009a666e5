"""MIMN, the Multi-channel user Interest Memory Network (Pi et al., KDD 2019): the history as a memory of fixed size."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.activation_unit import ActivationUnit, softmax_of_present
from mma4ctr.models.parts.memory import InterestCentre, utilisation_loss
from mma4ctr.models.parts.sequence import (
    SequenceConfig,
    SequenceModel,
    require_at_least_0,
    require_at_least_1,
    require_widths,
    sum_of,
)


@dataclasses.dataclass(frozen=True)
class Config(SequenceConfig):
    """What MIMN can be told; see docs/models/memory.md."""

    embedding: int = 16
    activation: str = "prelu"
    dropout: float = 0.2
    memory_slots: int = 4
    units: int = 32
    channels: int = 1
    utilisation: float = 0.00001
    attention: tuple[int, ...] = (80, 40)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_1(self, "memory_slots", "units")
        require_at_least_0(self, "utilisation")
        require_widths("attention", self.attention)
        if not 0 <= self.channels <= self.memory_slots:
            raise UserError(f"channels is {self.channels}, expected 0 (none) to memory_slots, {self.memory_slots}")


class MIMN(SequenceModel):
    """The history is the sum of its items, what the candidate reads of the memory, and the channels it attends to."""

    Config = Config
    is_shared = False  # the utilisation loss is a mean over the rows of a batch

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        width, units = config.embedding, config.units
        super().__init__(config, sizes, graph, 2 * width + units + (width if config.channels else 0))
        self.utilisation = config.utilisation
        self.centre = InterestCentre(
            width, config.memory_slots, units, channels=config.channels, length=config.history_length,
            is_balanced=config.utilisation > 0,
        )  # fmt: skip
        if config.channels:
            self.of_channel = nn.Linear(units, width)
            self.unit = ActivationUnit(width, config.attention, config.activation)
            self.scale = width**-0.5

    def _attended(self, candidate: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
        """Return the mean (rows, width) of channels (rows, slots, units), weighted by what they have to do with it."""
        keys = self.of_channel(channels)
        present = torch.ones(keys.shape[:2], dtype=torch.bool, device=keys.device)
        return sum_of(keys, softmax_of_present(self.scale * self.unit(candidate, keys, present), present))

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the sum, the read and the attended channels (rows, width + units + width + width)."""
        state = self.centre(history, present)
        if self.utilisation and self.training:
            self.auxiliary_loss = self.utilisation * utilisation_loss(state.written)
        found = [history.sum(1), self.centre.read(state, candidate)]
        if self.centre.channels:
            found.append(self._attended(candidate, state.channels))
        return torch.cat(found, dim=1)
