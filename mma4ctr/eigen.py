"""The largest eigenvalues of a symmetric matrix that is only ever multiplied by: the same to the bit every time."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import scipy.sparse.linalg

# ARPACK starts again from a random vector where it has seen all that its start reaches, as with equal eigenvalues. From
# SciPy 1.17 on that comes from an unseeded generator unless one is given; before, from a seed of ARPACK's own.
SEEDED = {"rng": 0} if "rng" in inspect.signature(scipy.sparse.linalg.eigsh).parameters else {}


def largest_eigen(times: Callable[[np.ndarray], np.ndarray], size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues and their vectors, the largest first.

    Parameters
    ----------
    times : callable
        Multiplies the matrix (size, size) by a vector (size,) or (size, 1).
    size : int
    wanted : int
        How many, fewer than `size`.

    Returns
    -------
    (wanted,) float64 array
    (size, wanted) float64 array
    """
    operator = scipy.sparse.linalg.LinearOperator((size, size), matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)  # any fixed start makes the result repeatable
    values, vectors = scipy.sparse.linalg.eigsh(operator, k=wanted, which="LA", v0=start, **SEEDED)
    return values[::-1], vectors[:, ::-1]
