"""The kept interactions of a log, in little memory: small codes instead of ids, worked on a few users at a time."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import polars as pl

from mma4ctr.data.ordering import grouped

BUCKET_ROWS = 2**20
PLACE, MOMENT = "place", "moment"  # columns: of a row in the log, and in time among all rows
THREADS = min(4, os.cpu_count() or 1)  # NumPy sorts and gathers without holding up other threads
Result = TypeVar("Result")


def bounds_of(lengths: np.ndarray, rows: int) -> np.ndarray:
    """Cut users with so many rows each, (users,), into ranges of about `rows` rows; return (ranges + 1,) users."""
    ends = np.cumsum(lengths)
    first = np.flatnonzero(np.diff(ends // rows, prepend=0)) + 1
    return np.unique(np.concatenate([[0], first, [len(lengths)]]))


@dataclasses.dataclass
class KeptLog:
    """The rows of kept users, sorted by user, time and place in the log.

    Attributes
    ----------
    users, items : polars.Series
        What the log calls them: int64 or text, each once, sorted.
    lengths : (users,) int64 array
        The rows of each user.
    columns : dict of str to (rows,) arrays
        ``user`` and ``item``: int32 places in `users` and `items`; ``place``, int32, in the log, among kept rows;
        ``time`` and ``device``, int64, unless they are 0 throughout; the labels, uint8; columns of context, int32
        places in their `values`.
    values : dict of str to polars.Series
        The distinct values, sorted, of columns whose codes are places among them: context, and devices that are text.
    """

    users: pl.Series
    items: pl.Series
    lengths: np.ndarray
    columns: dict[str, np.ndarray]
    values: dict[str, pl.Series] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns["user"])

    def buckets(self, about: int | None = None) -> Iterator[tuple[slice, slice]]:
        """Yield ranges of whole users that have `about` so many rows together, and the rows of each."""
        users = bounds_of(self.lengths, about or BUCKET_ROWS)
        rows = np.concatenate([[0], np.cumsum(self.lengths)])[users]
        for place in range(len(users) - 1):
            yield slice(users[place], users[place + 1]), slice(rows[place], rows[place + 1])

    def each(self, function: Callable[[slice, slice], Result]) -> Sequence[Result]:
        """Return ``function(users, rows)`` of each bucket, several at a time, in order."""
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(lambda one: function(*one), self.buckets()))

    def sort(self) -> None:
        """Sort the rows of each bucket, which stand in order of the log, by user and time."""

        by = [name for name in ("user", "time") if name in self.columns]

        def sort(users: slice, rows: slice) -> None:
            order, _ = grouped(*(self.columns[name][rows] for name in by))
            for column in self.columns.values():
                column[rows] = column[rows][order]

        self.each(sort)

    def tell_moments(self) -> None:
        """Put the place of each row in time in the place of its time and its place in the log.

        That is how many rows of all users come before it, by time, those of equal time by place in the log.
        """
        place = self.columns.pop(PLACE)
        if "time" in self.columns:
            order, _ = grouped(self.columns.pop("time"), place)
        else:
            order, _ = grouped(place)
        place[order] = np.arange(len(place), dtype=place.dtype)
        self.columns[MOMENT] = place

    def firsts(self, same: Sequence[str]) -> np.ndarray:
        """Tell (rows,) bool which rows are the first ones of those that agree in the columns `same`."""
        first = np.zeros(len(self), dtype=bool)

        def mark(users: slice, rows: slice) -> None:
            order, begins = grouped(*(self.columns[name][rows] for name in same))
            first[rows][order[begins]] = True

        self.each(mark)
        return first

    def distinct(self, columns: Sequence[str]) -> np.ndarray:
        """Return the rows (users,) int64 of each user, where rows that agree in `columns` count once."""
        return np.bincount(self.columns["user"][self.firsts(("user", *columns))], minlength=len(self.users))

    def main_devices(self) -> np.ndarray:
        """Return each user's most frequent device (users,) int64, ties to the smallest."""
        columns = self.columns
        if "device" not in columns:
            return np.zeros(len(self.users), dtype=np.int64)
        found = self.each(lambda users, rows: main_devices(columns["user"][rows], columns["device"][rows]))
        return np.concatenate(found)

    def select(self, users: np.ndarray) -> None:
        """Keep the users (n,) bool that are told."""
        rows = users[self.columns["user"]]
        self.columns = {name: column[rows] for name, column in self.columns.items()}
        self.columns["user"] = (np.cumsum(users, dtype=np.int32) - 1)[self.columns["user"]]
        self.users, self.lengths = self.users.filter(pl.Series(users)), self.lengths[users]

    def forget_unused(self) -> None:
        """Leave out the items, devices and values of context without a row."""
        self.items = self._compacted("item", self.items)
        for name, values in self.values.items():
            self.values[name] = self._compacted(name, values)

    def _compacted(self, name: str, values: pl.Series) -> pl.Series:
        """Renumber a column of places in `values` by those that occur, and return these."""
        occurs = np.zeros(len(values), dtype=bool)
        column, places = self.columns[name], chunks(len(self))
        for rows in places:
            occurs[column[rows]] = True
        renumbered = np.cumsum(occurs, dtype=column.dtype) - 1
        for rows in places:
            column[rows] = renumbered[column[rows]]
        return values.filter(pl.Series(occurs))


def chunks(rows: int, most: int = 2**18) -> list[slice]:
    """Cut so many rows into pieces of at most `most`."""
    return [slice(start, min(start + most, rows)) for start in range(0, rows, most)]


def main_devices(users: np.ndarray, devices: np.ndarray) -> np.ndarray:
    """Return the most frequent device (users,) of each user, ties to the smallest, in order of the users.

    Parameters
    ----------
    users, devices : (rows,) int arrays
    """
    order, begins = grouped(users, devices)
    starts = np.flatnonzero(begins)
    users, devices = users[order[starts]], devices[order[starts]]  # each pair once
    often = np.diff(starts, append=len(order))
    order, begins = grouped(users, often.max(initial=0) - often)  # stable: equal ones stay sorted by device
    _, first = np.unique(users[order], return_index=True)
    return devices[order[first]]
