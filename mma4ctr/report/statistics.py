"""Statistics of the unfiltered logs, beside what was published about the full ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mma4ctr.data.registry import dataset_of
from mma4ctr.published.logs import Bucket
from mma4ctr.settings import Settings
from mma4ctr.store import reading

WEIGHTED_MEAN = "weighted mean"
THRESHOLD = "click_threshold"  # the key of path.json of a data set whose actions have weights
# In which a log is counted that nothing is published about.
POWERS_OF_TEN = tuple(
    Bucket(low, high, math.nan) for low, high in ((1, 10), (11, 100), (101, 1_000), (1_001, 10_000), (10_001, None))
)


def ratio(positives: int, rows: int) -> float:
    """Return the rows without an action for each row with it, infinite where there is none."""
    return (rows - positives) / positives if positives else math.inf


def weighted_mean(ratios: Mapping[str, float], weights: Mapping[str, int]) -> float:
    """Return the mean of the actions' ratios, each counted as often as its weight says."""
    return sum(weight * ratios[action] for action, weight in weights.items()) / sum(weights.values())


def with_weighted_mean(ratios: Mapping[str, float], weights: Mapping[str, int]) -> dict[str, float]:
    """Return `ratios` with their weighted mean, where the actions have weights."""
    return {**ratios, WEIGHTED_MEAN: weighted_mean(ratios, weights)} if weights else dict(ratios)


def negatives_per_positive(actions: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, float]:
    """Return the rows without an action for each row with it, and the weighted mean of these ratios.

    The weighted mean and the ratio of the click are two things: for WeChat the published ratios give 398.17 and
    389.228. A row is a click when enough of its actions are positive at once, which the mean of ratios does not see.

    Parameters
    ----------
    actions : the artefact ``actions``: ``rows``, and the positive rows of each action
    weights : those of the actions, if they have any
    """
    ratios = {name: ratio(positives, actions["rows"]) for name, positives in actions.items() if name != "rows"}
    return with_weighted_mean(ratios, weights)


def shares(histogram: np.ndarray, buckets: tuple[Bucket, ...]) -> np.ndarray:
    """Return the part of all users, or items, that is in each bucket: (buckets,) float64.

    Parameters
    ----------
    histogram : (distinct counts, 2) int64, a count and how many users or items have it
    """
    counts, having = histogram[:, 0], histogram[:, 1]
    ends = [math.inf if bucket.high is None else bucket.high for bucket in buckets]
    inside = [having[(counts >= bucket.low) & (counts <= end)].sum() for bucket, end in zip(buckets, ends, strict=True)]
    return np.array(inside, dtype=np.float64) / having.sum()


def actions_of(settings: Settings, dataset: str) -> dict[str, int]:
    """Return the rows of the unfiltered log and the positive rows of each action."""
    return reading.load_json(settings, "actions", dataset=dataset)


def ratios_of(settings: Settings, dataset: str) -> dict[str, tuple[float, float | None]]:
    """Return, in words, whose ratio of negative to positive rows it is -> the ratio of this log, the published one.

    The published one is None where nothing is published about the data set.
    """
    known = dataset_of(settings, dataset)
    log, weights = known.published, known.weights
    computed = negatives_per_positive(actions_of(settings, dataset), weights)
    published: Mapping[str, float] = with_weighted_mean(log.ratios, weights) if log else {}
    names: dict[str, str] = {}
    if weights:
        threshold = settings.own_of(dataset)[THRESHOLD]
        published_threshold = known.settings[THRESHOLD].default
        elsewhere = "" if threshold == published_threshold else f"; published: {published_threshold:g}"
        names = {action: f"{action} (weight {weight})" for action, weight in weights.items()} | {
            "click": f"click (at threshold {threshold:g}{elsewhere})",
            WEIGHTED_MEAN: f"weighted mean of the {len(weights)} ratios",
        }
    return {names.get(action, action): (computed[action], published.get(action)) for action in computed}


def buckets_of(settings: Settings, dataset: str, artefact: str) -> tuple[np.ndarray, tuple[Bucket, ...], int]:
    """Return the share of each bucket in this log, the buckets, and how many users or items were counted.

    The buckets are those in which the full log was published, powers of ten where it was not.
    """
    histogram = reading.load(settings, artefact, dataset=dataset)
    log = dataset_of(settings, dataset).published
    buckets = (getattr(log, artefact) if log else ()) or POWERS_OF_TEN
    return shares(histogram, buckets), buckets, int(histogram[:, 1].sum())


def in_words(ratios: tuple[float, float | None]) -> tuple[str, str]:
    """Return this log's ratio with two decimals, or that there is none, and the published one with all its digits."""
    ours, theirs = ratios
    return f"{ours:,.2f}" if np.isfinite(ours) else "no positives", "" if theirs is None else f"{theirs:,.7g}"
