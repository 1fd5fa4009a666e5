"""How far users are interested in modalities: HyperCTR's pre-training (He et al., CIKM 2021, 2.3.1, Eq. 9 and 10).

It goes through the clicks along time, and a slot's interests are taken when its clicks have been learned: nothing of
what a later slot holds is in them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from mma4ctr.models.contract import Graph

STREAM = 11  # tells these draws apart from others of the same seed
CLICKS = 256  # in a batch, each against all others: more take longer for a click
RATE = 0.01  # the learning rate


class UserInterest:
    """f(u, i, a) = <E_U, E_I * (W E_A)>, with a projection of each modality's content as E_A.

    Parameters
    ----------
    users, items : int
    content : list of (items, columns) float32 tensors
        Of each modality.
    width : int
    rng : numpy.random.Generator
        Which the parameters are drawn from.
    """

    def __init__(
        self, users: int, items: int, content: list[torch.Tensor], width: int, rng: np.random.Generator
    ) -> None:
        def drawn(rows: int, columns: int, deviation: float) -> torch.Tensor:
            values = (deviation * rng.standard_normal((rows, columns))).astype(np.float32)
            return torch.from_numpy(values).to(content[0].device).requires_grad_()

        self.content = content
        self.users, self.items = drawn(users, width, width**-0.5), drawn(items, width, 1.0)
        self.bilinear = drawn(width, width, width**-0.5)
        self.projections = [drawn(one.shape[1], width, max(one.shape[1], 1) ** -0.5) for one in content]

    def optimisers(self) -> list[torch.optim.Optimizer]:
        """Return what trains the two tables, of whose rows a batch has few, and the rest."""
        return [torch.optim.SparseAdam([self.users, self.items], lr=RATE),
                torch.optim.Adam([self.bilinear, *self.projections], lr=RATE)]  # fmt: skip

    def sides(self, users: torch.Tensor, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both sides of f: queries (n, width) of clicks, and keys (modalities, n, width) of their items."""
        own = (functional.embedding(places, table, sparse=True)
               for places, table in ((users, self.users), (items, self.items)))  # fmt: skip
        queries = torch.mul(*own) @ self.bilinear
        keys = [one[items] @ projection for one, projection in zip(self.content, self.projections, strict=True)]
        return queries, torch.stack(keys)

    def loss(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return minus Eq. 9: the negatives of a click are the modality's vectors of other items in the batch."""
        queries, keys = self.sides(users, items)
        scores = queries @ keys.transpose(1, 2)  # (modalities, clicks, items of the clicks)
        same = items.unsqueeze(1) == items
        others = scores.masked_fill(same, torch.finfo(scores.dtype).min).logsumexp(2)
        compared = (~same).any(1)  # a click has no negatives in a batch of a single item
        return ((others - scores.diagonal(dim1=1, dim2=2)) * compared).mean()

    @torch.no_grad()
    def interests(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return the sigmoid of f (n, modalities) of clicks."""
        queries, keys = self.sides(users, items)
        return torch.sigmoid((queries * keys).sum(2)).T


def interests_of(
    clicks: Graph, users: int, slots: int, content: list[torch.Tensor], width: int, passes: int, seed: int
) -> torch.Tensor:
    """Return the interest matrix F (slots, users, modalities) float32 as it is after each slot.

    F[s, u, m] is the mean, over the user's clicks up to slot s, of the sigmoid of f with what was learned up to each
    click's slot; 0 for a user without any.

    Parameters
    ----------
    clicks : Graph
        With slots.
    users, slots : int
    content : list of (items, columns) float32 tensors
        Of each modality, on the device where it is trained.
    width, passes : int
        Of an embedding, and how often a slot's clicks are gone through.
    seed : int
    """
    rng, device = np.random.default_rng([seed, STREAM]), content[0].device
    network = UserInterest(users, len(content[0]), content, width, rng)
    optimisers = network.optimisers()
    sums, counts = torch.zeros(users, len(content), device=device), torch.zeros(users, 1, device=device)
    found = torch.zeros(slots, users, len(content), device=device)
    for slot in range(slots):
        here = torch.nonzero(clicks.slots == slot).squeeze(1)  # type: ignore[arg-type]
        of_slot = clicks.users[here].to(device), clicks.items[here].to(device)
        for _ in range(passes):
            order = torch.from_numpy(rng.permutation(len(here))).to(device)
            for places in order.split(CLICKS) if len(order) else ():
                for optimiser in optimisers:
                    optimiser.zero_grad()
                network.loss(of_slot[0][places], of_slot[1][places]).backward()
                for optimiser in optimisers:
                    optimiser.step()
        for some_users, some_items in zip(*(column.split(16 * CLICKS) for column in of_slot), strict=True):
            sums.index_add_(0, some_users, network.interests(some_users, some_items))
            counts.index_add_(0, some_users, torch.ones(len(some_users), 1, device=device))
        found[slot] = sums / counts.clamp(min=1)
    return found


def is_interested(interests: torch.Tensor, threshold: float) -> torch.Tensor:
    """Tell (..., modalities) bool where users are interested: from `threshold` on, and always in what interests most.

    With a threshold of 0 it is the user's mean over modalities.
    """
    least = interests.mean(-1, keepdim=True) if threshold == 0 else threshold
    return (interests >= least) | (interests == interests.amax(-1, keepdim=True))
