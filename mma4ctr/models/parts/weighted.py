"""Items whose modalities have a learned weight each."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.models.contract import Sizes
from mma4ctr.models.parts.items import Items
from mma4ctr.models.parts.modalities import Modalities


class WeightedProjection(nn.Module):
    """The sum of the projections of some modalities, each times a weight that is learned.

    Parameters
    ----------
    sizes : Sizes
    width : int
        Of a projection.
    chosen : str
        See `Modalities`.

    Attributes
    ----------
    weights : (modalities,) parameter
        It starts at 1.
    projections : nn.Linear
        Those of all modalities side by side.
    """

    of_columns: torch.Tensor

    def __init__(self, sizes: Sizes, width: int, chosen: str) -> None:
        super().__init__()
        self.modalities = Modalities(sizes, chosen)
        self.projections = nn.Linear(self.modalities.width, width, bias=False)
        self.weights = nn.Parameter(torch.ones(len(self.modalities)))
        columns = [place.stop - place.start for place in self.modalities.columns.values()]
        of_columns = torch.from_numpy(np.repeat(np.arange(len(columns)), columns))
        self.register_buffer("of_columns", of_columns, persistent=False)

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the weights start."""
        return np.ones(shape)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        """Return vectors (..., width) of content (..., all columns)."""
        weights = self.projections.weight * self.weights[self.of_columns]
        return functional.linear(self.modalities.joined(content), weights)


class WeightedItems(Items):
    """Every item as a vector: the embedding of its id plus the weighted projections of its modalities.

    Parameters
    ----------
    sizes : Sizes
    width : int
    chosen : str
        Which modalities, see `Modalities`.
    ids, contents : bool
        See `Items`.
    """

    def __init__(self, sizes: Sizes, width: int, chosen: str, *, ids: bool = True, contents: bool = True) -> None:
        projection = WeightedProjection(sizes, width, chosen) if contents else None
        super().__init__(sizes, width, ids=ids, contents=contents, projection=projection)
