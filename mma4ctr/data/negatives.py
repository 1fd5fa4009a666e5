"""Draw rows without a click for a log whose rows are all clicks.

Every draw is a hash of the seed, the user and the number of the draw. So what a user gets does not depend on who is
drawn for beside it, nor on how many users are worked on at a time.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mma4ctr.data.contract import Negatives
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.kept_log import BUCKET_ROWS, KeptLog
from mma4ctr.data.ordering import grouped

ROUNDS = 24  # of draws that may be rejected; users that still lack some get them from a list of all that is left
CELLS = 2**22  # of users and items that such lists have at a time
ORDER_BITS = 30  # of the random numbers that order a click and the rows drawn for it
DRAWN, LEFT, ORDERED = range(3)  # what a random number is for


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return uint64 numbers whose bits depend on all bits of each of `numbers` (SplitMix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def random_bits(seed: int, purpose: int, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return random uint64 numbers that follow from the seed, the purpose, a user and a number alone."""
    start = _mixed(np.array([seed, purpose], dtype=np.uint64))
    start = _mixed(start[:1] ^ start[1:] << np.uint64(1))
    return _mixed(_mixed(start ^ users.astype(np.uint64)) ^ numbers.astype(np.uint64))


def uniform(bits: np.ndarray) -> np.ndarray:
    """Return numbers from 0 up to, but not including, 1: float64."""
    return (bits >> np.uint64(11)) * 2.0**-53


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How items are drawn: `weights` (items,) float64, none of them 0, and the settings."""

    weights: np.ndarray
    settings: Negatives

    def __post_init__(self) -> None:
        """Sum the weights up."""
        object.__setattr__(self, "_ends", np.cumsum(self.weights))

    def items(self, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the item of each numbered draw (n,) of a user, int64, whoever has met it."""
        ends: np.ndarray = vars(self)["_ends"]
        point = uniform(random_bits(self.settings.seed, DRAWN, users, numbers)) * ends[-1]
        return np.minimum(np.searchsorted(ends, point, side="right"), len(ends) - 1)

    def unmet(self, first: int, met: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw items that users have not met, each once for a user.

        Parameters
        ----------
        first : int
            The code of the first user; users follow one another.
        met : (pairs,) int64 array
            What they have met: (user - first) * items + item, each pair once, sorted.
        wanted : (users,) int64 array
            How many each user gets, no more than it has not met.

        Returns
        -------
        users, items : (drawn,) int64 arrays
            Users count from 0; those of a user are in the order in which they were drawn.
        """
        count, found = len(self.weights), [np.zeros(0, dtype=np.int64)]
        missing = wanted.copy()
        drawn = np.zeros(len(wanted), dtype=np.int64)  # draws so far, the rejected ones too
        for _ in range(ROUNDS):
            users = np.repeat(np.arange(len(wanted)), missing)
            if len(users) == 0:
                break
            number = np.arange(len(users)) - np.repeat(np.cumsum(missing) - missing, missing) + drawn[users]
            pairs = users * count + self.items(users + first, number)
            drawn += missing
            once, place = np.unique(pairs, return_index=True)
            new = places_in(met, once) < 0
            accepted = pairs[np.sort(place[new])]
            found.append(accepted)
            met = np.sort(np.concatenate([met, once[new]]), kind="stable")
            missing -= np.bincount(accepted // count, minlength=len(wanted))
        found += self._left(first, met, missing)
        pairs = np.concatenate(found)
        pairs = pairs[np.argsort(pairs // count, kind="stable")]
        return pairs // count, pairs % count

    def _left(self, first: int, met: np.ndarray, missing: np.ndarray) -> list[np.ndarray]:
        """Return what is missing as pairs, from lists of all items that each user has not met.

        The items with the smallest of exponential waiting times are those that drawing until enough are found gives.
        """
        count = len(self.weights)
        lacking, found = np.flatnonzero(missing), []
        step = max(1, CELLS // count)
        for start in range(0, len(lacking), step):
            users = lacking[start : start + step]
            pairs = users[:, None] * count + np.arange(count)
            bits = random_bits(self.settings.seed, LEFT, users[:, None] + first, np.arange(count)[None, :])
            waiting = -np.log1p(-uniform(bits)) / self.weights
            waiting[places_in(met, pairs.ravel()).reshape(pairs.shape) >= 0] = np.inf
            order = np.argsort(waiting, axis=1, kind="stable")
            taken = np.arange(count) < missing[users, None]
            found.append(np.take_along_axis(pairs, order, axis=1)[taken])
        return found


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Clicks and the rows drawn for them, those of a click together and in random order.

    Attributes
    ----------
    columns : dict of str to (rows,) arrays
        ``user`` and ``item`` int32, ``click`` uint8, and the columns that are those of the click.
    missing : int
        Rows that could not be drawn, because their users have met nearly every item.
    """

    columns: dict[str, np.ndarray]
    missing: int


def with_negatives(log: KeptLog, settings: Negatives, shared: tuple[str, ...]) -> Labelled:
    """Return the first row of each user and item of a log as a click, with the rows that are drawn for it.

    `shared` are the columns in which these rows are like the click.
    """
    popularity = np.bincount(log.columns["item"], minlength=len(log.items))
    drawing = Drawing(popularity**settings.popularity_power, settings)
    first = log.firsts(("user", "item"))
    clicks = int(first.sum())
    names = ("user", "item", "click", *shared)
    dtypes = {"click": np.dtype(np.uint8)}
    columns = {name: np.empty(clicks * (1 + settings.ratio), dtypes.get(name, np.dtype(np.int32))) for name in names}
    filled = 0
    for users, rows in log.buckets(max(1, BUCKET_ROWS // (1 + settings.ratio))):
        part = {name: log.columns[name][rows][first[rows]] for name in names if name != "click"}
        made = _drawn_for(drawing, users.start, part)
        for name, column in made.items():
            columns[name][filled : filled + len(column)] = column
        filled += len(made["user"])
    columns = {name: column[:filled] for name, column in columns.items()}
    return Labelled(columns, clicks * (1 + settings.ratio) - filled)


def _drawn_for(drawing: Drawing, first: int, clicks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return clicks (user, item, context), sorted, of users from the code `first` on, and what is drawn for them."""
    ratio, count, seed = drawing.settings.ratio, len(drawing.weights), drawing.settings.seed
    own = clicks["user"].astype(np.int64) - first
    lengths = np.bincount(own)
    starts = np.cumsum(lengths) - lengths
    wanted = np.minimum(lengths * ratio, count - lengths)
    users, items = drawing.unmet(first, np.sort(own * count + clicks["item"]), wanted)
    number = np.arange(len(users)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    # Where there are fewer than asked for, they are spread over the clicks, so that no time has more of them.
    click = starts[users] + number * lengths[users] // np.maximum(wanted[users], 1)
    of_click = np.concatenate([np.arange(len(own)), click])
    item = np.concatenate([clicks["item"], items.astype(np.int32)])
    label = np.concatenate([np.ones(len(own), np.uint8), np.zeros(len(items), np.uint8)])
    draw = np.concatenate([np.arange(len(own)) - starts[own], number + lengths[users]])
    bits = random_bits(seed, ORDERED, clicks["user"][of_click], draw) >> np.uint64(64 - ORDER_BITS)
    order, _ = grouped(of_click, bits.astype(np.int64))
    taken = of_click[order]
    rest = {name: column[taken] for name, column in clicks.items() if name != "item"}
    return {**rest, "item": item[order], "click": label[order]}
