"""A modality of the items, before and after its reduction."""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr import reduction


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

    `warnings` say what makes it doubtful, one sentence each.
    """

    modality: str
    items: np.ndarray
    blocks: list[Block]
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Modality:
    """One modality: the ids (items,) int64, sorted, of its items, and their matrix (items, columns) float32.

    `warnings` say what makes it doubtful, one sentence each: they are printed, kept in the record and in the report.
    """

    modality: str
    items: np.ndarray
    matrix: np.ndarray
    warnings: tuple[str, ...] = ()


def reduced(raw: RawModality) -> Modality:
    """Reduce each block as it asks and put the blocks side by side."""
    blocks = (
        block.matrix if block.components is None else reduction.reduce_to(block.matrix, block.components)
        for block in raw.blocks
    )
    matrix = np.hstack([np.asarray(block, dtype=np.float32) for block in blocks])
    return Modality(raw.modality, raw.items, matrix, raw.warnings)
