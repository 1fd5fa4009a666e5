"""TikTok's final_track1_train.txt, written in chunks of whole users."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import Progress

from mma4ctr.sampling import draws, files, split_counts, taste
from mma4ctr.sampling.scales import TiktokScale

# Rows of a chunk, which holds whole users, and rows (at equal steps) that the intercepts are found from.
CHUNK = 2_000_000
CALIBRATION_ROWS = 1_000_000
# Viewing times of the real rows; beyond int32.
FIRST_TIME, TIME_SPAN = 53_056_000_000, 30_000_000
CITIES, ITEM_CITIES, SONGS, DEVICES = 400, 460, 89_779, 75_085
# Shares of missing ids (-1) among 200 real rows.
NO_USER_CITY, NO_ITEM_CITY, NO_MUSIC = 0.185, 0.04, 0.62
CHANNELS = (0.75, 0.12, 0.08, 0.04, 0.01)


@dataclass(frozen=True)
class Plan:
    """Who watches what: user u's rows are `item[offset[u] : offset[u + 1]]`.

    offset : (users + 1,) int64
    item : (rows,) int32 indices (1.1 GB at full size)
    factors : (items, 6) float16
    """

    offset: np.ndarray
    item: np.ndarray
    factors: np.ndarray

    def rows_of(self, users: np.ndarray) -> np.ndarray:
        """Return the items of the rows of `users`, one after the other."""
        return np.concatenate([self.item[:0], *(self.item[self.offset[u] : self.offset[u + 1]] for u in users)])


def draw_plan(scale: TiktokScale, seed: int) -> Plan:
    """Draw the users' numbers of rows and the items' popularity, and deal the items out at random."""
    rng = draws.generator(seed, 1, 0)
    lengths = draws.counts_by_bucket(scale.users_by_length, scale.users, scale.rows, scale.longest_user)
    offset = np.concatenate([[0], np.cumsum(rng.permutation(lengths))])
    watched = draws.counts_by_bucket(scale.items_by_popularity, scale.items_watched, scale.rows, scale.most_popular)
    index = rng.permutation(scale.items).astype(np.int32)[: scale.items_watched]
    item = np.repeat(index, watched)
    rng.shuffle(item)
    for low, high in user_chunks(offset):
        rows = slice(offset[low], offset[high])
        item[rows] = draws.deal(np.diff(offset[low : high + 1]), item[rows], rng)
    return Plan(offset, item, taste.item_factors(scale.items, rng))


def kept_items(scale: TiktokScale, plan: Plan) -> np.ndarray:
    """Return the items that users with at least `min_interactions` rows watch, ascending."""
    return np.unique(plan.rows_of(np.flatnonzero(np.diff(plan.offset) >= scale.min_interactions)))


@dataclass(frozen=True)
class Label:
    """A label's users and the intercept that makes its rate right."""

    users: taste.Users
    intercept: float


def draw_labels(scale: TiktokScale, plan: Plan, seed: int) -> tuple[Label, Label]:
    """Draw what finish and like depend on in each user; their intercepts come from a sample of the rows."""
    rng = draws.generator(seed, 1, 1)
    tastes = taste.draw_tastes(scale.users, rng)
    rows = np.linspace(0, scale.rows - 1, min(scale.rows, CALIBRATION_ROWS)).astype(np.int64)
    user = np.searchsorted(plan.offset, rows, side="right") - 1
    labels = []
    for weights, rate in ((taste.TIKTOK_FINISH, scale.finish_rate), (taste.TIKTOK_LIKE, scale.like_rate)):
        users = taste.draw_users(scale.users, weights, tastes, scale.signal, rng)
        sample = taste.scores(users, plan.factors, user, plan.item[rows])
        labels.append(Label(users, draws.intercept(sample, rate)))
    return labels[0], labels[1]


def user_chunks(offset: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and last + 1 user of chunks with about `CHUNK` rows."""
    edges = [*np.searchsorted(offset, np.arange(0, offset[-1], CHUNK)).tolist(), len(offset) - 1]
    yield from ((low, high) for low, high in pairwise(edges) if high > low)


def item_columns(scale: TiktokScale, item: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what follows from the item: id, author, city (few missing), music (many missing), duration in seconds."""
    music = draws.hashed(item, 3, SONGS)
    return {
        "item_id": draws.stretch(item, scale.items, 0, scale.item_id_space - 1),
        "author_id": draws.hashed(item, 1, scale.author_id_space),
        "item_city": np.where(rng.random(len(item)) < NO_ITEM_CITY, -1, draws.hashed(item, 2, ITEM_CITIES)),
        "music_id": np.where(draws.hashed(item, 4, 1000) < 1000 * NO_MUSIC, -1, music),
        "duration": 2 + draws.hashed(item, 5, 12) + draws.hashed(item, 6, 30) * (draws.hashed(item, 7, 10) == 0),
    }


def user_columns(scale: TiktokScale, user: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what follows from the user: id, city (some missing), device (now and then another one)."""
    city = draws.hashed(user, 11, CITIES)
    device = draws.hashed(user + scale.users * (rng.random(len(user)) < 0.02), 12, DEVICES)
    return {
        "uid": draws.stretch(user, scale.users, 0, scale.user_id_space - 1),
        "user_city": np.where(draws.hashed(user, 13, 1000) < 1000 * NO_USER_CITY, -1, city),
        "device": device,
    }


def chunk_rows(
    scale: TiktokScale, plan: Plan, labels: tuple[Label, Label], users: tuple[int, int], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the rows of some users, in random order; user and item are indices, each column (rows,)."""
    low, high = users
    user = np.repeat(np.arange(low, high, dtype=np.int32), np.diff(plan.offset[low : high + 1]))
    item = plan.item[plan.offset[low] : plan.offset[high]].copy()
    draws.repeat_pairs(user, item, scale.repeated_pairs, rng)
    order = rng.permutation(len(user))
    user, item = user[order], item[order]
    finish, like = (
        draws.draw_exact(draws.sigmoid(taste.scores(label.users, plan.factors, user, item) + label.intercept), rng)
        for label in labels
    )
    time = FIRST_TIME + rng.integers(0, TIME_SPAN, len(user))
    return {"user": user, "item": item, "time": time, "finish": finish, "like": like}


def file_frame(scale: TiktokScale, rows: dict[str, np.ndarray], rng: np.random.Generator) -> pl.DataFrame:
    """Return the twelve columns of the raw file."""
    columns = user_columns(scale, rows["user"], rng) | item_columns(scale, rows["item"], rng)
    columns["channel"] = np.searchsorted(np.cumsum(CHANNELS), rng.random(len(rows["user"])))
    columns |= {"finish": rows["finish"].astype(np.int8), "like": rows["like"].astype(np.int8), "time": rows["time"]}
    return pl.DataFrame(columns).select(
        "uid", "user_city", "item_id", "author_id", "item_city", "channel",
        "finish", "like", "music_id", "device", "time", "duration",
    )  # fmt: skip


def write_log(
    path: Path, scale: TiktokScale, plan: Plan, complete: np.ndarray, seed: int, progress: Progress
) -> split_counts.Counts:
    """Write the log and return its counts (tasks finish and like); `complete` is (items,) bool."""
    labels = draw_labels(scale, plan, seed)
    counts = []
    with files.whole_file(path) as file:
        for number, users in enumerate(progress.track(list(user_chunks(plan.offset)), description=path.name)):
            rng = draws.generator(seed, 1, 2, number)
            rows = chunk_rows(scale, plan, labels, users, rng)
            file_frame(scale, rows, rng).write_csv(file, include_header=False, separator="\t")
            both = np.column_stack([rows["finish"], rows["like"]])
            ids, minimum = rows["user"] - users[0], scale.min_interactions
            counts.append(split_counts.count(ids, rows["item"], rows["time"], both, complete, minimum))
    return functools.reduce(operator.add, counts)
