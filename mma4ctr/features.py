"""A modality of the items as a reader hands it over, before any reduction."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse


@dataclasses.dataclass(frozen=True)
class Block:
    """Columns that are reduced together.

    `components` is a number of principal components, a share of the variance to keep, or None to keep the
    columns as they are. `matrix` is (items, columns), dense or sparse.
    """

    matrix: np.ndarray | scipy.sparse.csr_array
    components: int | float | None


@dataclasses.dataclass(frozen=True)
class RawModality:
    """One modality: the ids (items,) int64, sorted, of the items that have it, and its blocks of columns."""

    modality: str
    items: np.ndarray
    blocks: list[Block]
