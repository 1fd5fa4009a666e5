"""What the plain readings of raw files share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mma4ctr.data.datasets.wechat import ACTION_WEIGHTS

LOG_COLUMNS = ("userid", "feedid", "date_", "device", *ACTION_WEIGHTS)


def write_log(file: Path, rows: Iterable[dict], columns: Sequence[str]) -> None:
    """Write a user_action.csv."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def dense(matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def padded(lists: list[list], width: int) -> np.ndarray:
    """Zero-pad at the end, the slow way."""
    result = np.zeros((len(lists), width))
    for row, values in enumerate(lists):
        for column, value in enumerate(values[:width]):
            result[row, column] = value
    return result
