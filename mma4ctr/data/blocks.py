"""A modality of the items, before and after its reduction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl

from mma4ctr import reduction
from mma4ctr.data import raw_files

FEW, MUCH = 0.01, 0.5  # a hundredth of the items (at least one) that hold half of the variance outweigh all others
FEWEST_ITEMS = 10  # for any of this to be said


def doubts_of(name: str, matrix: np.ndarray) -> list[str]:
    """Return a warning where a matrix (n, columns) tells no two of its rows apart; `name` is what it is called."""
    rows, columns = matrix.shape
    if columns == 0:
        return [f"{name} has no columns: it says nothing"]
    if rows > 1 and (matrix == matrix[0]).all():
        what = "zero" if not matrix.any() else "the same"
        return [f"{name} is {what} throughout, {rows:,} rows of {columns} columns: it tells nothing apart"]
    return []


@dataclasses.dataclass(frozen=True)
class Block:
    """Columns that are reduced together.

    `components` is a number of principal components, a share of the variance to keep, or None to keep the
    columns as they are. `matrix` is (items, columns), dense or sparse, here or on the workers of a cluster.
    """

    matrix: reduction.Matrix | reduction.Rows
    components: int | float | None


@dataclasses.dataclass(frozen=True)
class RawModality:
    """One modality: the ids (items,) int64, sorted, of the items that have it, and its blocks of columns.

    `warnings` say what makes it doubtful, one sentence each. Where ids are places among the names of items that are
    text, `names` has what is printed for each of `items`: (items,) of str.
    """

    modality: str
    items: np.ndarray
    blocks: list[Block]
    warnings: tuple[str, ...] = ()
    names: Sequence[str] | pl.Series | None = None


@dataclasses.dataclass(frozen=True)
class Modality:
    """One modality: the ids (items,) int64, sorted, of its items, and their matrix (items, columns) float32.

    `warnings` say what makes it doubtful, one sentence each: they are printed, kept in the record and in the report.
    """

    modality: str
    items: np.ndarray
    matrix: np.ndarray
    warnings: tuple[str, ...] = ()


def _absurd_items(raw: RawModality, block: Block) -> list[str]:
    """Return a sentence if a few items hold more than half of a block's variance: the components see only these."""
    rows = reduction.rows_of(block.matrix)
    count = rows.shape[0]
    if count < FEWEST_ITEMS:
        return []
    shares = reduction.shares_of_variance(rows)
    few = max(1, int(count * FEW))
    if np.partition(shares, -few)[-few:].sum() <= MUCH:
        return []
    most = int(shares.argmax())
    item = raw.items[most] if raw.names is None else raw_files.shown(raw.names[most])
    return [
        f"{raw.modality}: {few} of {count} items have more than {MUCH:.0%} of the variance of {rows.shape[1]} columns, "
        f"item {item} alone {shares[most]:.1%}: beside them all others are nearly the same; look for an "
        "absurd number in its line"
    ]


def reduced(raw: RawModality) -> Modality:
    """Reduce each block as it asks and put the blocks side by side; warn of items that outweigh all others."""
    blocks = (
        block.matrix if block.components is None else reduction.reduce_to(block.matrix, block.components)
        for block in raw.blocks
    )
    matrix = np.hstack([np.asarray(block, dtype=np.float32) for block in blocks])
    absurd = [warning for block in raw.blocks for warning in _absurd_items(raw, block)]
    return Modality(raw.modality, raw.items, matrix, (*raw.warnings, *absurd))


def projected(raw: RawModality, vectors: np.ndarray) -> np.ndarray:
    """Return what `reduced` would make of other items' vectors (n, columns), all blocks side by side: float32.

    The components are those of the items in `raw`, which gives the same ones again.
    """
    ends = np.cumsum([block.matrix.shape[1] for block in raw.blocks])
    parts = [
        part if block.components is None else reduction.fit_components(block.matrix, block.components).transform(part)
        for block, part in zip(raw.blocks, np.split(vectors, ends[:-1], axis=1), strict=True)
    ]
    return np.hstack([np.asarray(part, dtype=np.float32) for part in parts])
