"""What a model is: one file of this folder with one class that says what it needs and returns log-odds.

README.md beside this file shows how to add one.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

# What a model may need -> what it gets for it: a field of `Batch`, or `graph`, an argument of its constructor.
NEEDS = {
    "user": "the user's index",
    "item": "the item's index",
    "content": "the user's and the item's content side by side",
    "item_content": "the content of every item, to look up the items of a history or a graph",
    "history": "the items that the user clicked in the training part before the row",
    "context": "context columns: the device, then those of the data set",
    "graph": "the clicks of the training part, users and items as nodes",
}


class Batch(NamedTuple):
    """Some rows as a model sees them; what it does not need is None.

    The content belongs to the batch, not to the model, because the published protocol scales each part by itself.

    Attributes
    ----------
    user, item : (rows,) int64 tensors
        Indices into the users and items of the data set.
    content : (rows, user columns + item columns) float32 tensor
    item_content : (items + 1, item columns) float32 tensor
        By item index; zeros for an item without content and in the last row, which stands for no item.
    history : (rows, length) int64 tensor
        Item indices, the most recent last; where there are fewer, `Sizes.items` stands in front: an index past the last
        item, so that an embedding of histories has ``items + 1`` rows.
    context : (rows, columns) int64 tensor
    """

    user: torch.Tensor | None = None
    item: torch.Tensor | None = None
    content: torch.Tensor | None = None
    item_content: torch.Tensor | None = None
    history: torch.Tensor | None = None
    context: torch.Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large a model's inputs are.

    Attributes
    ----------
    users, items : int
        Of the data set.
    user_columns, item_columns : int
        Of the content; 0 for a model that needs none.
    history : int
        The length of a history.
    context : tuple of int
        How many values each context column has.
    """

    users: int = 0
    items: int = 0
    user_columns: int = 0
    item_columns: int = 0
    history: int = 0
    context: tuple[int, ...] = ()

    @property
    def content(self) -> int:
        """The columns of `Batch.content`."""
        return self.user_columns + self.item_columns


class Graph(NamedTuple):
    """The clicks of the training part: ``users[k]`` clicked ``items[k]``; both (clicks,) int64 tensors on the host.

    What `forward` needs of it goes into ``register_buffer``, so that it moves to the device with the model.
    """

    users: torch.Tensor
    items: torch.Tensor


@dataclasses.dataclass(frozen=True)
class NoConfig:
    """The configuration of a model that has none."""


class Model(nn.Module):
    """What every model derives from.

    Attributes
    ----------
    version : int
        Raised when the same configuration and data give other predictions; runs of another version are repeated.
    needs : frozenset of str
        Keys of `NEEDS`; only these are gathered.
    Config : frozen dataclass
        Its fields are what ``mlp.py --set name=value`` takes: int, float, bool, str or tuples of int. A field
        `history_length` decides the length of histories.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    Config: ClassVar[type] = NoConfig

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__()

    def hidden(self, batch: Batch) -> torch.Tensor | None:
        """Return the last hidden layer (rows, width) of a batch, None where a model has none to show."""
        return None

    def penalty(self) -> torch.Tensor | None:
        """Return a scalar that is added to the loss of every batch, None for none."""
        return None

    def score_all(self, users: torch.Tensor) -> torch.Tensor | None:
        """Return the log-odds (users, items) of every item for some users, None where pairs have to be scored."""
        return None

    def output_bias(self) -> nn.Parameter | None:
        """Return the bias that log-odds start from, None for none; see `losses.starting_bias`."""
        output = getattr(self, "output", None)
        return output.bias if isinstance(output, nn.Linear) else None
