"""Sum up runs over seeds, and tell by a paired bootstrap over test users whether two settings differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

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
    return difference_among(ours, reference, lambda rows: np.ones(len(rows), dtype=bool))[1]


def rows_of_both(ours: Sequence[Evaluation], reference: Sequence[Evaluation]) -> tuple[np.ndarray, np.ndarray]:
    """Return where the test rows (rows,) that two settings have in common stand among those of each.

    A label-rate predictor, which keeps no places, has the rows of the run that it stands beside.
    """
    if ours[0].rows == reference[0].rows:
        every = np.arange(len(reference[0].test_rows))
        return every, every
    _, here, there = np.intersect1d(ours[0].test_places, reference[0].test_places, return_indices=True)
    return here, there


def weighted_scores(
    ours: Sequence[Evaluation], reference: Sequence[Evaluation], here: np.ndarray, there: np.ndarray
) -> list[tuple[np.ndarray, float]]:
    """Return the scores of each run on the rows of both, with its weight in the difference of the means over seeds."""
    scores = [(one.predictions[here], 1 / len(ours)) for one in ours]
    return scores + [(one.predictions[there], -1 / len(reference)) for one in reference]


def gauc_difference(ours: Sequence[Evaluation], reference: Sequence[Evaluation]) -> Difference:
    """Compare the GAUC of two settings over the same draws of test users, on the rows that both have."""
    here, there = rows_of_both(ours, reference)
    users, _, labels = reference[0].test_rows[there].T
    parts = [(metrics.user_aucs(users, labels, score), weight)
             for score, weight in weighted_scores(ours, reference, here, there)]  # fmt: skip
    aucs = np.sum([weight * own for (own, _), weight in parts], axis=0)
    rows = parts[0][0][1]
    replicates = metrics.gauc_replicates(users, aucs, rows, 0)
    return Difference(metrics.mean_of_users(aucs, rows), *bootstrap.interval(replicates))


def difference_among(
    ours: Sequence[Evaluation], reference: Sequence[Evaluation], chosen: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, Difference]:
    """Compare two settings on some of the test rows that both have: return our AUC there, and the difference.

    Parameters
    ----------
    ours, reference : sequence of Evaluation
    chosen : callable
        Test rows (rows, 3) -> which of them (rows,) bool.
    """
    here, there = rows_of_both(ours, reference)
    kept = chosen(reference[0].test_rows[there])
    here, there = here[kept], there[kept]
    users, _, labels = reference[0].test_rows[there].T
    if not 0 < labels.sum() < len(labels):
        return float("nan"), Difference(float("nan"), float("nan"), float("nan"), len(labels))
    scores = weighted_scores(ours, reference, here, there)
    own = float(np.mean([metrics.auc(labels, score) for score, _ in scores[: len(ours)]]))
    auc = sum(weight * metrics.auc(labels, score) for score, weight in scores)
    replicates = np.sum([weight * bootstrap.bootstrap_auc(users, labels, score, 0) for score, weight in scores], axis=0)
    return own, Difference(auc, *bootstrap.interval(replicates), len(labels))
