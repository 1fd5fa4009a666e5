"""Principal components, min-max scaling and average pooling, exact and repeatable.

The components are those of scikit-learn's PCA up to sign. They are computed here because three things are needed
that it does not do together: a share of the variance on sparse, zero-padded text that must never be written out, one
pass over data that comes in pieces, and the same bytes on every run.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse

from mma4ctr.eigen import largest_eigen

CHUNK = 8_192  # rows that are widened to float64 at a time: few enough to stay in the cache
DENSE_LIMIT = 2_000  # the widest covariance that is written out; wider ones are only multiplied by vectors
Matrix: TypeAlias = np.ndarray | scipy.sparse.csr_array
MOST_NARROW = 10 * np.finfo(np.float64).eps  # a range below this is no range (as scikit-learn has it)


@dataclasses.dataclass(frozen=True)
class Components:
    """A fitted projection: `mean` (columns,) and `axes` (columns, components), float64."""

    mean: np.ndarray
    axes: np.ndarray

    def transform(self, matrix: Matrix) -> np.ndarray:
        """Project `matrix` (rows, columns), dense or sparse, to (rows, components) float32."""
        offset = self.mean @ self.axes
        projected = np.empty((matrix.shape[0], self.axes.shape[1]), dtype=np.float32)
        for start in range(0, matrix.shape[0], CHUNK):
            rows = matrix[start : start + CHUNK]
            rows = rows if scipy.sparse.issparse(rows) else rows.astype(np.float64)
            projected[start : start + CHUNK] = rows @ self.axes - offset
        return projected


class Rows(abc.ABC):
    """The rows of a matrix as the fitting sees them: sums over blocks of rows, wherever the blocks lie.

    Attributes
    ----------
    shape : (rows, columns)
    is_sparse : bool
    """

    shape: tuple[int, int]
    is_sparse: bool

    @abc.abstractmethod
    def total(self, function: Callable, *shared: Any) -> Any:
        """Return the sum over all blocks of ``function(block, *shared)``."""

    @abc.abstractmethod
    def each(self, function: Callable, *shared: Any) -> np.ndarray:
        """Return a number for each row, (rows,) float64: ``function(block, *shared)`` returns those of a block."""

    @abc.abstractmethod
    def transformed(self, components: Components) -> np.ndarray:
        """Return the projection (rows, components) float32."""

    @abc.abstractmethod
    def gathered(self) -> Matrix:
        """Return the matrix itself."""


class InMemory(Rows):
    """A matrix of this process: one block."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix, self.shape, self.is_sparse = matrix, matrix.shape, scipy.sparse.issparse(matrix)

    def total(self, function: Callable, *shared: Any) -> Any:
        return function(self.matrix, *shared)

    def each(self, function: Callable, *shared: Any) -> np.ndarray:
        return function(self.matrix, *shared)

    def transformed(self, components: Components) -> np.ndarray:
        return components.transform(self.matrix)

    def gathered(self) -> Matrix:
        return self.matrix


def rows_of(matrix: Matrix | Rows) -> Rows:
    """Return a matrix as `Rows`."""
    return matrix if isinstance(matrix, Rows) else InMemory(matrix)


def column_sums(block: Matrix) -> np.ndarray:
    """Return the sums (columns,) float64 of a block of rows."""
    return np.asarray(block.sum(axis=0, dtype=np.float64)).ravel()


def scatter(block: Matrix, mean: np.ndarray) -> np.ndarray:
    """Return a block's part (columns, columns) float64 of the sum of outer products of rows centred on `mean`.

    A sparse block's part is not centred on its own; the sum over all blocks is, where `mean` is that of all rows.
    """
    if scipy.sparse.issparse(block):
        return (block.T @ block).toarray() - block.shape[0] * np.outer(mean, mean)
    products = np.zeros((block.shape[1], block.shape[1]))
    for start in range(0, block.shape[0], CHUNK):
        rows = block[start : start + CHUNK].astype(np.float64) - mean
        products += rows.T @ rows
    return products


def scatter_times(block: scipy.sparse.csr_array, mean: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return a block's part (columns,) of the product of the scatter matrix and a vector, neither written out."""
    scores = block @ vector - mean @ vector
    return block.T @ scores - mean * scores.sum()


def squared_distances(block: Matrix, mean: np.ndarray) -> np.ndarray:
    """Return how far each row of a block is from `mean` (columns,), squared: (rows,) float64.

    Sparse rows stay sparse, so that distances far smaller than the squared mean drown in its rounding.
    """
    distances = np.empty(block.shape[0])
    for start in range(0, block.shape[0], CHUNK):
        rows: Any = block[start : start + CHUNK].astype(np.float64)
        if scipy.sparse.issparse(rows):
            found = rows.multiply(rows).sum(axis=1) - 2 * (rows @ mean) + mean @ mean
        else:
            found = ((rows - mean) ** 2).sum(axis=1)
        distances[start : start + CHUNK] = np.maximum(found, 0)
    return distances


def shares_of_variance(matrix: Matrix | Rows) -> np.ndarray:
    """Return each row's share (rows,) float64 of the variance of `matrix` (rows, columns); 0 where nothing varies."""
    rows = rows_of(matrix)
    distances = rows.each(squared_distances, rows.total(column_sums) / max(rows.shape[0], 1))
    total = distances.sum()
    return distances / total if total > 0 else np.zeros(rows.shape[0])


def sum_of_squares(block: scipy.sparse.csr_array) -> float:
    """Return the sum of the squares of everything in a block."""
    return float((block.data.astype(np.float64) ** 2).sum())


def _small_eigen(rows: Rows, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all variances, largest first, and their axes, from whichever of the two Gram matrices is smaller."""
    count, columns = rows.shape
    if columns <= count:
        return _varying(*scipy.linalg.eigh(rows.total(scatter, mean) / max(count - 1, 1)))
    # With fewer rows than columns: centre the (rows, rows) Gram matrix and carry its eigenvectors over.
    matrix = rows.gathered()
    wide = matrix if scipy.sparse.issparse(matrix) else matrix.astype(np.float64) - mean
    products = wide @ wide.T
    gram = products.toarray() if scipy.sparse.issparse(products) else products
    gram = gram - gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    values, left = _varying(*scipy.linalg.eigh(gram / max(count - 1, 1)))
    axes = matrix.T @ left - np.outer(mean, left.sum(axis=0))
    return values, axes / np.linalg.norm(axes, axis=0)


def _varying(values: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, largest first, and their vectors, without those that are rounding noise."""
    values, vectors = values[::-1], vectors[:, ::-1]
    varies = values > MOST_NARROW * len(values) * max(values.max(initial=0), 1e-300)
    return values[varies], vectors[:, varies]


def _leading_eigen(rows: Rows, mean: np.ndarray, share: float, total: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading variances and axes of a wide sparse matrix, enough of them to reach `share` of `total`.

    ARPACK only multiplies the centred matrix by vectors, so that nothing of (columns, columns) is written out. The
    number of components doubles until their variances add up to the share of the total, which is known exactly.
    """
    count, columns = rows.shape

    def covariance_times(vector: np.ndarray) -> np.ndarray:
        return rows.total(scatter_times, mean, vector.ravel()) / (count - 1)

    wanted = 128
    while True:
        wanted = min(wanted, columns - 1)
        variances, axes = largest_eigen(covariance_times, columns, wanted)
        if variances.sum() >= share * total or wanted == columns - 1:
            return variances, axes
        wanted *= 2


def _total_variance(rows: Rows, mean: np.ndarray) -> float:
    """Return the sum over columns of the variance of sparse rows."""
    return (rows.total(sum_of_squares) - rows.shape[0] * float(mean @ mean)) / max(rows.shape[0] - 1, 1)


def _number_for_share(variances: np.ndarray, total: float, share: float) -> int:
    """Return how many leading variances it takes for more than `share` of `total` (scikit-learn's rule)."""
    return int(np.searchsorted(np.cumsum(variances) / total, share, side="right")) + 1


def of_one_sign(axes: np.ndarray) -> np.ndarray:
    """Return axes (columns, components), each with its largest coefficient positive, whatever the solver's sign was."""
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.where(np.take_along_axis(axes, largest[None], axis=0)[0] < 0, -1.0, 1.0)


def fit_components(matrix: Matrix | Rows, components: int | float) -> Components:
    """Fit principal components.

    Parameters
    ----------
    matrix : (rows, columns) array, dense or scipy.sparse.csr_array, or Rows that lie elsewhere
    components : int or float
        How many components, or, for a number between 0 and 1, the share of the variance that they keep. There are
        never more of them than rows, columns, or directions in which the rows differ.

    Returns
    -------
    Components
        Each axis has its largest coefficient positive, so that the sign does not depend on the solver.
    """
    rows = rows_of(matrix)
    mean = rows.total(column_sums) / max(rows.shape[0], 1)
    if rows.shape[1] == 0:
        return Components(mean, np.zeros((0, 0)))
    share = components if isinstance(components, float) else None
    if share is not None and rows.is_sparse and min(rows.shape) > DENSE_LIMIT:
        total = _total_variance(rows, mean)
        variances, axes = _leading_eigen(rows, mean, share, total)
    else:
        variances, axes = _small_eigen(rows, mean)
        total = variances.sum()
    count = _number_for_share(variances, total, share) if share is not None and total > 0 else components
    count = int(min(count, len(variances), max(rows.shape[0], 1))) if total > 0 else min(1, len(mean))
    axes = axes[:, :count] if axes.shape[1] else np.zeros((len(mean), count))
    return Components(mean, of_one_sign(axes))


def reduce_to(matrix: Matrix | Rows, components: int | float) -> np.ndarray:
    """Fit principal components to `matrix` (rows, columns) and return its projection (rows, components) float32."""
    return rows_of(matrix).transformed(fit_components(matrix, components))


def at_most(matrix: np.ndarray, length: int) -> np.ndarray:
    """Return `matrix` (rows, columns) as it is, or its first `length` components if it is wider."""
    return reduce_to(matrix, length) if matrix.shape[1] > length else matrix


def inverse_range(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return 1 / (highest - lowest), and 1 for a column without a range, as scikit-learn's MinMaxScaler does."""
    spread = np.asarray(highest, dtype=np.float64) - np.asarray(lowest, dtype=np.float64)
    return 1 / np.where(spread < MOST_NARROW, 1.0, spread)


def min_max(matrix: np.ndarray) -> np.ndarray:
    """Scale the columns of `matrix` (rows, columns) to [0, 1]; a constant column becomes 0. Returns float32."""
    if len(matrix) == 0:
        return matrix.astype(np.float32)
    lowest, highest = matrix.min(axis=0).astype(np.float64), matrix.max(axis=0).astype(np.float64)
    factor = inverse_range(lowest, highest)
    scaled = np.empty(matrix.shape, dtype=np.float32)
    for start in range(0, len(matrix), CHUNK):
        scaled[start : start + CHUNK] = (matrix[start : start + CHUNK] - lowest) * factor
    return scaled


def pad_columns(matrix: np.ndarray, length: int) -> np.ndarray:
    """Return `matrix` (rows, columns) with zero columns added at the end until there are `length` of them."""
    missing = length - matrix.shape[1]
    return np.pad(matrix, ((0, 0), (0, missing))) if missing > 0 else matrix


def average_pooling(matrix: np.ndarray, length: int) -> np.ndarray:
    """Reduce columns by sliding means, as the published scripts do.

    The window is ``columns - length + 1`` wide and moves by one column; a matrix with fewer columns than `length` is
    zero-padded first.

    Parameters
    ----------
    matrix : (rows, columns) float array
    length : int

    Returns
    -------
    (rows, length) float64 array
    """
    matrix = pad_columns(np.asarray(matrix, dtype=np.float64), length)
    window = matrix.shape[1] - length + 1
    sums = np.cumsum(np.pad(matrix, ((0, 0), (1, 0))), axis=1)
    return (sums[:, window:] - sums[:, :-window]) / window
