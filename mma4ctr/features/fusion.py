"""How an item feature is made of modalities: of a single one, crossed element by element, or side by side."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable

import numpy as np

from mma4ctr import reduction
from mma4ctr.catalogue import ITEM_FEATURE_LENGTH, feature_named, features_among


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


def single(tables: list[np.ndarray]) -> np.ndarray | None:
    """Reduce one modality, unscaled, to 128 columns; None where it is not wider: it is kept as it is."""
    (table,) = tables
    return reduction.reduce_to(table, ITEM_FEATURE_LENGTH) if table.shape[1] > ITEM_FEATURE_LENGTH else None


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


FUSED = "fused"  # what is covered by features that need every modality


@dataclasses.dataclass(frozen=True)
class Fusion:
    """A kind of item feature.

    Attributes
    ----------
    script : str
        The step that writes it.
    fuses : bool
        Whether it starts from scaled modalities of the items that have every modality, or from a modality as it is.
    make : callable
        Returns the table (items, columns) float32 of a list of modalities, None where they are joined as they are.
    """

    script: str
    fuses: bool
    make: Callable[[list[np.ndarray]], np.ndarray | None]


FUSIONS = {
    "single": Fusion("gen_matrix.py", False, single),
    "cross": Fusion("cross_matrix.py", True, cross),
    "concat": Fusion("cross_matrix.py", True, concat),
}


def script_of(feature: str) -> str:
    """Return the step that writes a feature."""
    return FUSIONS[feature_named(feature).fusion].script


def covers(feature: str) -> str:
    """Return what decides which items have a feature: all modalities (`FUSED`), or the one that it is made of."""
    return FUSED if FUSIONS[feature_named(feature).fusion].fuses else feature


def fuses(script: str) -> bool:
    """Tell whether a step writes features of the items that have every modality."""
    return any(fusion.fuses for fusion in FUSIONS.values() if fusion.script == script)


def features_of(script: str, modalities: Iterable[str]) -> list[str]:
    """Return the features that a step writes where an item may have these modalities."""
    return [name for name in features_among(tuple(modalities)) if script_of(name) == script]
