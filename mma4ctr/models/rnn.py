"""RNN over the history, the mean of its states."""

from __future__ import annotations

from torch import nn

from mma4ctr.models.parts.recurrent import Recurrent, RecurrentConfig

Config = RecurrentConfig


class RNN(Recurrent):
    """See `parts.recurrent.Recurrent`."""

    Config = Config
    network = nn.RNN
