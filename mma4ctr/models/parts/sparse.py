"""Sparse matrices of zeros and ones times dense ones, as sums of rows: quicker than PyTorch's sparse tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional


class Rows(NamedTuple):
    """A sparse matrix of zeros and ones by its rows: where the ones are, and where each row of them begins and ends.

    Attributes
    ----------
    places : (ones,) int32 tensor
    bounds : (rows + 1,) int32 tensor
    """

    places: torch.Tensor
    bounds: torch.Tensor


def bounds_of(rows: np.ndarray, number: int) -> np.ndarray:
    """Return where each of so many rows begins and ends (number + 1,) int32 in their sorted indices (n,)."""
    return np.searchsorted(rows, np.arange(number + 1)).astype(np.int32)


def _sums(values: torch.Tensor, rows: Rows) -> torch.Tensor:
    if not len(rows.places):
        return values.new_zeros(len(rows.bounds) - 1, values.shape[1])
    return functional.embedding_bag(rows.places, values, rows.bounds, mode="sum", include_last_offset=True)


class _Product(torch.autograd.Function):
    """The gradient of a product is that with the transposed matrix."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, matrix: Rows, transposed: Rows) -> torch.Tensor:
        ctx.transposed = transposed
        return _sums(values, matrix)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
        return _sums(gradient.contiguous(), ctx.transposed), None, None


# product(values, matrix, transposed) is matrix @ values, (rows, width).
product: Callable[[torch.Tensor, Rows, Rows], torch.Tensor] = _Product.apply
