"""An LSTM whose state also reaches back to the most similar items before it, as in ALPINE (Li et al., ACM MM 2019)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

STEPS = 2**20  # how finely similarities are told apart, so that the same item at two places is as similar from any sum


@torch.no_grad()
def edges_of(values: torch.Tensor, number: int) -> torch.Tensor:
    """Return which earlier places of its history each item is linked to: those whose cosine with it is largest.

    The place just before is none of them: the chain of the LSTM links it already. Of equally similar ones the later is
    taken.

    Parameters
    ----------
    values : (rows, length, width) float tensor
        By which items are compared.
    number : int
        How many at most.

    Returns
    -------
    (rows, length, number or less) int64 tensor
        Places, all of them at least 2 before the item's own; -1 where there are no more.
    """
    length = values.shape[1]
    unit = functional.normalize(values.double(), dim=2)
    places = torch.arange(length, device=values.device)
    # Whole numbers, all different: rounded similarity first, then the place.
    ranks = (torch.bmm(unit, unit.transpose(1, 2)) * STEPS).round_().mul_(length).add_(places)
    ranks.masked_fill_(places > places.unsqueeze(1) - 2, -torch.inf)
    best = ranks.topk(min(number, length), dim=2)
    return best.indices.masked_fill(best.values == -torch.inf, -1)


def cell(gates: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the next memory and state (rows, width) of an LSTM.

    Parameters
    ----------
    gates : (rows, 4 width) float tensor
        Input, forget and output gate and the new content, before their activations.
    memory : (rows, width) float tensor
    """
    width = memory.shape[1]
    enter, keep, leave = torch.sigmoid(gates[:, : 3 * width]).chunk(3, dim=1)
    memory = keep * memory + enter * torch.tanh(gates[:, 3 * width :])
    return memory, leave * torch.tanh(memory)


class GraphLSTM(nn.Module):
    """Two LSTMs that share their state: one goes on from the item before, the other from the items linked to.

    Parameters
    ----------
    width : int
        Of an item and of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_item = nn.Linear(width, 8 * width)  # the gates of the chain, then those of the links
        self.of_state = nn.Linear(width, 4 * width, bias=False)
        self.of_linked = nn.Linear(width, 4 * width, bias=False)

    def forward(self, items: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Return the state (rows, length, width) after each item.

        No state depends on a later item: with histories padded behind, padding changes nothing.

        Parameters
        ----------
        items : (rows, length, width) float tensor
        edges : (rows, length, number) int64 tensor
            As `edges_of` returns them. Where an item is linked to several, the mean of what they left is taken; where
            to none, zeros.
        """
        rows, _, width = items.shape
        is_edge = edges >= 0
        # Where to find them: what an item left is a row of a table, after one row of zeros.
        own = torch.arange(1, rows + 1, device=items.device).view(-1, 1, 1)
        found = (edges * rows + own).masked_fill(~is_edge, 0).unbind(1)
        shares = 1 / is_edge.sum(2, keepdim=True).clamp(min=1).to(items.dtype)
        state = memory = items.new_zeros(rows, width)
        left, states = [items.new_zeros(1, 2 * width)], []
        for given, places, share in zip(self.of_item(items).unbind(1), found, shares.unbind(1), strict=True):
            linked = functional.embedding(places, torch.cat(left)).sum(1) * share
            linked_state, linked_memory = linked.chunk(2, dim=1)
            memory, of_chain = cell(given[:, : 4 * width] + self.of_state(state), memory)
            linked_memory, of_links = cell(given[:, 4 * width :] + self.of_linked(linked_state), linked_memory)
            state = of_chain + of_links
            left.append(torch.cat((state, linked_memory), dim=1))
            states.append(state)
        return torch.stack(states, dim=1)
