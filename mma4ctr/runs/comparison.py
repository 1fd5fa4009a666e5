"""Sum up runs over seeds, and tell by a paired bootstrap over test users whether two settings differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from mma4ctr.evaluation import bootstrap, metrics
from mma4ctr.runs.finished import Evaluation


@dataclasses.dataclass(frozen=True)
class Summary:
    """One setting over its seeds.

    Attributes
    ----------
    figures : dict of str to float
        Mean over seeds of each figure of an evaluation, by name; nan where it does not exist.
    interval : (float, float)
        95 % interval of the mean AUC over test users.
    spread : float
        Standard deviation of the AUC over seeds; nan with one seed.
    seeds : int
    """

    figures: dict[str, float]
    interval: tuple[float, float]
    spread: float
    seeds: int


def of_seeds(evaluations: Sequence[Evaluation], figure: str) -> np.ndarray:
    """Return a figure of each seed (seeds,) float64, nan where it does not exist."""
    return np.array([one.figures.get(figure) for one in evaluations], dtype=float)


def mean_replicates(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Return the bootstrap replicates (1000,) float64 of the mean AUC over seeds."""
    return np.mean([evaluation.replicates for evaluation in evaluations], axis=0)


def summarise(evaluations: Sequence[Evaluation]) -> Summary:
    """Return the figures of one setting over its seeds, all of them tested on the same rows."""
    figures = {name: of_seeds(evaluations, name) for name in evaluations[0].figures}
    spread = float(figures["auc"].std(ddof=1)) if len(evaluations) > 1 else float("nan")
    means = {name: float(values.mean()) for name, values in figures.items()}
    return Summary(means, bootstrap.interval(mean_replicates(evaluations)), spread, len(evaluations))


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
        auc = of_seeds(ours, "auc").mean() - of_seeds(reference, "auc").mean()
        return Difference(float(auc), *bootstrap.interval(mean_replicates(ours) - mean_replicates(reference)))
    _, here, there = np.intersect1d(ours[0].test_places, reference[0].test_places, return_indices=True)
    rows = ours[0].test_rows[here]
    if not 0 < rows[:, 2].sum() < len(rows):
        return Difference(float("nan"), float("nan"), float("nan"), len(rows))
    scores = [(one.predictions[here], 1 / len(ours)) for one in ours]
    scores += [(one.predictions[there], -1 / len(reference)) for one in reference]
    users, labels = rows[:, 0], rows[:, 2]
    auc = sum(weight * metrics.auc(labels, score) for score, weight in scores)
    replicates = np.sum([weight * bootstrap.bootstrap_auc(users, labels, score, 0) for score, weight in scores], axis=0)
    return Difference(auc, *bootstrap.interval(replicates), len(rows))
