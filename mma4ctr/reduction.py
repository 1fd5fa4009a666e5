"""Principal components, min-max scaling and average pooling, exact and repeatable.

The components are those of scikit-learn's PCA up to sign. They are computed here because three things are needed
that it does not do together: a share of the variance on sparse, zero-padded text that must never be written out, one
pass over data that comes in pieces, and the same bytes on every run.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

CHUNK = 65_536  # rows that are widened to float64 at a time
DENSE_LIMIT = 2_000  # the widest covariance that is written out; wider ones are only multiplied by vectors
MOST_NARROW = 10 * np.finfo(np.float64).eps  # a range below this is no range (as scikit-learn has it)


@dataclasses.dataclass(frozen=True)
class Components:
    """A fitted projection: `mean` (columns,) and `axes` (columns, components), float64."""

    mean: np.ndarray
    axes: np.ndarray

    def transform(self, matrix: np.ndarray | scipy.sparse.csr_array) -> np.ndarray:
        """Project `matrix` (rows, columns), dense or sparse, to (rows, components) float32."""
        offset = self.mean @ self.axes
        projected = np.empty((matrix.shape[0], self.axes.shape[1]), dtype=np.float32)
        for start in range(0, matrix.shape[0], CHUNK):
            rows = matrix[start : start + CHUNK]
            rows = rows if scipy.sparse.issparse(rows) else rows.astype(np.float64)
            projected[start : start + CHUNK] = rows @ self.axes - offset
        return projected


def _sums(matrix: np.ndarray | scipy.sparse.csr_array) -> np.ndarray:
    """Return the column means (columns,) float64."""
    return np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel() / max(matrix.shape[0], 1)


def _covariance(matrix: np.ndarray | scipy.sparse.csr_array, mean: np.ndarray) -> np.ndarray:
    """Return the covariance (columns, columns) float64 of the rows around `mean`."""
    if scipy.sparse.issparse(matrix):
        scatter = (matrix.T @ matrix).toarray() - matrix.shape[0] * np.outer(mean, mean)
    else:
        scatter = np.zeros((matrix.shape[1], matrix.shape[1]))
        for start in range(0, matrix.shape[0], CHUNK):
            rows = matrix[start : start + CHUNK].astype(np.float64) - mean
            scatter += rows.T @ rows
    return scatter / max(matrix.shape[0] - 1, 1)


def _small_eigen(matrix, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all variances, largest first, and their axes, from whichever of the two Gram matrices is smaller."""
    rows, columns = matrix.shape
    if columns <= rows:
        return _varying(*scipy.linalg.eigh(_covariance(matrix, mean)))
    # With fewer rows than columns: centre the (rows, rows) Gram matrix and carry its eigenvectors over.
    wide = matrix if scipy.sparse.issparse(matrix) else matrix.astype(np.float64) - mean
    products = wide @ wide.T
    gram = products.toarray() if scipy.sparse.issparse(products) else products
    gram = gram - gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    values, left = _varying(*scipy.linalg.eigh(gram / max(rows - 1, 1)))
    axes = matrix.T @ left - np.outer(mean, left.sum(axis=0))
    return values, axes / np.linalg.norm(axes, axis=0)


def _varying(values: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, largest first, and their vectors, without those that are rounding noise."""
    values, vectors = values[::-1], vectors[:, ::-1]
    varies = values > MOST_NARROW * len(values) * max(values.max(initial=0), 1e-300)
    return values[varies], vectors[:, varies]


def _leading_eigen(matrix: scipy.sparse.csr_array, mean: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading variances and axes of a wide sparse matrix, enough of them to reach `share`.

    ARPACK only multiplies the centred matrix by vectors, so that nothing of (columns, columns) is written out. The
    number of components doubles until their variances add up to the share of the total, which is known exactly.
    """
    rows, columns = matrix.shape
    transposed = matrix.T.tocsr()

    def covariance_times(vector: np.ndarray) -> np.ndarray:
        vector = vector.ravel()
        scores = matrix @ vector - mean @ vector
        return (transposed @ scores - mean * scores.sum()) / (rows - 1)

    operator = scipy.sparse.linalg.LinearOperator((columns, columns), matvec=covariance_times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(columns)  # any fixed start makes the result repeatable
    total = _total_variance(matrix, mean)
    count = 128
    while True:
        count = min(count, columns - 1)
        variances, axes = scipy.sparse.linalg.eigsh(operator, k=count, which="LA", v0=start)
        variances, axes = variances[::-1], axes[:, ::-1]
        if variances.sum() >= share * total or count == columns - 1:
            return variances, axes
        count *= 2


def _total_variance(matrix: scipy.sparse.csr_array, mean: np.ndarray) -> float:
    """Return the sum over columns of the variance."""
    squares = float((matrix.data.astype(np.float64) ** 2).sum())
    return (squares - matrix.shape[0] * float(mean @ mean)) / max(matrix.shape[0] - 1, 1)


def _number_for_share(variances: np.ndarray, total: float, share: float) -> int:
    """Return how many leading variances it takes for more than `share` of `total` (scikit-learn's rule)."""
    return int(np.searchsorted(np.cumsum(variances) / total, share, side="right")) + 1


def fit_components(matrix: np.ndarray | scipy.sparse.csr_array, components: int | float) -> Components:
    """Fit principal components.

    Parameters
    ----------
    matrix : (rows, columns) array, dense or scipy.sparse.csr_array
    components : int or float
        How many components, or, for a number between 0 and 1, the share of the variance that they keep. There are
        never more of them than rows, columns, or directions in which the rows differ.

    Returns
    -------
    Components
        Each axis has its largest coefficient positive, so that the sign does not depend on the solver.
    """
    mean = _sums(matrix)
    if matrix.shape[1] == 0:
        return Components(mean, np.zeros((0, 0)))
    share = components if isinstance(components, float) else None
    if share is not None and scipy.sparse.issparse(matrix) and min(matrix.shape) > DENSE_LIMIT:
        variances, axes = _leading_eigen(matrix, mean, share)
        total = _total_variance(matrix, mean)
    else:
        variances, axes = _small_eigen(matrix, mean)
        total = variances.sum()
    count = _number_for_share(variances, total, share) if share is not None and total > 0 else components
    count = int(min(count, len(variances), max(matrix.shape[0], 1))) if total > 0 else min(1, len(mean))
    axes = axes[:, :count] if axes.shape[1] else np.zeros((len(mean), count))
    largest = np.abs(axes).argmax(axis=0)
    signs = np.where(np.take_along_axis(axes, largest[None], axis=0)[0] < 0, -1.0, 1.0)
    return Components(mean, axes * signs)


def reduce_to(matrix: np.ndarray | scipy.sparse.csr_array, components: int | float) -> np.ndarray:
    """Fit principal components to `matrix` (rows, columns) and return its projection (rows, components) float32."""
    return fit_components(matrix, components).transform(matrix)


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
    return np.pad(matrix, ((0, 0), (0, max(0, length - matrix.shape[1]))))


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
