"""Why a user clicks: a click rate of its own, the item's content, and the user's taste for that content.

Every item has two factors in each modality: a topic (it sets the range of its word ids, the first direction of its
vectors) and a length (of its texts; the second direction). They are standard normal. The log-odds of a label are

    rate[user] + sum over factors of (content + taste[user]) * factor[item]

so that labels follow, for each modality, the user, the item and the user with the item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODALITIES = ("visual", "acoustic", "textual")
FACTORS = 2
SLICE = 1_000_000


@dataclass(frozen=True)
class LabelWeights:
    """Spread of the users' rates, and weights of content and taste: visual, acoustic, textual, two factors each."""

    rate: float
    content: tuple[float, ...]
    taste: tuple[float, ...]


# Chosen so that the true probability scores an AUC of 0.85 to 0.9, the user's rate alone about 0.7, the item's
# content alone 0.65 to 0.7. WeChat: visual before acoustic before textual.
WECHAT_CLICK = LabelWeights(0.90, (0.42, 0.12, 0.32, 0.10, 0.22, 0.08), (0.90, 0.15, 0.70, 0.12, 0.50, 0.10))
TIKTOK_FINISH = LabelWeights(1.00, (0.50, 0.15, 0.35, 0.10, 0.35, 0.10), (1.15, 0.20, 0.85, 0.15, 0.85, 0.15))
TIKTOK_LIKE = LabelWeights(0.85, (0.40, 0.12, 0.30, 0.10, 0.35, 0.10), (0.95, 0.15, 0.70, 0.12, 0.80, 0.12))


def item_factors(items: int, rng: np.random.Generator) -> np.ndarray:
    """Return the factors of all items, (items, 6) float16 (27 million items take 330 MB), standard normal."""
    factors = np.empty((items, len(MODALITIES) * FACTORS), dtype=np.float16)
    for start in range(0, items, SLICE):
        part = factors[start : start + SLICE]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    return factors


@dataclass(frozen=True)
class Users:
    """What a label depends on in each user: `rate` (users,) and `weights` of the item's factors (users, 6)."""

    rate: np.ndarray
    weights: np.ndarray


def draw_users(users: int, label: LabelWeights, tastes: np.ndarray, signal: float, rng: np.random.Generator) -> Users:
    """Draw the users' rates (log-normal odds) and join taste and content; `tastes` is (users, 6), standard normal."""
    rate = signal * label.rate * rng.standard_normal(users, dtype=np.float32)
    weights = signal * (np.array(label.content, np.float32) + np.array(label.taste, np.float32) * tastes)
    return Users(rate.astype(np.float32), weights.astype(np.float32))


def draw_tastes(users: int, rng: np.random.Generator) -> np.ndarray:
    """Return the users' tastes, (users, 6) float32, standard normal; a data set's labels share them."""
    return rng.standard_normal((users, len(MODALITIES) * FACTORS), dtype=np.float32)


def scores(users: Users, factors: np.ndarray, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the log-odds of a label, up to a constant, of each row; `user`, `item` are (rows,) indices; float32."""
    result = np.empty(len(user), dtype=np.float32)
    for start in range(0, len(user), SLICE):
        rows = slice(start, start + SLICE)
        content = np.einsum("rf,rf->r", users.weights[user[rows]], factors[item[rows]].astype(np.float32))
        result[rows] = users.rate[user[rows]] + content
    return result
