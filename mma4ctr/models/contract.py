"""What a model is: one file of this folder with one class that says what it needs and returns log-odds.

README.md beside this file shows how to add one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import nn

# What a model may need -> what it gets for it: a field of `Batch`, or `graph`, an argument of its constructor.
NEEDS = {
    "user": "the user's index",
    "item": "the item's index",
    "content": "the user's and the item's content side by side",
    "item_content": "the content of every item, to look up the items of a history or a graph",
    "history": "the items that the user clicked in the training part before the row",
    "unclicked": "the items that the user was shown in the training part before the row and did not click",
    "counts": "how many training rows before the row its user and its item have, and how many clicks",
    "context": "context columns: the device, then those of the data set",
    "graph": "the clicks of the training part, users and items as nodes; with `unclicked`, the other rows, too",
    "slot": "the time slot of the row, and of every click of the graph",
}
# What models of the seed papers are trained with unless something else is asked for: they overfit in an epoch or two.
EARLY_STOP: Mapping[str, object] = MappingProxyType(
    {"loss": "bce", "patience": 2, "lr_change": False, "batch_size": 512}
)

Tables = tuple[torch.Tensor, ...]  # what a model computes for many batches at once; see `Model.tables`


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
    unclicked : (rows, length) int64 tensor
        As `history`, of the rows without a click.
    counts : (rows, 4) float32 tensor
        Earlier training rows of the user, clicks among them, and the same of the item.
    context : (rows, columns) int64 tensor
    slot : (rows,) int64 tensor
        The time slot of each row, from 0; that of a row after all training rows is `Sizes.slots`. A row may see the
        clicks of the slots before its own, and no others: among those of its own slot is the row itself.
    fixed : (rows, columns) tensor
        What `Model.fixed` says of the rows, where it was computed beforehand.
    """

    user: torch.Tensor | None = None
    item: torch.Tensor | None = None
    content: torch.Tensor | None = None
    item_content: torch.Tensor | None = None
    history: torch.Tensor | None = None
    unclicked: torch.Tensor | None = None
    counts: torch.Tensor | None = None
    context: torch.Tensor | None = None
    slot: torch.Tensor | None = None
    fixed: torch.Tensor | None = None


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
    slots : int
        How many time slots the training rows are cut into.
    modalities : tuple of (str, int)
        What the columns of an item's content are, in order: the modalities that are side by side and how many columns
        each has; those that were crossed or reduced together are one, called as the feature is.
    """

    users: int = 0
    items: int = 0
    user_columns: int = 0
    item_columns: int = 0
    history: int = 0
    context: tuple[int, ...] = ()
    slots: int = 0
    modalities: tuple[tuple[str, int], ...] = ()

    @property
    def content(self) -> int:
        """The columns of `Batch.content`."""
        return self.user_columns + self.item_columns


class Graph(NamedTuple):
    """The clicks of the training part, by user and time: ``users[k]`` clicked ``items[k]`` in slot ``slots[k]``.

    All are (clicks,) int64 tensors on the host; without slots these are None. `unclicked` has the same of the rows
    without a click, for a model that needs `unclicked` as well. What `forward` needs of it goes into
    ``register_buffer``, so that it moves to the device with the model.
    """

    users: torch.Tensor
    items: torch.Tensor
    slots: torch.Tensor | None = None
    unclicked: Graph | None = None


class Rows(Protocol):
    """The training rows as `Model.prepare` sees them; `training.batches.Batches` is one."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def batches(self, size: int, order: torch.Tensor | None = None) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Yield batches of at most `size` rows and their clicks (rows,), of all rows or of those of `order` in turn."""


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
        `history_length` decides the length of histories, a field `slots` the number of time slots.
    schedule : mapping of str to object
        Fields of `schedule.Schedule` that it is trained with unless something else is asked for.
    ablations : mapping of str to mapping
        What is left out or put in the place of something -> the fields of `Config` and of `schedule.Schedule` that it
        takes. Where `Config` has a field `modalities`, leaving out each of them is added; see `registry.ablations_of`.
    is_captured : bool
        Whether its training step may be replayed from a captured CUDA graph: no shape in it depends on values. Others
        are trained on a GPU step by step.
    is_shared : bool
        Whether several processes of torchrun may train it together, each on its share of every batch.
    refreshes : int
        How often an epoch computes the shared tables anew, 0 for a model without any; see `tables`. A model with some
        is neither captured nor shared.
    held : tuple of tensors or None
        The shared tables while batches are gone through; None outside.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    Config: ClassVar[type] = NoConfig
    schedule: ClassVar[Mapping[str, object]] = MappingProxyType({})
    ablations: ClassVar[Mapping[str, Mapping[str, object]]] = MappingProxyType({})
    is_captured: ClassVar[bool] = False
    is_shared: ClassVar[bool] = True
    refreshes: int = 0

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__()
        self.held: Tables | None = None

    def prepare(self, training: Rows, seed: int) -> None:
        """Learn from the training rows what is fixed before the first epoch.

        It stays in buffers, or in parameters that no longer require a gradient: a checkpoint has both. What is drawn
        follows from `seed` alone.
        """

    def fixed(self, batch: Batch) -> torch.Tensor | None:
        """Return what does not change of rows after `prepare` (rows, columns); None for a model that has no such thing.

        While a model is trained it is computed once for all rows and then in `Batch.fixed`; elsewhere that is None.
        """
        return None

    def tables(self, item_content: torch.Tensor | None) -> Tables:
        """Return the shared tables: what does not depend on a batch's rows, such as nodes after a graph's convolution.

        They are computed once for many batches, see `training.tables`. What else of the model has a part in a batch is
        trained with every batch; what has a part in these tables alone, `refreshes` times in an epoch.
        """
        return ()

    def shared(self, batch: Batch) -> Tables:
        """Return the shared tables for a batch: those that are held, or computed for it alone."""
        return self.tables(batch.item_content) if self.held is None else self.held

    def hidden(self, batch: Batch) -> torch.Tensor | None:
        """Return the last hidden layer (rows, width) of a batch, None where a model has none to show."""
        return None

    def penalty(self) -> torch.Tensor | None:
        """Return a scalar that is added to the loss of every batch, None for none."""
        return None

    def score_all(self, users: Batch, items: Batch) -> torch.Tensor | None:
        """Return the log-odds (a, b) of each of a users with each of b items, None where pairs have to be scored.

        It is what `forward` returns for the pairs, to float32's rounding, but what depends on the user alone, or the
        item alone, is computed once. `users` has what belongs to users, in `content` their columns alone; so do
        `items`.
        """
        return None

    def admit(self, items: int) -> bool:
        """Make room for one unknown user and so many new items; tell whether there is any.

        The unknown user's index is `Sizes.users`; new items stand behind the one that is none, from `Sizes.items` + 1
        on. Their ids say nothing: what a model has learnt of an id is 0 for them. Parts of `models.parts` that know
        ids have an `admit` of their own, which this calls; a model that knows them otherwise admits nobody unless it
        has one.
        """
        parts = [part for part in self.modules() if part is not self and hasattr(part, "admit")]
        for part in parts:
            part.admit(items)  # type: ignore[operator]
        return bool(parts) or not self.needs & {"user", "item"}

    def output_bias(self) -> nn.Parameter | None:
        """Return the bias that log-odds start from, None for none; see `losses.starting_bias`."""
        output = getattr(self, "output", None)
        return output.bias if isinstance(output, nn.Linear) else None
