"""One row for each item from parts that may hold lines of the same item: the last line in order of the parts counts.

In this process the rows become one matrix. On a cluster they stay where they were read: this machine sees the ids,
decides which lines count, and asks for sums over blocks of rows and for their projections.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from mma4ctr import reduction
from mma4ctr.executor import DaskExecutor, Executor
from mma4ctr.reduction import Matrix

Lines = tuple[np.ndarray, Matrix]  # the item of each line (lines,) int64, and a row for each (lines, columns)


def places_in(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where each of `wanted` (n,) stands in the sorted `ids` (m,), int32, and -1 where it does not."""
    if len(ids) == 0:
        return np.full(len(wanted), -1, dtype=np.int32)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, place, -1).astype(np.int32)


def last_places(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every item of `items` (lines,) once, sorted, and the place (items,) of its last line."""
    known, from_behind = np.unique(items[::-1], return_index=True)
    return known, len(items) - 1 - from_behind


def last_lines(items: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Decide which lines of parts count.

    Parameters
    ----------
    items : sequence of (lines,) int64 arrays
        The item of each line of each part.

    Returns
    -------
    known : (items,) int64 array
        Every item once, sorted.
    lines : list of int arrays
        For each part, its lines that are the last ones of their items over all parts, in order.
    places : list of int arrays
        For each part, the places of the items of these lines in `known`.
    """
    known, last = last_places(np.concatenate(items))
    order = np.argsort(last)
    ends = np.cumsum([len(part) for part in items])
    cuts = np.searchsorted(last[order], ends)[:-1]
    starts = ends - [len(part) for part in items]
    lines = [part - start for part, start in zip(np.split(last[order], cuts), starts, strict=True)]
    return known, lines, np.split(order, cuts)


def _filled(parts: Iterable[Lines], kept: np.ndarray, columns: int) -> Lines:
    """Write dense rows to the places of their items as they come, so that no more than one part is held beside them."""
    matrix = np.zeros((len(kept), columns), dtype=np.float32)
    present = np.zeros(len(kept), dtype=bool)
    for items, block in parts:
        places = np.searchsorted(kept, items)
        matrix[places] = block
        present[places] = True
    return kept[present], _moved_together(matrix, np.flatnonzero(present))


def _moved_together(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the `rows` (n,) of a matrix, in ascending order, in its own memory: a copy would take as much again."""
    for start in range(0, len(rows), reduction.CHUNK):
        part = rows[start : start + reduction.CHUNK]
        matrix[start : start + len(part)] = matrix[part]
    return matrix[: len(rows)]


def _stacked(parts: Iterable[Lines]) -> Lines:
    """Put sparse rows under one another; usually there is just one part, which is not copied for it."""
    items, blocks = zip(*parts, strict=True)
    known, last = last_places(np.concatenate(items))
    width = max(block.shape[1] for block in blocks)
    stacked = blocks[0] if len(blocks) == 1 else scipy.sparse.vstack([widened(b, width) for b in blocks], format="csr")
    return known, counted_rows(stacked, last)


def gathered(parts: Iterator[Lines], kept: np.ndarray) -> Lines:
    """Bring the rows of all parts together in one matrix.

    Parameters
    ----------
    parts : iterator of (items, block)
        In order; at least one. The items of one part differ from each other. The blocks are float32 arrays of one
        width, or sparse with widths of their own.
    kept : (n,) int64 array
        Sorted; all items are among them.

    Returns
    -------
    items : (items,) int64 array, sorted
    matrix : (items, columns) array, of the same kind as the blocks
    """
    first = next(parts)
    everything = itertools.chain([first], parts)
    if scipy.sparse.issparse(first[1]):
        return _stacked(everything)
    columns = first[1].shape[1]
    del first
    return _filled(everything, kept, columns)


def items_of(part: Lines) -> np.ndarray:
    """Return the item of each line of a part."""
    return part[0]


def counted_rows(block: Matrix, lines: np.ndarray) -> Matrix:
    """Return the rows of the lines that count; a sparse result is as wide as its longest row."""
    rows = block[lines]
    if scipy.sparse.issparse(rows):
        return widened(rows, int(np.diff(rows.indptr).max(initial=0)))
    return rows


def _counted_rows_of(part_and_lines: tuple[Lines, np.ndarray]) -> Matrix:
    (_, block), lines = part_and_lines
    return counted_rows(block, lines)


def width_of(block: Matrix) -> tuple[int, bool]:
    """Return the number of columns of a block and whether it is sparse."""
    return block.shape[1], scipy.sparse.issparse(block)


def widened(block: Matrix, width: int) -> Matrix:
    """Return a sparse block with another number of columns, which holds all that is stored; a dense one as it is."""
    if isinstance(block, np.ndarray):
        return block
    return scipy.sparse.csr_array((block.data, block.indices, block.indptr), shape=(block.shape[0], width))


def projected(block: Matrix, components: reduction.Components) -> np.ndarray:
    """Return the projection of a block."""
    return components.transform(block)


@dataclasses.dataclass(frozen=True)
class SpreadRows(reduction.Rows):
    """A matrix whose blocks of rows lie on the workers of a cluster, as futures.

    `places` has for each block the places of its rows in the matrix.
    """

    executor: DaskExecutor
    blocks: Sequence[object]
    places: Sequence[np.ndarray]
    shape: tuple[int, int]
    is_sparse: bool

    def total(self, function: Callable, *shared: Any) -> Any:
        """Return the sum over blocks of ``function(block, *shared)``; only the summands travel."""
        return sum(self.executor.map(function, self.blocks, *shared))

    def each(self, function: Callable, *shared: Any) -> np.ndarray:
        """Return the numbers (rows,) float64 that ``function(block, *shared)`` returns of each block's rows."""
        result = np.empty(self.shape[0])
        for places, numbers in zip(self.places, self.executor.map(function, self.blocks, *shared), strict=True):
            result[places] = numbers
        return result

    def transformed(self, components: reduction.Components) -> np.ndarray:
        """Return the projection (rows, components) float32; every worker projects its own rows."""
        result = np.empty((self.shape[0], components.axes.shape[1]), dtype=np.float32)
        shared = self.executor.share(reduction.Components, components.mean, components.axes)
        for places, rows in zip(self.places, self.executor.map(projected, self.blocks, shared), strict=True):
            result[places] = rows
        return result

    def gathered(self) -> Matrix:
        """Return the matrix itself, for few rows."""
        blocks = list(self.executor.map(widened, self.blocks, self.shape[1]))
        stacked = scipy.sparse.vstack(blocks, format="csr") if self.is_sparse else np.concatenate(blocks)
        return stacked[np.argsort(np.concatenate(self.places))]


def spread(executor: DaskExecutor, parts: Sequence[object]) -> tuple[np.ndarray, SpreadRows]:
    """Do what `gathered` does with parts that are futures, and leave the rows where they are."""
    known, lines, places = last_lines(list(executor.map(items_of, parts)))
    counted = executor.submit(_counted_rows_of, list(zip(parts, lines, strict=True)))
    del parts  # so that the workers let go of what they have read; Dask remembers how to read it again
    widths, sparse = zip(*executor.map(width_of, counted), strict=True)
    blocks = executor.submit(widened, counted, max(widths))
    return known, SpreadRows(executor, blocks, places, (len(known), max(widths)), all(sparse))


def rows_of_items(
    executor: Executor, read: Callable, parts: Sequence[object], kept: np.ndarray, *shared: Any
) -> tuple[np.ndarray, Matrix | SpreadRows]:
    """Read parts, and bring together the last line of each item.

    Parameters
    ----------
    executor : Executor
    read : callable
        ``read(part, kept, *shared)`` returns the `Lines` of a part.
    parts : sequence
        At least one.
    kept : (n,) int64 array
        The items that are read, sorted.

    Returns
    -------
    items : (items,) int64 array
        Those that occur, sorted.
    rows : (items, columns)
        A matrix in this process; on a cluster the rows stay on the workers.
    """
    if executor.is_local:
        return gathered(executor.map(read, parts, kept, *shared), kept)
    return spread(executor, executor.submit(read, parts, kept, *shared))
