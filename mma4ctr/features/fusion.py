"""Fuse the modalities of the items that have all of them: crossed element by element, or side by side."""

from __future__ import annotations

import functools

import numpy as np

from mma4ctr import reduction
from mma4ctr.catalogue import ITEM_FEATURE_LENGTH


def fusable(items: np.ndarray, matrix: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Make one modality ready to be fused.

    It is min-max scaled over all items that have it, then restricted to the fused items, then reduced if it is wider
    than 128 columns.

    Parameters
    ----------
    items : (m,) int64 array
        Sorted ids of the items that have the modality.
    matrix : (m, columns) float32 array
    fused : (n,) int64 array
        Sorted ids of the items that have every modality.

    Returns
    -------
    (n, at most 128) float32 array
    """
    scaled = reduction.min_max(matrix)[np.searchsorted(items, fused)]
    return reduction.at_most(scaled, ITEM_FEATURE_LENGTH)


def cross(tables: list[np.ndarray]) -> np.ndarray:
    """Multiply modalities element by element at the width of the narrowest.

    The first narrowest stays as it is; every other one, an equally wide one too, goes through PCA to its width.

    Parameters
    ----------
    tables : list of (n, columns) float32 arrays
        In the order visual, acoustic, textual.

    Returns
    -------
    (n, narrowest width) float32 array
    """
    narrowest = int(np.argmin([table.shape[1] for table in tables]))
    width = tables[narrowest].shape[1]
    others = (table for place, table in enumerate(tables) if place != narrowest)
    reduced = (reduction.pad_columns(reduction.reduce_to(table, width), width) for table in others)
    return functools.reduce(np.multiply, reduced, tables[narrowest])


def concat(tables: list[np.ndarray]) -> np.ndarray | None:
    """Join modalities side by side and reduce them to 128 columns.

    Returns
    -------
    (n, 128) float32 array, or None
        None where the joined tables are not wider than 128, so that there is nothing to compute: such a feature is
        kept as the list of what it joins.
    """
    width = sum(table.shape[1] for table in tables)
    return reduction.reduce_to(np.hstack(tables), ITEM_FEATURE_LENGTH) if width > ITEM_FEATURE_LENGTH else None


FUSIONS = {"cross": cross, "concat": concat}
