"""GRU4Rec (Hidasi et al., ICLR 2016) as a click predictor: the last state of a GRU over the history."""

from __future__ import annotations

import dataclasses

from torch import nn

from mma4ctr.models.parts.recurrent import Recurrent, RecurrentConfig


@dataclasses.dataclass(frozen=True)
class Config(RecurrentConfig):
    """`pooling`: last, as the paper has it, or mean."""

    pooling: str = "last"


class GRU4Rec(Recurrent):
    """See `parts.recurrent.Recurrent`."""

    Config = Config
    network = nn.GRU
