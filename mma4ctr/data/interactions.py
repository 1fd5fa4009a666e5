"""Count the interactions of a raw log and keep those of active users: what step 1 does to each part of the log."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.coding import Tally
from mma4ctr.data.contract import DataSet
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor

Counts = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def batches(frame: pl.LazyFrame, explain: Callable[[], None], file: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows of a lazy frame in order, few at a time; after a failure let `explain` find the broken line."""
    try:
        yield from frame.collect_batches(maintain_order=True, engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise raw_files.unreadable(error, explain, file) from None


def count_part(part: Part, dataset: DataSet, own: Mapping[str, Any]) -> Counts:
    """Count a part of the unfiltered log; see `count`. `own` has the data set's own settings.

    In one pass over small batches: of several queries in one pass Polars keeps all rows that they share.
    """
    explain = functools.partial(dataset.explain, part.file)
    users, items, totals = Tally(), Tally(), dict.fromkeys(("rows", *dataset.actions), 0)
    scan = dataset.interactions(part, own).select("user", "item", *dataset.actions)
    for batch in batches(scan, explain, part.file):
        if batch["user"].has_nulls():  # of rows that cannot be read
            explain()
            raise UserError(f"{part.file}: a row of the interactions cannot be read; check the file")
        users.add(batch["user"])
        items.add(batch["item"])
        totals["rows"] += len(batch)
        for action in dataset.actions:
            totals[action] += int(batch[action].sum())
    return users.counts("user"), items.counts("item"), pl.DataFrame(totals, schema=dict.fromkeys(totals, pl.Int64))


def _added(frames: Sequence[pl.DataFrame], by: str) -> pl.DataFrame:
    """Add the counts of parts."""
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    if len(filled) == 1:  # nothing to add, and its items are many
        return filled[0]
    return pl.concat(filled).group_by(by).agg(pl.col("len").sum())


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


def labels_of(dataset: DataSet) -> list[str]:
    """Return the labels of a data set's tasks, each once."""
    return list(dict.fromkeys(task.label for task in dataset.tasks))


def _kept(part: Part, users: pl.Series, dataset: DataSet, own: Mapping[str, Any]) -> pl.LazyFrame:
    """Scan the rows of `users` (n,) in a part of the log: user, item, device, time, labels as uint8, and context."""
    labels = pl.col(labels_of(dataset)).cast(pl.UInt8)
    scan = dataset.interactions(part, own).filter(pl.col("user").is_in(users.implode()))
    return scan.select("user", "item", "device", "time", labels, *dataset.context)


def keep_part(part: Part, users: pl.Series, dataset: DataSet, own: Mapping[str, Any]) -> pl.DataFrame:
    """Return the interactions of `users` (n,) in a part of the log, in file order."""
    return _kept(part, users, dataset, own).collect(engine="streaming")


def keep(
    executor: Executor, parts: Sequence[Part], users: pl.Series, dataset: DataSet, own: Mapping[str, Any]
) -> Iterator[pl.DataFrame]:
    """Yield the interactions of `users` (n,) in order of the parts and, within them, of the file.

    In this process they come in small batches, so that nobody has a whole file of them.
    """
    if not executor.is_local:
        yield from executor.map(keep_part, parts, executor.share(pl.Series, users), dataset, own)
        return
    for part in executor.map(_itself, parts):
        yield from batches(_kept(part, users, dataset, own), lambda: None, part.file)


def _itself(part: Part) -> Part:
    return part
