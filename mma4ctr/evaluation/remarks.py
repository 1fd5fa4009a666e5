"""What has to be said of a run whatever its figures are, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mma4ctr.data.registry import dataset_of
from mma4ctr.settings import Settings

CONSTANT = "all test predictions are equal, so that the AUC is that of ties"
NEVER_ABOVE_HALF = "the validation AUC was 0.5 or less after every epoch, so that nothing was learned"


def of_rows(settings: Settings, task: str) -> list[str]:
    """Return what has to be said of the rows of a task: that those without a click were drawn, if they were."""
    negatives = dataset_of(settings, settings.dataset_of(task)).negatives
    return [] if negatives is None else [f"rows without a click were drawn, {negatives.ratio} for each click"]


def of_predictions(predictions: np.ndarray) -> list[str]:
    """Return what has to be said of the predictions of test rows (rows,)."""
    return [CONSTANT] if len(predictions) > 1 and predictions.min() == predictions.max() else []


def of_history(history: Sequence[Mapping[str, float]]) -> list[str]:
    """Return what has to be said of the epochs of a run, which say their ``valid_auc`` where there was a validation."""
    validated = [entry["valid_auc"] for entry in history if "valid_auc" in entry]
    return [NEVER_ABOVE_HALF] if validated and max(validated) <= 0.5 else []
