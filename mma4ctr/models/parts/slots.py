"""What the nodes of a graph are in time slots, as rows of later slots see it."""

from __future__ import annotations

import torch

from mma4ctr.models.parts.shared import look_up


def seen_before(
    table: torch.Tensor, met: torch.Tensor, nodes: torch.Tensor, slot: torch.Tensor, *, alone: bool = False
) -> torch.Tensor:
    """Return the mean (rows, width) of each row's node over the slots before the row's in which it is met.

    Parameters
    ----------
    table : (slots * nodes, width) float tensor
        A shared table: what the nodes are in each slot, slot by slot.
    met : (nodes, slots) bool tensor
        In which slots each node has a neighbour.
    nodes, slot : (rows,) int64 tensors
    alone : bool
        Whether the table has a part behind those of the slots, with what nodes are without any neighbour. A node that
        was met in no slot before the row's is that; otherwise it is 0.
    """
    number = met.shape[1] + alone
    steps = torch.arange(number, device=met.device)
    seen = met[nodes] & (steps[: met.shape[1]] < slot.unsqueeze(1))
    if alone:
        seen = torch.cat((seen, ~seen.any(1, keepdim=True)), dim=1)
    weights = seen.to(table.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    found = look_up(table, steps * len(met) + nodes.unsqueeze(1))
    return torch.bmm(weights.unsqueeze(1), found).squeeze(1)
