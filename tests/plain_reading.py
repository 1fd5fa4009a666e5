"""What the plain readings of raw files share."""

from __future__ import annotations

import numpy as np


def dense(matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def padded(lists: list[list], width: int) -> np.ndarray:
    """Zero-pad at the end, the slow way."""
    result = np.zeros((len(lists), width))
    for row, values in enumerate(lists):
        for column, value in enumerate(values[:width]):
            result[row, column] = value
    return result
