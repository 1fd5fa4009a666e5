"""Rows of a shared table, whose gradients are gathered over many batches."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


class _AddedInPlace(torch.autograd.Function):
    """Takes rows of a leaf; adds their gradients to the leaf's, in place."""

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(places)
        ctx.total = table.grad
        return functional.embedding(places, table)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None]:  # type: ignore[override]
        (places,) = ctx.saved_tensors
        ctx.total.index_add_(0, places.reshape(-1), gradient.reshape(-1, gradient.shape[-1]))
        return None, None


def look_up(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return rows (..., width) of a shared table (n, width) at places (...,) int64.

    The gradient of a table as large as the graph would be written anew for every batch, however few its rows are:
    where the table is one that the engine holds (see `training.tables`), gradients are added to its own instead.
    """
    if table.is_leaf and table.grad is not None:
        return _AddedInPlace.apply(table, places)
    return functional.embedding(places, table)
