"""How far from 0.5 the AUC of scores that know nothing of the labels may lie."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def standard_error(positives: int, negatives: int) -> float:
    """Return the standard error of the AUC of scores that are independent of the labels (Mann and Whitney)."""
    return math.sqrt((positives + negatives + 1) / (12 * positives * negatives))


def mean_is_right(found: Sequence[dict[str, float]]) -> bool:
    """Tell whether the mean AUC (`auc`) of runs is within 4 SE / sqrt(runs) of 0.5, SE being the mean of their `se`."""
    off = abs(np.mean([run["auc"] for run in found]) - 0.5)
    return bool(off <= 4 * np.mean([run["se"] for run in found]) / math.sqrt(len(found)))
