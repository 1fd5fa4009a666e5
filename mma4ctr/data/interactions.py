"""Count the interactions of a raw log and keep those of active users: what step 1 does to each part of the log."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.contract import DataSet
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor
from mma4ctr.protocol import Protocol

Counts = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def count_part(part: Part, dataset: DataSet, own: Mapping[str, Any]) -> Counts:
    """Count a part of the unfiltered log; see `count`. `own` has the data set's own settings.

    In two passes: of two queries in one pass Polars keeps all that they share, and that is every row of the log.
    """
    scan = dataset.interactions(part, own)
    explain = functools.partial(dataset.explain, part.file)
    by_user = scan.group_by("user").agg(pl.len(), pl.col(dataset.actions).sum())
    (users,) = raw_files.collect([by_user], explain, part.file)
    if users["user"].has_nulls():  # of rows that cannot be read
        explain()
        raise UserError(f"{part.file}: a row of the interactions cannot be read; check the file")
    (items,) = raw_files.collect([scan.group_by("item").len()], explain, part.file)
    totals = users.select(pl.col("len").cast(pl.Int64).sum().alias("rows"), pl.col(dataset.actions).sum())
    return users.select("user", "len"), items, totals


def _added(frames: Sequence[pl.DataFrame], by: str) -> pl.DataFrame:
    """Add the counts of parts; counts are int64, so that no log is too long for them."""
    if len(frames) == 1:  # a whole file: nothing to add, and its items are many
        return frames[0].cast({"len": pl.Int64})
    return pl.concat(frames).group_by(by).agg(pl.col("len").cast(pl.Int64).sum())


def count(executor: Executor, parts: Sequence[Part], dataset: DataSet, own: Mapping[str, Any]) -> Counts:
    """Count the unfiltered log.

    Returns
    -------
    users, items, totals : polars.DataFrame
        Rows of each user (user, len), of each item (item, len), and one row of totals: rows and positives of each
        action.
    """
    users, items, totals = zip(*executor.map(count_part, parts, dataset, own), strict=True)
    return _added(users, "user"), _added(items, "item"), pl.concat(totals).sum()


def keep_part(part: Part, users: np.ndarray, dataset: DataSet, own: Mapping[str, Any]) -> pl.DataFrame:
    """Return the interactions of `users` (n,) int64 in a part of the log, in file order."""
    scan = dataset.interactions(part, own)
    return scan.filter(pl.col("user").is_in(pl.Series(users).implode())).collect(engine="streaming")


def keep(
    executor: Executor, parts: Sequence[Part], users: np.ndarray, dataset: DataSet, own: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the interactions of `users` (n,) int64, sorted by user, time and place in the file."""
    frame = pl.concat(executor.map(keep_part, parts, users, dataset, own))
    return frame.sort("user", "time", maintain_order=True)


def count_distinct(interactions: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows of each user (user, len), where rows that agree in `columns` count once."""
    return interactions.select("user", *columns).unique().group_by("user").len()


def of_users(interactions: pl.DataFrame, users: np.ndarray) -> pl.DataFrame:
    """Return the interactions of `users` (n,) int64, in their order."""
    return interactions.filter(pl.col("user").is_in(pl.Series(users).implode()))


def task_rows(interactions: pl.DataFrame, label: str, protocol: Protocol) -> np.ndarray:
    """Return the rows (n, 3) int32 of one task from sorted interactions, repeats collapsed as `protocol` has it.

    Parameters
    ----------
    interactions : polars.DataFrame
        Columns ``user`` and ``item`` (indices) and the labels, sorted.
    label : str
        The column to predict.
    """
    frame = interactions.select("user", "item", click=label)
    frame = frame.unique(list(protocol.same_row), keep="first", maintain_order=True)
    return frame.cast(pl.Int32).to_numpy()
