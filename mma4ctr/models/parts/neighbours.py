"""What the items that a user met say for a candidate, by how alike those are: in who clicked them, and in content.

A label says little by itself: what it says beyond the click rates of its user and its item is its residual. Two items
are alike whose residuals agree over the users who met both (Sarwar et al., *Item-based collaborative filtering
recommendation algorithms*, WWW 2001, with residuals for ratings), or whose content points the same way from the mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts.evidence import drawn
from mma4ctr.models.parts.factors import histories_of, largest
from mma4ctr.models.parts.modalities import Modalities

PRIOR_ROWS = 5.0  # a rate is drawn to the mean rate as by so many rows
PRIOR_LENGTH = 1.0  # is added to the length of an item's residuals: few of them are alike by chance
SURELY = 0.02  # no click is expected to be likelier or less likely than that
LEAST = 1e-4  # is added to a sum of weights that others are divided by
ROWS_AT_ONCE = 1_024  # of which the items of both histories are looked up together
COLUMNS = 4  # of what residuals say


def residuals_of(labels: Any, expected: Any) -> Any:
    """Return labels (...,) less what is expected of them, the rates of user and item less that of all rows."""
    return labels - expected.clip(SURELY, 1 - SURELY)


def rates_of(places: np.ndarray, labels: np.ndarray, number: int, base: float) -> np.ndarray:
    """Return the click rate (number,) float64 of each user, or item, at `places` (rows,), drawn to that of all rows."""
    clicks, rows = (np.bincount(places, weights, number) for weights in (labels, None))
    return drawn(clicks, rows, base, PRIOR_ROWS)


def factors_of_residuals(
    users: np.ndarray, items: np.ndarray, labels: np.ndarray, base: float, sizes: Sizes, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the click rates of items differ from that of all rows, and factors of their residuals.

    Products of factors say how alike the residuals of two items are.

    Parameters
    ----------
    users, items, labels : (rows,) arrays
    base : float
        The click rate of all rows.
    sizes : Sizes
    rank : int

    Returns
    -------
    (items + 1,) float64 array
    (items + 1, rank) float32 array
        The truncated SVD of the residuals (users, items), each item's divided by their length.
    """
    of_items = rates_of(items, labels, sizes.items + 1, base) - base
    expected = rates_of(users, labels, sizes.users, base)[users] + of_items[items]
    residuals = residuals_of(labels, expected)
    lengths = np.sqrt(np.bincount(items, residuals**2, sizes.items + 1)) + PRIOR_LENGTH
    shape = (sizes.users, sizes.items + 1)
    values, vectors = largest(scipy.sparse.csr_array((residuals / lengths[items], (users, items)), shape=shape), rank)
    return of_items, vectors * values


class Neighbours(nn.Module):
    """What both histories say for a candidate, each item by its residual times how alike it is to the candidate.

    Parameters
    ----------
    shown : Graph
        The clicks, and the rows without one, with slots.
    sizes : Sizes
    rank : int
        Of the factors.
    modalities : Modalities or None
        Those whose content is compared.
    causal : bool
        Whether rates and factors come from the slots before the row's, or from all rows: an ablation that leaks.

    Attributes
    ----------
    number : int
        The columns of what is said.
    table : (slots + 1, items + 1, rank) float32 tensor
        Factors by slot and item, of one slot where they come from all rows; made again wherever the model is.
    rates : (slots + 1, items + 1) float32 tensor
        By how much an item's click rate differs from that of all rows.
    bases : (slots + 1,) float32 tensor
        The click rate of all rows; that of all training rows in the first slot, which has nothing before it.
    centre : (item columns,) float32 tensor
        The mean content.
    """

    table: torch.Tensor
    rates: torch.Tensor
    bases: torch.Tensor
    centre: torch.Tensor

    def __init__(
        self, shown: Graph, sizes: Sizes, rank: int, modalities: Modalities | None, *, causal: bool = True
    ) -> None:
        super().__init__()
        self.absent, self.modalities, self.causal = sizes.items, modalities, causal
        self.number = COLUMNS + (len(modalities) if modalities else 0)
        assert shown.unclicked is not None
        parts = (shown, shown.unclicked)
        users, items, slots = (torch.cat([getattr(part, name) for part in parts]).numpy()
                               for name in ("users", "items", "slots"))  # fmt: skip
        labels = np.repeat([1.0, 0.0], [len(part.users) for part in parts])
        ends = range(sizes.slots + 1) if causal else [sizes.slots + 1]
        table = np.zeros((len(ends), sizes.items + 1, rank), dtype=np.float32)
        rates, bases = np.zeros(table.shape[:2], dtype=np.float32), np.full(len(ends), 0.5, dtype=np.float32)
        for place, end in enumerate(ends):
            known = slots < end
            if known.any():
                bases[place] = labels[known].mean()
                rates[place], table[place] = factors_of_residuals(
                    users[known], items[known], labels[known], bases[place], sizes, rank
                )
        self.register_buffer("table", torch.from_numpy(table), persistent=False)
        self.register_buffer("rates", torch.from_numpy(rates), persistent=False)
        self.register_buffer("bases", torch.from_numpy(bases))
        self.register_buffer("centre", torch.zeros(sizes.item_columns))

    def fit(self, content: torch.Tensor, base_rate: torch.Tensor) -> None:
        """Take the mean of the content (items + 1, columns) that there is, and the click rate of training rows."""
        self.bases[0] = base_rate
        known = content[has_content(content)]
        self.centre.copy_(known.mean(0) if len(known) else torch.zeros_like(self.centre))

    def admit(self, items: int) -> None:
        """Make room for new items, which nobody has met."""
        self.table = functional.pad(self.table, (0, 0, 0, items))
        self.rates = functional.pad(self.rates, (0, items))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return what is said of rows (rows, `number`).

        In columns: by residuals what was clicked, what was not, both, and both over the sum of weights; then both by
        each modality.
        """
        rows = (batch.item, batch.slot, batch.counts, *histories_of(batch))
        cut = zip(*(column.split(ROWS_AT_ONCE) for column in rows), strict=True)  # type: ignore[union-attr]
        content: torch.Tensor = batch.item_content  # type: ignore[assignment]
        known = None if self.modalities is None else has_content(content).to(content.dtype)
        return torch.cat([self._of(Batch(item=item, slot=slot, counts=counts, history=clicked, unclicked=unclicked,
                                         item_content=content), known)
                          for item, slot, counts, clicked, unclicked in cut])  # fmt: skip

    def _of(self, batch: Batch, known: torch.Tensor | None) -> torch.Tensor:
        items, slot, counts = batch.item.unsqueeze(1), batch.slot.unsqueeze(1), batch.counts  # type: ignore[union-attr]
        slot = slot * self.causal
        begins, base = slot * self.table.shape[1], self.bases[slot]
        table, rates = self.table.flatten(0, 1), self.rates.flatten()
        candidate = functional.embedding(begins + items, table).transpose(1, 2)
        user = drawn(counts[:, 1:2], counts[:, :1], base, PRIOR_ROWS)  # type: ignore[index]
        said, weights, residuals = [], torch.zeros_like(user[:, 0]), []
        for label, met in zip((1.0, 0.0), histories_of(batch), strict=True):
            places = begins + met
            others = met != items
            residual = residuals_of(label, user + rates[places]) * (others & (met != self.absent))
            alike = torch.bmm(functional.embedding(places, table), candidate).squeeze(2)
            weight = alike * alike.abs() * others  # squared, so that the few that are very alike decide
            said.append((weight * residual).sum(1))
            weights = weights + weight.abs().sum(1)
            residuals.append(residual)
        both = said[0] + said[1]
        found = torch.stack([*said, both, both / (weights + LEAST)], dim=1)
        return found if known is None else torch.cat([found, self._by_content(batch, known, residuals)], dim=1)

    def _by_content(self, batch: Batch, known: torch.Tensor, residuals: list[torch.Tensor]) -> torch.Tensor:
        """Return what both histories say by content (rows, modalities): a product with the sum of what was met."""
        content: torch.Tensor = batch.item_content  # type: ignore[assignment]
        candidate = (functional.embedding(batch.item, content) - self.centre) * known[batch.item].unsqueeze(1)  # type: ignore[arg-type, index]
        met = torch.zeros_like(candidate)
        for items, residual in zip(histories_of(batch), residuals, strict=True):
            weights = residual * known[items]
            summed = functional.embedding_bag(items, content, per_sample_weights=weights, mode="sum")
            met = met + summed - weights.sum(1, keepdim=True) * self.centre
        products: list[torch.Tensor] = self.modalities.of(candidate * met)  # type: ignore[union-attr]
        return torch.stack([product.sum(1) for product in products], dim=1)


def has_content(content: torch.Tensor) -> torch.Tensor:
    """Tell (items + 1,) bool which items have some content (items + 1, columns)."""
    return (content != 0).any(1)
