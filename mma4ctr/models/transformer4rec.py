"""Transformer4Rec: the causal encoder of a transformer over the history and the candidate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.encoder import Encoder, EncoderConfig
from mma4ctr.models.parts.sequence import SequenceModel

Config = EncoderConfig


class Transformer4Rec(SequenceModel):
    """The history is the state of the candidate, which comes last and sees all before it."""

    Config = Config

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.encoder = Encoder(config, nn.ReLU)

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the candidate's state (rows, embedding)."""
        items = torch.cat((history, candidate.unsqueeze(1)), dim=1)
        places = items.shape[1]
        known = functional.pad(present, (0, 1), value=True).unsqueeze(1)
        itself = torch.eye(places, dtype=torch.bool, device=items.device)  # padding sees itself: something is seen
        earlier = torch.ones(places, places, dtype=torch.bool, device=items.device).tril()
        return self.encoder(items, (known & earlier) | itself)
