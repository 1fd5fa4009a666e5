"""WeChat's user_action.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import Progress

from mma4ctr.sampling import draws, files, taste
from mma4ctr.sampling.scales import WechatScale
from mma4ctr.sampling.wechat_actions import ACTIONS, draw_actions
from mma4ctr.sampling.wechat_feeds import Feeds

SMALLEST_USER, LARGEST_USER = 8, 250_236
DAYS = 14
LONGEST_PLAY, LONGEST_STAY = 38_553_370, 82_624_440
CHUNK = 500_000
COLUMNS = (
    "userid", "feedid", "date_", "device", "read_comment", "comment", "like", "play", "stay",
    "click_avatar", "forward", "follow", "favorite",
)  # fmt: skip


@dataclass(frozen=True)
class Log:
    """All rows in file order: indices of user and feed (rows,) int32, day (rows,) int8, actions (rows, 7) int8,
    click (rows,) bool."""

    user: np.ndarray
    feed: np.ndarray
    day: np.ndarray
    actions: np.ndarray
    click: np.ndarray


def feed_counts(scale: WechatScale, rng: np.random.Generator) -> np.ndarray:
    """Return how often each feed is watched, (feeds,) int64: 0 for some, feed 0 (a real id) most of all."""
    watched = draws.counts_by_bucket(scale.feeds_by_popularity, scale.feeds_watched, scale.rows, scale.most_popular)
    counts = np.zeros(scale.feeds, dtype=np.int64)
    counts[rng.permutation(scale.feeds)[: scale.feeds_watched]] = watched
    most = int(counts.argmax())
    counts[[0, most]] = counts[[most, 0]]
    return counts


def draw_log(scale: WechatScale, feeds: Feeds, seed: int) -> Log:
    """Draw who watches what, when, and with which actions; the whole log is held (7.3 million rows: 0.2 GB)."""
    rng = draws.generator(seed, 0, 3)
    lengths = draws.counts_by_bucket(scale.users_by_length, scale.users, scale.rows, scale.longest_user)
    lengths = rng.permutation(lengths)
    user = np.repeat(np.arange(scale.users, dtype=np.int32), lengths)
    feed = draws.deal(lengths, np.repeat(np.arange(scale.feeds, dtype=np.int32), feed_counts(scale, rng)), rng)
    draws.repeat_pairs(user, feed, scale.repeated_pairs, rng)
    # Everybody's rows lie in order of time, and the users' rows lie between one another.
    time = rng.random(scale.rows, dtype=np.float32) * DAYS
    order = np.argsort(time, kind="stable")
    user, feed, day = user[order], feed[order], (time[order].astype(np.int8) + 1).clip(1, DAYS)
    tastes = taste.draw_tastes(scale.users, rng)
    people = taste.draw_users(scale.users, taste.WECHAT_CLICK, tastes, scale.signal, rng)
    actions, click = draw_actions(taste.scores(people, feeds.factors, user, feed), scale.click_rate, rng)
    return Log(user, feed, day, actions, click)


def devices(scale: WechatScale, user: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the device of each row, 1 or 2, int64; a tenth of the users change it now and then."""
    first = rng.integers(1, 3, scale.users)
    changing = rng.random(scale.users) < 0.1
    other = changing[user] & (rng.random(len(user), dtype=np.float32) < 0.25)
    return np.where(other, 3 - first[user], first[user])


def play_times(seconds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return play and stay of each row in milliseconds, int64; `seconds` (rows,) is the length of its video.

    Some videos do not play at all, some play on without anybody staying, and the greatest values are the published
    ones, far beyond the others.
    """
    play = 1000 * seconds * np.exp(rng.normal(-0.5, 0.9, len(seconds)))
    play[rng.random(len(seconds)) < 0.02] = 0
    stay = play * np.exp(rng.normal(0.15, 0.25, len(seconds))) + rng.integers(0, 4000, len(seconds))
    play, stay = play.clip(0, LONGEST_PLAY).astype(np.int64), stay.clip(0, LONGEST_STAY).astype(np.int64)
    play[play.argmax()] = LONGEST_PLAY
    stay[stay.argmax()] = LONGEST_STAY
    return play, stay


def write_log(path: Path, scale: WechatScale, feeds: Feeds, log: Log, seed: int, progress: Progress) -> None:
    """Write user_action.csv, a chunk of rows at a time."""
    rng = draws.generator(seed, 0, 4)
    device = devices(scale, log.user, rng)
    play, stay = play_times(feeds.seconds[log.feed], rng)
    with files.whole_file(path) as file:
        for number, rows in enumerate(progress.track(files.chunks(scale.rows, CHUNK), description="user_action.csv")):
            columns = {
                "userid": draws.stretch(log.user[rows], scale.users, SMALLEST_USER, LARGEST_USER),
                "feedid": feeds.ids[log.feed[rows]],
                "date_": log.day[rows],
                "device": device[rows],
                "play": play[rows],
                "stay": stay[rows],
                **{action: log.actions[rows, column] for column, action in enumerate(ACTIONS)},
            }
            pl.DataFrame(columns).select(COLUMNS).write_csv(file, include_header=number == 0)
