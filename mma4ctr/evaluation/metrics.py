"""How good predictions are, and the one table of the figures that say so.

A new figure is a row of `FIGURES`: metrics.json, results.csv, the demo's table, means over seeds and the report follow.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch

from mma4ctr.evaluation import bootstrap

EPSILON = float(np.finfo(np.float32).eps)


def logloss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean logistic loss in nats, probabilities clipped to [eps, 1 - eps] with the epsilon of float32."""
    clipped = np.clip(probabilities.astype(np.float64), EPSILON, 1 - EPSILON)
    return float(-np.where(labels > 0, np.log(clipped), np.log1p(-clipped)).mean())


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve over all rows, a tie counting half; nan with a single class."""
    return float(tensor_auc(torch.from_numpy(np.array(labels)), torch.from_numpy(np.array(scores))))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean precision at the clicks, rows with equal scores taken together; nan without a click.

    Written here, as `auc` is, because importing scikit-learn's takes longer than most runs take to test.
    """
    order = np.argsort(scores)[::-1]
    ranked, clicked = scores[order], np.cumsum(labels[order] > 0)
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # of each group of equal scores
    found = clicked[last]
    with np.errstate(invalid="ignore"):
        return float((np.diff(found, prepend=0) * (found / (last + 1))).sum() / np.float64(found[-1]))


def tensor_logloss(labels: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Return what `logloss` does, as a float64 scalar on the device of its two tensors (rows,)."""
    clipped = probabilities.double().clamp(EPSILON, 1 - EPSILON)
    return -torch.where(labels > 0, clipped.log(), torch.log1p(-clipped)).mean()


def tensor_auc(labels: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return what `auc` does, as a float64 scalar on the device of its two tensors (rows,), nothing copied from it.

    By the rank sum of the positives (Mann and Whitney), ties at their mean rank. Halves of ranks are exact in float64
    for up to 9e7 rows.
    """
    ranked, order = scores.sort()
    clicked = labels.index_select(0, order) > 0
    below, not_above = (torch.searchsorted(ranked, ranked, right=right) for right in (False, True))
    rank = (below + not_above + 1).double() / 2  # mean rank of equal scores, from 1
    positives = clicked.sum().double()
    rank_sum = (rank * clicked).sum()
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def user_aucs(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUC within each user.

    Parameters
    ----------
    users : (rows,) int array
    labels : (rows,) array of 0 and 1
    scores : (rows,) float array

    Returns
    -------
    aucs : (users,) float64 array
        By the rank sum of each user's positives, ties at their mean rank; nan for a user with a single class.
    rows : (users,) int64 array
        How many rows each user has.
    """
    order = np.lexsort((scores, users))
    user, label, score = users[order], labels[order] > 0, scores[order]
    number = np.arange(len(user))
    new_run = np.ones(len(user), dtype=bool)
    new_run[1:] = (user[1:] != user[:-1]) | (score[1:] != score[:-1])
    run = np.cumsum(new_run) - 1
    first = number[new_run]
    last = np.append(first[1:], len(user)) - 1
    rows = np.bincount(user)
    start = np.cumsum(rows) - rows
    rank = (first[run] + last[run]) / 2 - start[user] + 1  # mean rank within the user, from 1
    positives = np.bincount(user, weights=label)
    rank_sum = np.bincount(user, weights=rank * label)
    with np.errstate(invalid="ignore", divide="ignore"):
        aucs = (rank_sum - positives * (positives + 1) / 2) / (positives * (rows - positives))
    return aucs, rows


def gauc(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean of the users' own AUCs, weighted by rows, over users with both classes (DIN, 2018)."""
    return mean_of_users(*user_aucs(users, labels, scores))


def mean_of_users(aucs: np.ndarray, rows: np.ndarray) -> float:
    """Return the mean of users' AUCs (users,), weighted by their rows (users,), over those that have one."""
    both = np.isfinite(aucs)
    return float(np.average(aucs[both], weights=rows[both])) if both.any() else float("nan")


def gauc_replicates(users: np.ndarray, aucs: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """Return the GAUC of each replicate of a bootstrap over users: (replicates,) float64, or a difference of two.

    The same users and seed give the draws of `bootstrap.bootstrap_auc`.

    Parameters
    ----------
    users : (rows,) int array
        Of the test rows.
    aucs, rows : (users,) arrays
        See `user_aucs`; `aucs` may be the mean over seeds, or a difference of two models.
    seed : int
    """
    here = np.unique(users)
    weights = bootstrap.user_weights(len(here), bootstrap.REPLICATES, seed)
    both = np.isfinite(aucs[here])
    weights, aucs, rows = weights[both], aucs[here][both], rows[here][both]
    if len(aucs) < bootstrap.FEWEST_USERS:
        return np.full(bootstrap.REPLICATES, np.nan)
    with np.errstate(invalid="ignore"):
        return (rows * aucs) @ weights / (rows @ weights)


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """What a figure is computed from.

    Attributes
    ----------
    users : (rows,) int array
    labels : (rows,) array of 0 and 1
    probabilities : (rows,) float32 array
    seed : int
        Of the bootstrap.
    """

    users: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    seed: int

    @functools.cached_property
    def replicates(self) -> np.ndarray:
        """The AUC of each bootstrap replicate over users, (1000,) float64."""
        return bootstrap.bootstrap_auc(self.users, self.labels, self.probabilities, self.seed)

    @functools.cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the AUC."""
        return bootstrap.interval(self.replicates)


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of the results.

    Attributes
    ----------
    name : str
        The key in metrics.json and in a history (after ``test_``), and the column of results.csv.
    title : str
        What readers see; the head of the column in the demo's table.
    function : callable
        Computes it from `Predictions`.
    form : str
        How a value is written, as a format specification.
    demo : str or None
        The cell in the demo's table, from the texts of all figures by name; None where it has no column.
    line : int or None
        Which of the report's small lines below an AUC it stands in; None for none.
    words : str
        What it says there.
    """

    name: str
    title: str
    function: Callable[[Predictions], float]
    form: str = ".4f"
    demo: str | None = "{self}"
    line: int | None = 1
    words: str = "{title} {text}"

    def text(self, value: float | None, missing: str = "none") -> str:
        """Return a value as it is written, `missing` for one that does not exist."""
        return missing if value is None or math.isnan(value) else f"{value:{self.form}}"

    def in_demo(self, metrics: Mapping[str, float | None]) -> str:
        """Return the cell of the demo's table for the metrics of a run."""
        texts = {figure.name: figure.text(metrics.get(figure.name), missing="") for figure in FIGURES}
        return (
            str(self.demo).format(self=texts[self.name], **texts).replace(" [, ]", "")
        )  # too few users for an interval


# In the order of the columns of results.csv.
FIGURES = (
    Figure("auc", "AUC [95 % interval]", lambda found: auc(found.labels, found.probabilities),
           demo="{auc} [{auc_low}, {auc_high}]", line=None),
    Figure("auc_low", "lower end of the AUC's interval", lambda found: found.interval[0], demo=None, line=None),
    Figure("auc_high", "upper end of the AUC's interval", lambda found: found.interval[1], demo=None, line=None),
    Figure("gauc", "GAUC", lambda found: gauc(found.users, found.labels, found.probabilities)),
    Figure("average_precision", "AP",
           lambda found: average_precision(found.labels, found.probabilities), demo=None),
    Figure("logloss", "LogLoss", lambda found: logloss(found.labels, found.probabilities), line=None),
    Figure("test_positives", "test positives", lambda found: int(np.count_nonzero(found.labels)), form=",.0f",
           demo=None, line=2, words="{text} positives"),
)  # fmt: skip


def lines(values: Mapping[str, float | None]) -> list[str]:
    """Return the small lines that stand below an AUC in the report, for the means over seeds by name."""
    found: dict[int, list[str]] = {}
    for figure in FIGURES:
        if figure.line is not None:
            text = figure.words.format(title=figure.title, text=figure.text(values.get(figure.name)))
            found.setdefault(figure.line, []).append(text)
    return [", ".join(found[line]) for line in sorted(found)]


def evaluate(
    users: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, seed: int
) -> tuple[dict[str, float], np.ndarray]:
    """Return every figure of a results table for one set of predictions.

    Parameters
    ----------
    users : (rows,) int array
    labels : (rows,) array of 0 and 1
    probabilities : (rows,) float32 array
    seed : int
        Of the bootstrap.

    Returns
    -------
    figures : dict
        Each of `FIGURES`, by name.
    replicates : (1000,) float64 array
        The AUC of each bootstrap replicate.
    """
    predictions = Predictions(users, labels, probabilities, seed)
    return {figure.name: figure.function(predictions) for figure in FIGURES}, predictions.replicates
