"""BERT4Rec (Sun et al., CIKM 2019) as a click predictor: the candidate stands where the original has its last mask."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.encoder import Encoder, EncoderConfig
from mma4ctr.models.parts.items import DEVIATION
from mma4ctr.models.parts.sequence import SequenceModel, require_at_least_0


@dataclasses.dataclass(frozen=True)
class Config(EncoderConfig):
    """`cloze`: the weight of the loss of the original task, which is to find a masked item of the history."""

    cloze: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_0(self, "cloze")


class Mask(nn.Module):
    """The vector that stands for a masked item."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.zeros(width))

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the vector starts."""
        return DEVIATION * rng.standard_normal(shape)

    def forward(self, items: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return items (rows, length, width) with the vector where `masked` (rows, length)."""
        return torch.where(masked.unsqueeze(2), self.vector, items)


def one_of_present(present: torch.Tensor) -> torch.Tensor:
    """Return one place (rows, length) bool of each history that has an item, drawn evenly by PyTorch's generator."""
    order = present.cumsum(1) * present  # 1, 2, ... at the items
    chosen = (torch.rand(len(present), device=present.device) * present.sum(1)).long() + 1
    return order == chosen.unsqueeze(1)


class BERT4Rec(SequenceModel):
    """The history is the state of the candidate, which comes last; every item sees every other."""

    Config = Config
    is_shared = False  # the items of a batch are what a masked one is told from

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.encoder, self.cloze = Encoder(config, nn.GELU), config.cloze
        if self.cloze:
            self.mask = Mask(config.embedding)

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the candidate's state (rows, embedding)."""
        if self.cloze and self.training:
            self.auxiliary_loss = self.cloze * self._cloze(batch.history, history, present)  # type: ignore[arg-type]
        items = torch.cat((history, candidate.unsqueeze(1)), dim=1)
        return self.encoder(items, functional.pad(present, (0, 1), value=True).unsqueeze(1))

    def _cloze(self, history: torch.Tensor, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of finding the masked item of each history among those masked in the batch."""
        known = present.any(1)
        if not known.any():
            return items.new_zeros(())
        history, items, present = history[known], items[known], present[known]
        masked = one_of_present(present)
        # The place of the candidate is there, so that the others keep theirs, and nobody sees it.
        states = self.encoder(
            functional.pad(self.mask(items, masked), (0, 0, 0, 1)), functional.pad(present, (0, 1)).unsqueeze(1),
            is_last=False,
        )[:, :-1]  # fmt: skip
        names, scores = history[masked], states[masked] @ items[masked].T
        same = (names == names.unsqueeze(1)).fill_diagonal_(False)  # the same item elsewhere is no other one
        return functional.cross_entropy(scores.masked_fill(same, -torch.inf), torch.arange(len(names)).to(names))
