"""How much of an AUC the labels of test rows give away, measured on the user's own data without training.

A user embedding is a function of the labels of the rows that it is computed from. The audit takes the least that it can
carry, the user's click rate over those rows, and scores the test rows by it: once with the labels as they are, and
several times with all labels of the task shuffled. Shuffled labels depend on nothing, so that an honest score is 0.5.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from mma4ctr.evaluation import bootstrap, metrics
from mma4ctr.inputs.rows import load_fused
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS
from mma4ctr.settings import Settings

DRAWS = 20


@dataclasses.dataclass(frozen=True)
class Audit:
    """What the click rates that a protocol's user embeddings are computed from score on its test rows.

    Attributes
    ----------
    test_users : int
        How many users have test rows.
    auc : float
        With the labels as they are; like all that follows nan where fewer than `bootstrap.FEWEST_USERS` test users
        have both classes, since a few users' rates say nothing of a protocol.
    shuffled, spread : float
        Mean and standard deviation over `DRAWS` shuffles of the labels.
    standard_error : float
        Of the AUC of scores that know nothing of the labels (Mann and Whitney).
    """

    test_users: int
    auc: float
    shuffled: float
    spread: float
    standard_error: float


def rate_auc(task_rows: np.ndarray, clicks: np.ndarray, seen: np.ndarray, test: np.ndarray) -> float:
    """Return the AUC on `test` of each user's click rate over the rows `seen`.

    Parameters
    ----------
    task_rows : (n, 3) int32 array
        User index, item index, click; the clicks are not used.
    clicks : (n,) int array
        The labels to use in their place.
    seen, test : (m,) and (k,) int64 arrays
        Places of rows.
    """
    users = task_rows[:, 0]
    number = int(users.max()) + 1
    seen_rows = np.bincount(users[seen], minlength=number)
    rate = np.bincount(users[seen], weights=clicks[seen], minlength=number) / np.maximum(seen_rows, 1)
    return metrics.auc(clicks[test], rate[users[test]])


def orders_of(protocol: str) -> tuple[str | None, ...]:
    """Return each order of users that a protocol's split can take; None alone where it does not cut between users."""
    return tuple(USER_ORDERS) if PROTOCOLS[protocol].orders_users else (None,)


def audit(settings: Settings, task: str, protocol: str) -> Audit:
    """Audit one task under one protocol, on the rows of the fused features and the split of path.json."""
    found = load_fused(settings, task, protocol)
    task_rows, test = found.rows, found.parts["test"]
    seen = np.flatnonzero(PROTOCOLS[protocol].embedding_rows(task_rows[:, 0]))
    generator = np.random.default_rng(settings.seed)
    clicks = task_rows[:, 2]
    shuffled = [rate_auc(task_rows, generator.permutation(clicks), seen, test) for _ in range(DRAWS)]
    test_users = len(np.unique(task_rows[test, 0]))
    if bootstrap.users_with_both_classes(task_rows[test, 0], clicks[test]) < bootstrap.FEWEST_USERS:
        return Audit(test_users, math.nan, math.nan, math.nan, math.nan)
    positives = int(clicks[test].sum())
    error = math.sqrt((len(test) + 1) / (12 * positives * (len(test) - positives)))
    return Audit(
        test_users, rate_auc(task_rows, clicks, seen, test), float(np.mean(shuffled)),
        float(np.std(shuffled, ddof=1)), error,
    )  # fmt: skip
