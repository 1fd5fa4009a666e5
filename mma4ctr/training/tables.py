"""Shared tables of a model, as a graph gives them: computed for many batches at once instead of for every batch.

To propagate a whole graph for each batch would make an epoch quadratic in clicks. Instead an epoch's batches are cut
into a few runs. At the start of a run the tables are computed, with gradient, and the model is given leaf tensors of
the same values. Each batch leaves its gradient in the leaves; after the last batch of the run their mean over the run
goes through the graph, once. With runs of one batch this is ordinary training.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from mma4ctr.models.contract import Batch, Model, Tables


def _computed(model: Model, batch: Batch) -> Tables:
    """Return the model's tables, from which gradients can be had when its weights have moved meanwhile.

    What the backward pass needs of a weight that a batch may train, too, is a copy: it is moved in place.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def kept(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach().clone() if tensor.untyped_storage().data_ptr() in weights else tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        return model.tables(batch.item_content)


def _leaf(table: torch.Tensor) -> torch.Tensor:
    """Return a table's values, which gather gradients from 0 if the table has any."""
    leaf = table.detach()
    if table.requires_grad:
        leaf.requires_grad_().grad = torch.zeros_like(leaf)
    return leaf


class Runs:
    """The runs of batches of an epoch; nothing happens for a model without shared tables.

    Parameters
    ----------
    model : Model
    batches : int
        Of the epoch.
    """

    def __init__(self, model: Model, batches: int) -> None:
        self.model, self.batches, self.done = model, batches, 0
        self.length = -(-batches // model.refreshes) if model.refreshes else 0
        self.computed: Tables = ()

    def __enter__(self) -> Runs:
        self.model.held = None
        return self

    def __exit__(self, *_: object) -> None:
        self.model.held = None

    def begin(self, batch: Batch) -> None:
        """Give the model its tables anew if this batch, which is about to be passed forward, is the first of a run."""
        if self.length and self.done % self.length == 0:
            self.computed = _computed(self.model, batch)
            self.model.held = tuple(_leaf(table) for table in self.computed)

    def end(self) -> None:
        """Pass the mean gradient of the run through the graph if this batch, passed back, is the last of its run."""
        self.done += 1
        since = self.done % self.length if self.length else 0
        if self.computed and (since == 0 or self.done == self.batches):
            given = [(table, leaf.grad / (since or self.length))
                     for table, leaf in zip(self.computed, self.model.held or (), strict=True)
                     if leaf.grad is not None]  # fmt: skip
            torch.autograd.backward(*(zip(*given, strict=True) if given else ((), ())))
            self.computed = ()


def scored(model: Model, batches: Iterator[tuple[Batch, torch.Tensor]]) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Yield batches to be scored, between which the model's shared tables are computed once."""
    model.held = None
    try:
        for batch, clicks in batches:
            if model.refreshes and model.held is None:
                model.held = model.tables(batch.item_content)
            yield batch, clicks
    finally:
        model.held = None
