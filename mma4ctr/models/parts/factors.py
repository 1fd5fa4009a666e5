"""Items as the clicks of earlier time slots have them: a truncated SVD, shrunk as ridge regression shrinks.

The ridge regression of each item's clicks on those of the other items has the weights ``B[j, i] = -P[j, i] / P[i, i]``
from item j to item i, P being the inverse of ``C'C + penalty`` (Steck, WWW 2019). With the SVD ``C = U S V'`` they are
``F[j] F[i] / (1 - |F[i]|^2)`` for the factors ``F = V S / sqrt(S^2 + penalty)``, of which the largest `rank` singular
values are kept: items need memory for their factors alone, however many there are.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.eigen import largest_eigen
from mma4ctr.models.contract import Batch, Graph, Sizes

EVERY = slice(None)  # chosen clicks: all of them


def histories_of(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what was clicked and what was passed by, each (rows, length) int64."""
    return batch.history, batch.unclicked  # type: ignore[return-value]


def largest(matrix: scipy.sparse.csr_array, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest singular values of a matrix (users, items) and their right vectors; 0 where there are fewer.

    Returns
    -------
    (rank,) float32 array
    (items, rank) float32 array
    """
    found, vectors = np.zeros(rank, dtype=np.float32), np.zeros((matrix.shape[1], rank), dtype=np.float32)
    users, items = (np.flatnonzero(np.bincount(places)) for places in matrix.nonzero())
    known = matrix[users][:, items]
    kept = min(rank, min(known.shape) - 1)  # what the solver can find
    if kept >= 1:
        is_long = len(users) >= len(items)
        long = known if is_long else known.T.tocsr()
        _, basis = largest_eigen(lambda vector: long.T @ (long @ vector), long.shape[1], kept)
        left, found[:kept], right = np.linalg.svd(long @ np.linalg.qr(basis)[0], full_matrices=False)
        vectors[items, :kept] = basis @ right.T if is_long else left
    return found, vectors


def factors_of(clicks: scipy.sparse.csr_array, rank: int, shrinkage: float) -> np.ndarray:
    """Return the factors (items, rank) float32 of the items of `clicks` (users, items); 0 where there are fewer.

    Parameters
    ----------
    clicks : sparse array
        How often a user clicked an item.
    rank : int
    shrinkage : float
        The penalty for each click: twice the users who click alike have the same factors.
    """
    values, vectors = largest(clicks, rank)
    shares = values**2 / (values**2 + shrinkage * clicks.sum()) if clicks.nnz else values
    return vectors * np.sqrt(shares, dtype=np.float32)


def matrix_of(clicks: Graph, chosen: np.ndarray | slice, sizes: Sizes) -> scipy.sparse.csr_array:
    """Return how often each user clicked each item (users, items + 1) in those clicks that are `chosen` (clicks,)."""
    users, items = clicks.users.numpy()[chosen], clicks.items.numpy()[chosen]
    return scipy.sparse.csr_array((np.ones(len(users)), (users, items)), shape=(sizes.users, sizes.items + 1))


class SlotFactors(nn.Module):
    """What the items that a user met say for a candidate, by the factors of the clicks before the row's time slot.

    Only products of factors of one slot are taken: an SVD is determined up to rotations, so that factors of two slots
    cannot be compared.

    Parameters
    ----------
    clicks : Graph
        With slots.
    sizes : Sizes
    rank : int
    shrinkage : float
        See `factors_of`.

    Attributes
    ----------
    table : (slots + 1, items + 1, rank) float32 tensor
        By slot and item; 0 for no item, and in the first slot, which has nothing before it. It is made again from the
        clicks wherever the model is, and no part of a checkpoint.
    """

    table: torch.Tensor

    def __init__(self, clicks: Graph, sizes: Sizes, rank: int, shrinkage: float) -> None:
        super().__init__()
        table = self._made_of(clicks, sizes, rank, shrinkage)
        self.register_buffer("table", torch.from_numpy(table), persistent=False)

    def _made_of(self, clicks: Graph, sizes: Sizes, rank: int, shrinkage: float) -> np.ndarray:
        table = np.zeros((sizes.slots + 1, sizes.items + 1, rank), dtype=np.float32)
        slots: np.ndarray = clicks.slots.numpy()  # type: ignore[union-attr]
        for slot in range(1, sizes.slots + 1):
            table[slot] = factors_of(matrix_of(clicks, slots < slot, sizes), rank, shrinkage)
        return table

    def admit(self, items: int) -> None:
        """Make room for new items, which nobody has clicked."""
        self.table = functional.pad(self.table, (0, 0, 0, items))

    def _begins(self, batch: Batch) -> torch.Tensor:
        """Return where the items (rows,) of each row's slot begin in the table, seen as one list."""
        slot: torch.Tensor = batch.slot  # type: ignore[assignment]
        return slot * self.table.shape[1]

    def _sums(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sums (rows, rank) of the factors of both histories."""
        begins, table = self._begins(batch).unsqueeze(1), self.table.flatten(0, 1)
        clicked, unclicked = (functional.embedding_bag(begins + one, table, mode="sum") for one in histories_of(batch))
        return clicked, unclicked

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return what the clicked and the unclicked history say for the candidate (rows, 2)."""
        item: torch.Tensor = batch.item  # type: ignore[assignment]
        candidate = functional.embedding(self._begins(batch) + item, self.table.flatten(0, 1))
        weights = candidate / (1 - candidate.square().sum(1, keepdim=True))
        return torch.stack([(found * weights).sum(1) for found in self._sums(batch)], dim=1)


class WholeFactors(SlotFactors):
    """The same from all clicks of the training part, those of the row and after it included: an ablation that leaks.

    Attributes
    ----------
    users : (users, rank) float32 tensor
        The sums of the factors of what each user clicked.
    """

    users: torch.Tensor

    def __init__(self, clicks: Graph, sizes: Sizes, rank: int, shrinkage: float) -> None:
        super().__init__(clicks, sizes, rank, shrinkage)
        users = matrix_of(clicks, EVERY, sizes) @ self.table[0].numpy()
        self.register_buffer("users", torch.from_numpy(users.astype(np.float32)), persistent=False)

    def _made_of(self, clicks: Graph, sizes: Sizes, rank: int, shrinkage: float) -> np.ndarray:
        return factors_of(matrix_of(clicks, EVERY, sizes), rank, shrinkage)[None]

    def admit(self, items: int) -> None:
        """Make room for new items, and for an unknown user."""
        super().admit(items)
        self.users = functional.pad(self.users, (0, 0, 0, 1))

    def _begins(self, batch: Batch) -> torch.Tensor:
        return torch.zeros_like(batch.item)  # type: ignore[arg-type]

    def _sums(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        unclicked = functional.embedding_bag(batch.unclicked, self.table[0], mode="sum")  # type: ignore[arg-type]
        return functional.embedding(batch.user, self.users), unclicked  # type: ignore[arg-type]
