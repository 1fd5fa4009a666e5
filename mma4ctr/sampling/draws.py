"""Seeded draws that both data sets share: counts by bucket, repeated pairs, exact numbers of positives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mma4ctr.sampling.published import Bucket


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one part of the sample (data set, file, chunk), independent of every other part."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def allocate(total: int, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return whole numbers in proportion to `shares` that add up to `total` (largest remainders), int64."""
    exact = np.asarray(shares, dtype=np.float64) / np.sum(shares) * total
    numbers = np.floor(exact).astype(np.int64)
    largest = np.argsort(numbers - exact, kind="stable")[: total - numbers.sum()]
    numbers[largest] += 1
    return numbers


def power_law_counts(size: int, low: int, high: int, mean: float) -> np.ndarray:
    """Return `size` whole numbers from `low` to `high`, both met, spread as a power law with the given mean.

    The quantiles of the law are taken at equal steps, so that nothing is left to chance; its exponent comes from
    bisection. Returns int64, ascending.
    """
    # A whole number n stands for the interval n to n + 1 of a continuous law, whose mean is a half higher.
    steps = np.linspace(0.0, 1.0, size) if size > 1 else np.array([0.5])
    log_ratio = np.log((high + 1) / low)
    with np.errstate(divide="ignore"):
        log_steps, log_rest = np.log(steps), np.log(1 - steps)

    def quantiles(exponent: float) -> np.ndarray:
        if abs(exponent * log_ratio) < 1e-9:
            return low * np.exp(steps * log_ratio)
        return low * np.exp(np.logaddexp(log_rest, log_steps + exponent * log_ratio) / exponent)

    smallest, largest = -20.0, 20.0
    for _ in range(50):
        middle = (smallest + largest) / 2
        if quantiles(middle).mean() - 0.5 < mean:
            smallest = middle
        else:
            largest = middle
    return np.clip(np.floor(quantiles(middle)), low, high).astype(np.int64)


def counts_by_bucket(buckets: tuple[Bucket, ...], size: int, total: int, highest: int) -> np.ndarray:
    """Return how many rows each of `size` users or items has, so that the buckets' shares and `total` hold exactly.

    Parameters
    ----------
    buckets : the published shares; one of them has no mean and takes what the others leave.
    size : number of users or items.
    total : number of rows.
    highest : count of the longest user or the most popular item.

    Returns
    -------
    counts : (size,) int64, ascending
    """
    sizes = allocate(size, [bucket.share for bucket in buckets])
    known = sum(n * bucket.mean for n, bucket in zip(sizes, buckets, strict=True) if bucket.mean is not None)
    parts = []
    for n, bucket in zip(sizes, buckets, strict=True):
        high = highest if bucket.high is None else bucket.high
        mean = (total - known) / n if bucket.mean is None else bucket.mean
        parts.append(power_law_counts(int(n), bucket.low, high, mean))
    return close_total(parts, total)


def close_total(parts: list[np.ndarray], total: int) -> np.ndarray:
    """Add or take away single rows, in the widest parts first, until all counts add up to `total`.

    Only counts strictly between the lowest and the highest of their part change, so that no count leaves its bucket.
    """
    counts = np.concatenate(parts)
    low = np.concatenate([np.full(len(part), part[0]) for part in parts])
    high = np.concatenate([np.full(len(part), part[-1]) for part in parts])
    missing = total - counts.sum()
    while missing:
        step = int(np.sign(missing))
        movable = np.flatnonzero((counts > low) & (counts < high))
        if not len(movable):
            raise ValueError(f"no count can change, {missing} rows missing")
        chosen = movable[:: max(1, len(movable) // abs(int(missing)))][: abs(int(missing))]
        counts[chosen] += step
        missing = total - counts.sum()
    return counts


def stretch(index: np.ndarray, size: int, low: int, high: int) -> np.ndarray:
    """Return ids from `low` to `high`, with gaps, for the indices 0 to `size` - 1, int64."""
    return low + index.astype(np.int64) * (high - low) // (size - 1)


def hashed(index: np.ndarray, salt: int, size: int) -> np.ndarray:
    """Return for each index a number below `size` that depends on index and salt alone (splitmix64), int64.

    Attributes of items (author, city, music) are such numbers: no table of 27 million items has to be kept.
    """
    with np.errstate(over="ignore"):
        mixed = (index.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed >> np.uint64(33)) % np.uint64(size)).astype(np.int64)


def deal(lengths: np.ndarray, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal items out to users so that hardly any user gets an item twice.

    Every user takes its rows at equal steps, from a start of its own, out of the items in sorted order: copies of an
    item lie side by side and so go to different users, unless there are more of them than a user's step is long. (A
    random assignment repeats pairs of popular items and long users far more often than real logs do.)

    Parameters
    ----------
    lengths : (users,) number of rows of each user.
    item : (rows,) int32, each as often as it is watched.

    Returns
    -------
    dealt : (rows,) int32, row by row of the users
    """
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    start = np.repeat(rng.random(len(lengths)), lengths)
    order = np.argsort((np.arange(len(item)) - first + start) / np.repeat(lengths, lengths), kind="stable")
    dealt = np.empty_like(item)
    dealt[order] = np.sort(item)
    return dealt


def repeat_pairs(user: np.ndarray, item: np.ndarray, share: float, rng: np.random.Generator) -> None:
    """Let a share of the rows show, in place, the item of the same user's row before: repeated pairs."""
    rows = np.flatnonzero((rng.random(len(user), dtype=np.float32) < share)[1:] & (user[1:] == user[:-1])) + 1
    item[rows] = item[rows - 1]


def intercept(scores: np.ndarray, rate: float) -> float:
    """Return what to add to `scores` (log-odds) so that the mean probability is `rate`, by bisection."""
    lowest, highest = -30.0, 30.0
    for _ in range(40):
        middle = (lowest + highest) / 2
        if sigmoid(scores + middle).mean(dtype=np.float64) < rate:
            lowest = middle
        else:
            highest = middle
    return middle


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return the logistic function of `values`."""
    return 1 / (1 + np.exp(-values))


def draw_exact(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw each row with its probability, so that the number drawn is the sum of probabilities, rounded.

    Systematic sampling of the rows in random order: rates hold to the row even where positives are few.
    Returns (rows,) bool.
    """
    order = rng.permutation(len(probabilities))
    passed = np.floor(np.cumsum(probabilities[order], dtype=np.float64) + rng.random())
    drawn = np.empty(len(order), dtype=bool)
    drawn[order] = np.diff(passed, prepend=0.0) > 0
    return drawn
