"""Caser (Tang and Wang, WSDM 2018) as a click predictor: convolutions over the last items, and the user."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.layers import activation_of
from mma4ctr.models.parts.items import UserTable
from mma4ctr.models.parts.sequence import SequenceConfig, SequenceModel, require_at_least_1, require_widths


@dataclasses.dataclass(frozen=True)
class Config(SequenceConfig):
    """`horizontal` filters of each of the `heights`, and `vertical` ones as high as a history is long."""

    heights: tuple[int, ...] = (2, 3, 4)
    horizontal: int = 16
    vertical: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_1(self, "horizontal", "vertical")
        require_widths("heights", self.heights)
        if max(self.heights) > self.history_length:
            raise UserError(
                f"heights is {self.heights}, expected none above the {self.history_length} items of a history; give "
                "lower ones, or a greater history_length"
            )


class Convolutions(nn.Module):
    """Horizontal filters, each the highest value over time, beside vertical ones, which weigh the items.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.horizontal = nn.ModuleList(
            nn.Conv1d(config.embedding, config.horizontal, height) for height in config.heights
        )
        self.vertical = nn.Linear(config.history_length, config.vertical)
        self.width = len(config.heights) * config.horizontal + config.vertical * config.embedding

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        """Return what is found (rows, width) in histories (rows, length, embedding)."""
        length = self.vertical.in_features
        columns = functional.pad(history[:, -length:], (0, 0, max(0, length - history.shape[1]), 0)).transpose(1, 2)
        found = [torch.relu(filters(columns)).amax(2) for filters in self.horizontal]
        return torch.cat((*found, self.vertical(columns).flatten(1)), dim=1)


class Caser(SequenceModel):
    """The history is what convolutions find in it, in a layer of its own, beside the user's embedding."""

    needs: ClassVar[frozenset[str]] = SequenceModel.needs | {"user"}
    sees_candidate = False
    Config = Config

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph, width=2 * config.embedding)
        self.users = UserTable(sizes.users, config.embedding)
        self.convolutions = Convolutions(config)
        self.layer = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(self.convolutions.width, config.embedding),
            activation_of(config.activation, config.embedding),
        )  # fmt: skip

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the layer over the convolutions beside the user (rows, 2 x embedding)."""
        return torch.cat((self.layer(self.convolutions(history)), self.users(batch.user)), dim=1)
