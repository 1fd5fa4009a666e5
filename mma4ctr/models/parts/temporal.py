"""HyperCTR's self-attention over what a user clicked, and its fusion of two vectors of a user."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class TemporalAttention(nn.Module):
    """Self-attention and a feed-forward network (He et al., CIKM 2021, Eq. 1-4), at the last place of a sequence.

    Neither a residual nor a normalisation follows, as printed. Places before the last one need no query.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.feed = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, sequence: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return the last state (rows, width) of sequences (rows, places, width), of which `seen` (rows, places)."""
        rows, places, width = sequence.shape
        query = self.query(sequence[:, -1:]).view(rows, 1, self.heads, -1).transpose(1, 2)
        key, value = (layer(sequence).view(rows, places, self.heads, -1).transpose(1, 2)
                      for layer in (self.key, self.value))  # fmt: skip
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None, None])
        return self.feed(self.joined(attended.transpose(1, 2).reshape(rows, width)))


class Fusion(nn.Linear):
    """W^T of the outer product of (a, 1) and (b, 1), flattened (He et al., CIKM 2021, Eq. 6).

    Parameters
    ----------
    width : int
        Of both vectors and of what they become.
    """

    def __init__(self, width: int) -> None:
        super().__init__((width + 1) ** 2, width, bias=False)

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the weights start: Gaussian. Products are small, so that a row counts as 1 + width inputs do."""
        return shape[1] ** -0.25 * rng.standard_normal(shape)

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Return the fused vectors (rows, width) of two vectors (rows, width) each."""
        one, other = (functional.pad(vectors, (0, 1), value=1.0) for vectors in (one, other))
        return super().forward((one.unsqueeze(2) * other.unsqueeze(1)).flatten(1))
