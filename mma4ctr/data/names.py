"""What users and items are called, for whoever prints one: the text of a log, or its numbers as text."""

from __future__ import annotations

import polars as pl

from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading, records


def _named(settings: Settings, name: str, dataset: str) -> pl.Series | None:
    """Return the names in an artefact of step 1; None where the ids are numbers, so that it has none."""
    folder = records.folder_of(settings, records.INTER)
    written = records.read(settings, records.INTER, dataset, {}).outputs
    if str(artifacts.path(settings, name, dataset=dataset).relative_to(folder)) not in written:
        return None
    return reading.load_names(settings, name, dataset=dataset)


def user_names(settings: Settings, dataset: str) -> pl.Series:
    """Return what to print for each user index: (users,) of str."""
    named = _named(settings, "user_names", dataset)
    return pl.Series(reading.load(settings, "users", dataset=dataset)[:, 0]).cast(pl.String) if named is None else named


def item_names(settings: Settings, dataset: str) -> pl.Series:
    """Return what to print for each item index: (items,) of str."""
    named = _named(settings, "item_names", dataset)
    return pl.Series(reading.load(settings, "items", dataset=dataset)).cast(pl.String) if named is None else named


def ids(settings: Settings, dataset: str, what: str) -> pl.Series:
    """Return the ids of ``users`` or ``items`` by index (n,): text, or int64 where they are numbers."""
    named, table = _named(settings, f"{what[:-1]}_names", dataset), reading.load(settings, what, dataset=dataset)
    return pl.Series(table[:, 0] if table.ndim == 2 else table) if named is None else named


def named_items(settings: Settings, dataset: str) -> pl.Series | None:
    """Return the names (items,) of the kept items where they are text, sorted; None where they are numbers."""
    return _named(settings, "item_names", dataset)
