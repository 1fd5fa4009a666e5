"""Sum up runs over seeds, and tell by a paired bootstrap over test users whether two settings differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from mma4ctr.evaluation import metrics
from mma4ctr.runs.find import Evaluation


@dataclasses.dataclass(frozen=True)
class Summary:
    """One setting over its seeds.

    Attributes
    ----------
    auc, gauc, average_precision, logloss : float
        Means over seeds; nan where a figure does not exist.
    low, high : float
        95 % interval of the mean AUC over test users.
    spread : float
        Standard deviation of the AUC over seeds; nan with one seed.
    seeds : int
    test_positives : int
    """

    auc: float
    gauc: float
    average_precision: float
    logloss: float
    low: float
    high: float
    spread: float
    seeds: int
    test_positives: int


def mean_replicates(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Return the bootstrap replicates (1000,) float64 of the mean AUC over seeds."""
    return np.mean([evaluation.replicates for evaluation in evaluations], axis=0)


def summarise(evaluations: Sequence[Evaluation]) -> Summary:
    """Return the figures of one setting over its seeds, all of them tested on the same rows."""
    figures = {name: np.array([one.figures[name] for one in evaluations], dtype=float)
               for name in ("auc", "gauc", "average_precision", "logloss")}  # fmt: skip
    low, high = metrics.interval(mean_replicates(evaluations))
    aucs = figures["auc"]
    return Summary(
        **{name: float(values.mean()) for name, values in figures.items()},
        low=low, high=high, spread=float(aucs.std(ddof=1)) if len(aucs) > 1 else float("nan"),
        seeds=len(evaluations), test_positives=int(evaluations[0].figures["test_positives"]),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much higher one setting's AUC is than another's, with the paired 95 % interval over test users.

    `rows` is the number of test rows that both have where it is not all of them, else None.
    """

    auc: float
    low: float
    high: float
    rows: int | None = None

    @property
    def is_one(self) -> bool:
        """Tell whether the interval excludes 0; only then are two settings called different."""
        return self.low > 0 or self.high < 0


def difference(ours: Sequence[Evaluation], reference: Sequence[Evaluation]) -> Difference:
    """Compare two settings over the same draws of test users.

    Settings tested on different rows (a single modality covers others than a fused feature) are compared on the rows
    that both have.
    """
    if ours[0].rows == reference[0].rows:
        auc = np.mean([one.figures["auc"] for one in ours]) - np.mean([one.figures["auc"] for one in reference])
        return Difference(float(auc), *metrics.interval(mean_replicates(ours) - mean_replicates(reference)))
    _, here, there = np.intersect1d(ours[0].test_places, reference[0].test_places, return_indices=True)
    rows = ours[0].test_rows[here]
    if not 0 < rows[:, 2].sum() < len(rows):
        return Difference(float("nan"), float("nan"), float("nan"), len(rows))
    scores = [(one.predictions[here], 1 / len(ours)) for one in ours]
    scores += [(one.predictions[there], -1 / len(reference)) for one in reference]
    auc = sum(weight * metrics.auc(rows[:, 2], score) for score, weight in scores)
    replicates = sum(weight * metrics.bootstrap_auc(rows[:, 0], rows[:, 2], score, seed=0) for score, weight in scores)
    return Difference(float(auc), *metrics.interval(replicates), len(rows))
