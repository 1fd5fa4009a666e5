"""Who meets what, when, and what comes of it: what all the samples of public formats share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mma4ctr.sampling import draws, taste

Writer = Callable[[Path, np.random.Generator], None]


@dataclass(frozen=True)
class Sizes:
    """Numbers of users and items, and of rows of a user: `shortest` to `longest`, all alike.

    `repeated` is the share of rows that show the item of the row before once more.
    """

    users: int
    items: int
    shortest: int
    longest: int
    repeated: float = 0.0


# Films are rated at least 20 times by everybody; logs of what was shown have short users, too, and so have logs of
# what was chosen, which are short altogether.
RATED = Sizes(users=70, items=120, shortest=20, longest=60)
SHOWN = Sizes(users=80, items=150, shortest=8, longest=60, repeated=0.02)
CHOSEN = Sizes(users=140, items=180, shortest=3, longest=24)
CHOICE = 3.0  # how much of liking decides what is chosen, beside popularity and chance


@dataclass(frozen=True)
class Log:
    """All rows, in order of time.

    Attributes
    ----------
    user, item : (rows,) int64
        From 0.
    time : (rows,) float64
        From 0 to 1, ascending.
    score : (rows,) float32
        How much the user likes the item: log-odds, up to a constant.
    factors : (items, 6) float16
        What content is made of: see `mma4ctr.sampling.taste`.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    score: np.ndarray
    factors: np.ndarray

    def seconds(self, first: int, last: int) -> np.ndarray:
        """Return the time of each row between two times, (rows,) int64."""
        return first + (self.time * (last - first)).astype(np.int64)

    def positives(self, rate: float, rng: np.random.Generator) -> np.ndarray:
        """Return which rows are positive, (rows,) int64 of 0 and 1: `rate` of them, drawn by their scores."""
        probabilities = draws.sigmoid(self.score + draws.intercept(self.score, rate))
        return draws.draw_exact(probabilities, rng).astype(np.int64)

    def stars(self, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
        """Return the rating of each row, (rows,) int64 from 0, so that each rating has its share of the rows."""
        noisy = self.score + rng.logistic(size=len(self.score))
        return np.searchsorted(np.quantile(noisy, np.cumsum(shares)[:-1]), noisy)


def draw_log(sizes: Sizes, rng: np.random.Generator, chosen: bool = False) -> Log:
    """Draw a log; where users chose the items themselves (`chosen`), they meet what they like.

    Nobody meets an item twice but for `Sizes.repeated`. All pairs of a user and an item are held.
    """
    factors = taste.item_factors(sizes.items, rng)
    people = taste.draw_users(sizes.users, taste.TIKTOK_FINISH, taste.draw_tastes(sizes.users, rng), 1.0, rng)
    pairs = np.divmod(np.arange(sizes.users * sizes.items), sizes.items)
    liking = taste.scores(people, factors, *pairs).reshape(sizes.users, sizes.items)
    popularity = rng.normal(0, 0.7, sizes.items)
    # The largest sums with Gumbel noise are a draw without replacement.
    order = np.argsort(-(popularity + CHOICE * chosen * liking + rng.gumbel(size=liking.shape)), axis=1)
    lengths = rng.integers(sizes.shortest, sizes.longest + 1, sizes.users)
    user, place = np.nonzero(np.arange(sizes.items) < lengths[:, None])
    item = order[user, place]
    draws.repeat_pairs(user, item, sizes.repeated, rng)
    time = rng.random(len(user))
    by_time = np.argsort(time, kind="stable")
    user, item, time = user[by_time], item[by_time], time[by_time]
    return Log(user, item, time, liking[user, item], factors)
