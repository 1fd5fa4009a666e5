"""The published layout of the matrices, written out for whoever needs it (``--dense`` of steps 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mma4ctr import cli
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import tasks_of
from mma4ctr.features import fusion
from mma4ctr.features.build import load_items
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, disk, reading, records

ROWS_AT_ONCE = 65_536


def write(settings: Settings, task: str, feature: str, protocol: str) -> Path:
    """Write the published layout of one feature of one task.

    The file is a (rows, 1 + columns + 1) float64 matrix of user id, unscaled item features and click, over the rows
    that the feature covers, in the order of the task. It is written piece by piece.
    """
    dataset = settings.dataset_of(task)
    user_ids = reading.load(settings, "users", dataset=dataset)[:, 0]
    item_ids = reading.load(settings, "items", dataset=dataset)
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    ids, items = load_items(settings, dataset, feature)
    place = places_in(ids, item_ids)[rows[:, 1]]
    rows, place = rows[place >= 0], place[place >= 0]
    script = fusion.script_of(feature)
    file = artifacts.path(settings, "dense", task=task, feature=feature, protocol=protocol, script=script)
    with disk.replacing(file) as temporary:
        shape = (len(rows), items.shape[1] + 2)
        dense = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float64, shape=shape)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            dense[part, 0] = user_ids[rows[part, 0]]
            dense[part, 1:-1] = items[place[part]]
            dense[part, -1] = rows[part, 2]
        dense.flush()
        del dense
    return file


def write_all(settings: Settings, dataset: str, features: Sequence[str], protocol: str) -> None:
    """Write the published layout of `features` for each task of a data set, and print what was written."""
    records.require(settings, records.INTER, dataset)
    for task in tasks_of([dataset]):
        for feature in cli.track(features):
            file = write(settings, task, feature, protocol)
            print(f"  dense: {file} ({file.stat().st_size / 1e6:,.1f} MB)")
