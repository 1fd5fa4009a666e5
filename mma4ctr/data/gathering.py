"""Bring the rows of kept users together, in little memory.

How many rows each user has is known before the rows are read. So every row is put where its bucket lies, a range of
whole users, and each bucket is sorted by itself, where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import polars as pl

from mma4ctr.data.coding import Codes, GrowingCodes
from mma4ctr.data.kept_log import PLACE, KeptLog, chunks

BATCH_ROWS = 2**18  # that are put into buckets at a time
OFTEN_ZERO = ("time", "device")  # which logs without them have as 0 throughout


class Gathering:
    """A log whose rows are still coming; see `gathered`."""

    def __init__(self, users: pl.DataFrame, items: pl.Series, labels: Sequence[str], context: Sequence[str]) -> None:
        self.log = KeptLog(users["user"], items, users["len"].cast(pl.Int64).to_numpy(), {})
        self.rows, self.put_away = int(self.log.lengths.sum()), 0
        self.dtypes = {
            "user": np.int32, "item": np.int32, PLACE: np.int32, "time": np.int64, "device": np.int64,
            **dict.fromkeys(labels, np.uint8), **dict.fromkeys(context, np.int32),
        }  # fmt: skip
        self.codes: dict[str, Codes | GrowingCodes] = {"user": Codes(self.log.users), "item": Codes(items)}
        self.codes |= {name: GrowingCodes() for name in context}
        buckets = list(self.log.buckets())
        self.filled = np.array([rows.start for _, rows in buckets], dtype=np.int64)
        numbers = np.arange(len(buckets), dtype=np.min_scalar_type(len(buckets)))  # small: they are sorted by counting
        self.bucket_of = np.repeat(numbers, [users.stop - users.start for users, _ in buckets])

    def coded(self, name: str, values: pl.Series) -> np.ndarray:
        """Return values (n,) as numbers (n,)."""
        if name == "device" and values.dtype == pl.String:
            self.codes.setdefault(name, GrowingCodes())
        if name in self.codes:
            return self.codes[name].of(values)
        return values.fill_null(0).to_numpy()

    def put(self, frame: pl.DataFrame) -> None:
        """Put the next rows of the log where they belong."""
        made = {name: self.coded(name, frame[name]) for name in self.dtypes if name != PLACE}
        made[PLACE] = np.arange(self.put_away, self.put_away + len(frame), dtype=np.int32)
        self.put_away += len(frame)
        bucket = self.bucket_of[made["user"]]
        order = np.argsort(bucket, kind="stable")
        sizes = np.bincount(bucket, minlength=len(self.filled))
        places = np.arange(len(order)) + np.repeat(self.filled - np.cumsum(sizes) + sizes, sizes)
        self.filled += sizes
        for name, values in made.items():
            if name not in self.log.columns:
                if name in OFTEN_ZERO and name not in self.codes and not values.any():
                    continue
                self.log.columns[name] = np.zeros(self.rows, dtype=self.dtypes[name])
            self.log.columns[name][places] = values[order]

    def finished(self) -> KeptLog:
        """Return the log once all of its rows are there: those of each bucket stand in order of the log."""
        for name, codes in self.codes.items():
            if isinstance(codes, GrowingCodes):
                self.log.values[name], ranks = codes.ranked()
                for piece in chunks(self.rows):
                    self.log.columns[name][piece] = ranks[self.log.columns[name][piece]]
        return self.log


def _together(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield frames of about `BATCH_ROWS` rows, or more where one has."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(map(len, held)) >= BATCH_ROWS:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def gathered(
    frames: Iterable[pl.DataFrame], users: pl.DataFrame, items: pl.Series, labels: Sequence[str], context: Sequence[str]
) -> KeptLog:
    """Bring the rows of kept users together, and sort them by user, time and place in the log.

    Parameters
    ----------
    frames : iterable of polars.DataFrame
        Their rows, in order of the log; see `interactions.keep`.
    users : polars.DataFrame
        The kept users, sorted, and how many rows each has (user, len).
    items : polars.Series
        All items of the log, sorted.
    labels, context : sequence of str
        Columns of 0 and 1, and of anything else.
    """
    gathering, running = Gathering(users, items, labels, context), Future[None]()
    running.set_result(None)
    with ThreadPoolExecutor(1) as worker:  # puts rows away while the next ones are read
        for frame in _together(frames):
            running.result()
            running = worker.submit(gathering.put, frame)
        running.result()
    log = gathering.finished()
    log.sort()
    return log
