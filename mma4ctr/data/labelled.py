"""Write the rows of each task under both protocols, and their context, from the kept interactions of a log."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mma4ctr.data.contract import DataSet
from mma4ctr.data.kept_log import MOMENT, KeptLog, chunks
from mma4ctr.data.negatives import with_negatives
from mma4ctr.protocol import CLEAN, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts
from mma4ctr.store.building import Built

Columns = dict[str, np.ndarray]


def pieces(column: np.ndarray, chosen: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the chosen rows (rows,) bool of a column (rows,), all of them by None, a few at a time."""
    for rows in chunks(len(column)):
        yield column[rows] if chosen is None else column[rows][chosen[rows]]


def save_rows(
    settings: Settings, name: str, columns: Sequence[np.ndarray], chosen: np.ndarray | None, **keys: str
) -> Path:
    """Write the chosen rows of columns as an artefact."""
    rows = len(columns[0]) if chosen is None else int(chosen.sum())
    return artifacts.save_columns(settings, name, rows, [pieces(column, chosen) for column in columns], **keys)


def write_rows(
    settings: Settings, task: str, columns: Columns, label: str, context: Sequence[str], protocol: str,
    chosen: np.ndarray | None,
) -> Built:  # fmt: skip
    """Write the chosen rows of one task under one protocol."""
    keys = {"task": task, "protocol": protocol}
    files = [save_rows(settings, "rows", [columns[name] for name in ("user", "item", label)], chosen, **keys),
             save_rows(settings, "moments", [columns[MOMENT]], chosen, **keys)]  # fmt: skip
    if context:
        files.append(save_rows(settings, "context", [columns[name] for name in context], chosen, **keys))
    clicks = np.count_nonzero(columns[label] if chosen is None else columns[label].view(bool) & chosen)
    rows = len(columns[label]) if chosen is None else int(chosen.sum())
    return Built(files, {f"{task} {protocol}": {"rows": rows, "clicks": int(clicks)}}, [task])


def write_repeats(settings: Settings, dataset: str, log: KeptLog, first: np.ndarray) -> Path:
    """Write which rows are not the `first` (rows,) bool of their user and item."""
    places = np.flatnonzero(~first).astype(np.int32)
    columns = [[places], *([log.columns[name][places]] for name in ("user", "item"))]
    return artifacts.save_columns(settings, "repeats", len(places), columns, dataset=dataset)


def watched(rows: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """Return all kept rows (n, 2), user and item index, that clean rows (m, 3) and repeats (n - m, 3) stand for.

    Drawn rows, which only a log without unclicked rows has, are not among `rows`.
    """
    found = np.empty((len(rows) + len(repeats), 2), dtype=np.int32)
    first = np.ones(len(found), dtype=bool)
    first[repeats[:, 0]] = False
    found[first], found[~first] = rows[:, :2], repeats[:, 1:]
    return found


def drawn_in_words(reader: DataSet, missing: int) -> tuple[str, list[str]]:
    """Return what a record says of drawn rows, and what to beware of."""
    assert reader.negatives is not None
    ratio, power = reader.negatives.ratio, reader.negatives.popularity_power
    said = (f"{ratio} drawn for each row, among items that the user never met, by popularity to the power {power:g}, "
            f"seed {reader.negatives.seed}")  # fmt: skip
    warnings = [f"the log has no rows without a click: {said}; figures depend on how they are drawn"]
    if missing:
        warnings.append(f"{missing:,} rows could not be drawn, because their users have met nearly every kept item")
    return said, warnings


def chosen_rows(log: KeptLog, label: str, first: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return for each protocol which rows (rows,) bool it has; `first` are the first ones of each user and item."""
    chosen: dict[str, np.ndarray | None] = {}
    for name, protocol in PROTOCOLS.items():
        same = [label if column == "click" else column for column in protocol.same_row]
        chosen[name] = first if protocol.same_row == CLEAN.same_row else log.firsts(same)
    return chosen


def write(settings: Settings, reader: DataSet, log: KeptLog) -> Built:
    """Write the rows of every task of a data set under every protocol."""
    context, first = reader.context, log.firsts(CLEAN.same_row)
    files, warnings = [write_repeats(settings, reader.name, log, first)], list[str]()
    counts: dict[str, object] = {}
    if context:
        values = {name: log.values[name].to_list() for name in context}
        files.append(artifacts.save_json(settings, "context_values", values, dataset=reader.name))
    drawn = None
    if reader.negatives is not None:
        drawn = with_negatives(log, reader.negatives, (MOMENT, *context))
        counts["negatives"], warnings = drawn_in_words(reader, drawn.missing)
    for task in reader.tasks:
        if drawn is not None:  # each user and item once: no repeats
            columns, label, chosen = drawn.columns, "click", dict[str, np.ndarray | None](dict.fromkeys(PROTOCOLS))
        else:
            columns, label, chosen = log.columns, task.label, chosen_rows(log, task.label, first)
        with ThreadPoolExecutor() as threads:
            write_one = functools.partial(write_rows, settings, task.name, columns, label, context)
            for written in threads.map(write_one, chosen, chosen.values()):
                files += written.files
                counts |= written.counts
    return Built(files, counts, [task.name for task in reader.tasks], warnings)
