"""Statistics of the unfiltered logs, and what was published about the full ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from load_path import Paths
from mma4ctr import artifacts
from mma4ctr.cli import UserError
from mma4ctr.wechat import ACTION_WEIGHTS


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Users with `low` to `high` interactions, or items that were watched `low` to `high` times.

    `high` is None in the last bucket, which has no end; `share` is the published part of all users or items.
    """

    low: int
    high: int | None
    share: float

    @property
    def name(self) -> str:
        """The bucket in words: ``1``, ``2-10`` or ``11 or more``."""
        if self.high is None:
            return f"{self.low:,} or more"
        return f"{self.low:,}" if self.high == self.low else f"{self.low:,}-{self.high:,}"


@dataclasses.dataclass(frozen=True)
class Published:
    """What was published about one full log.

    Attributes
    ----------
    source : which log
    rows, users, items : how many it has
    ratios : action -> rows without it for each row with it
    user_lengths, item_popularities : shares of users by number of interactions, of items by times watched; the printed
        percentages are rounded, so that they add up to 1 only nearly
    """

    source: str
    rows: int
    users: int
    items: int
    ratios: Mapping[str, float]
    user_lengths: tuple[Bucket, ...]
    item_popularities: tuple[Bucket, ...]


CLICK_THRESHOLD = 0.5  # weighted mean of a row's actions from which the published ratio of WeChat counts a click
# Printed by the organisers and by readers of the full logs.
PUBLISHED = {
    "wechat": Published(
        source="2021 WeChat Big Data Challenge",
        rows=7_317_882,
        users=20_000,
        items=96_564,
        ratios=MappingProxyType({
            "read_comment": 25.87, "like": 36.491, "click_avatar": 124.931, "forward": 236.349, "favorite": 715.507,
            "comment": 2406.245, "follow": 1355.267, "click": 389.228,
        }),
        user_lengths=(
            Bucket(1, 100, 0.1396), Bucket(101, 300, 0.3511), Bucket(301, 500, 0.2253), Bucket(501, 700, 0.1634),
            Bucket(701, 900, 0.1106), Bucket(901, None, 0.0102),
        ),
        item_popularities=(
            Bucket(1, 2, 0.1110), Bucket(3, 5, 0.1459), Bucket(6, 9, 0.1313), Bucket(10, 100, 0.4449),
            Bucket(101, 500, 0.1378), Bucket(501, 1000, 0.0204), Bucket(1001, None, 0.0088),
        ),
    ),
    "tiktok": Published(
        source="ICME 2019 challenge, track 1",
        rows=275_855_531,
        users=636_281,
        items=27_342_248,
        ratios=MappingProxyType({"finish": 2.5322, "like": 61.2809}),
        user_lengths=(
            Bucket(1, 50, 0.2492), Bucket(51, 100, 0.0993), Bucket(101, 500, 0.3622), Bucket(501, 1000, 0.1666),
            Bucket(1001, None, 0.1227),
        ),
        item_popularities=(Bucket(1, 1, 0.6492), Bucket(2, 10, 0.2786), Bucket(11, None, 0.0722)),
    ),
}  # fmt: skip
# Data set -> the published weights of its actions, where a click is made of several.
WEIGHTS: dict[str, Mapping[str, int]] = {"wechat": ACTION_WEIGHTS}
WEIGHTED_MEAN = "weighted mean"


def ratio(positives: int, rows: int) -> float:
    """Return the rows without an action for each row with it, infinite where there is none."""
    return (rows - positives) / positives if positives else math.inf


def weighted_mean(ratios: Mapping[str, float], weights: Mapping[str, int]) -> float:
    """Return the mean of the actions' ratios, each counted as often as its weight says."""
    return sum(weight * ratios[action] for action, weight in weights.items()) / sum(weights.values())


def with_weighted_mean(ratios: Mapping[str, float], dataset: str) -> dict[str, float]:
    """Return `ratios` with their weighted mean, where the actions of `dataset` have weights."""
    weights = WEIGHTS.get(dataset)
    return {**ratios, WEIGHTED_MEAN: weighted_mean(ratios, weights)} if weights else dict(ratios)


def negatives_per_positive(actions: Mapping[str, int], dataset: str) -> dict[str, float]:
    """Return the rows without an action for each row with it, and the weighted mean of these ratios.

    The weighted mean and the ratio of the click are two things: for WeChat the published ratios give 398.17 and
    389.228. A row is a click when enough of its actions are positive at once, which the mean of ratios does not see.

    Parameters
    ----------
    actions : the artefact ``actions``: ``rows``, and the positive rows of each action
    dataset : decides the weights of the actions, if they have any
    """
    ratios = {name: ratio(positives, actions["rows"]) for name, positives in actions.items() if name != "rows"}
    return with_weighted_mean(ratios, dataset)


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


def actions_of(paths: Paths, dataset: str) -> dict[str, int]:
    """Return the rows of the unfiltered log and the positive rows of each action."""
    actions = artifacts.load_json(paths, "actions", dataset=dataset)
    expected = {"rows", *PUBLISHED[dataset].ratios}
    if set(actions) != expected or not all(isinstance(number, int) for number in actions.values()):
        file, again = (
            artifacts.path(paths, "actions", dataset=dataset),
            artifacts.command(paths, "preprocess_inter.py", dataset),
        )
        raise UserError(
            f"{file}: found {str(actions)[:80]}, expected whole numbers for {', '.join(sorted(expected))}; rerun "
            f"{again} --force"
        )
    return actions


def ratios_of(paths: Paths, dataset: str) -> dict[str, tuple[float, float]]:
    """Return, in words, whose ratio of negative to positive rows it is -> the ratio of this log, the published one."""
    computed = negatives_per_positive(actions_of(paths, dataset), dataset)
    published = with_weighted_mean(PUBLISHED[dataset].ratios, dataset)
    weights = WEIGHTS.get(dataset, {})
    threshold, published_threshold = paths.click_threshold, CLICK_THRESHOLD
    elsewhere = "" if threshold == published_threshold else f"; published: {published_threshold:g}"
    names = {action: f"{action} (weight {weight})" for action, weight in weights.items()} | {
        "click": f"click (at threshold {threshold:g}{elsewhere})",
        WEIGHTED_MEAN: f"weighted mean of the {len(weights)} ratios",
    }
    return {names.get(action, action): (computed[action], published[action]) for action in computed}


def buckets_of(paths: Paths, dataset: str, artefact: str) -> tuple[np.ndarray, tuple[Bucket, ...], int]:
    """Return the share of each published bucket in this log, the buckets, and how many users or items were counted."""
    histogram = artifacts.load(paths, artefact, dataset=dataset)
    buckets = getattr(PUBLISHED[dataset], artefact)
    return shares(histogram, buckets), buckets, int(histogram[:, 1].sum())


def in_words(ratios: tuple[float, float]) -> tuple[str, str]:
    """Return this log's ratio with two decimals, or that there is none, and the published one with all its digits."""
    ours, theirs = ratios
    return f"{ours:,.2f}" if np.isfinite(ours) else "no positives", f"{theirs:,.7g}"
