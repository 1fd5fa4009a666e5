"""What steps 4 and 5 share: what they build on, the list of what a feature joins, and the published dense layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mma4ctr import cli
from mma4ctr.catalogue import FEATURES
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import TASKS
from mma4ctr.features import item_tables
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

ROWS_AT_ONCE = 65_536


def reference(name: str, **keys: str) -> dict[str, object]:
    """Return how the list of joins names an artefact."""
    return {"name": name, "keys": keys}


def save_joins(
    settings: Settings, dataset: str, feature: str, items: dict[str, object], tables: Sequence[dict[str, object]]
) -> Path:
    """Write which item list a feature goes by and which tables it joins side by side."""
    content = {"items": items, "tables": list(tables)}
    return artifacts.save_json(settings, item_tables.joins_name(feature), content, dataset=dataset, feature=feature)


def write_dense(settings: Settings, task: str, feature: str, protocol: str) -> Path:
    """Write the published layout of one feature of one task.

    The file is a (rows, 1 + columns + 1) float64 matrix of user id, unscaled item features and click, over the rows
    that the feature covers, in the order of the task. It is written piece by piece.
    """
    dataset = TASKS[task].dataset
    name = "single_dense" if FEATURES[feature].fusion == "single" else "fused_dense"
    user_ids = artifacts.load(settings, "users", dataset=dataset)[:, 0]
    item_ids = artifacts.load(settings, "items", dataset=dataset)
    task_rows = artifacts.load(settings, "rows", task=task, protocol=protocol)
    ids, items = item_tables.load_items(settings, dataset, feature)
    place = places_in(ids, item_ids)[task_rows[:, 1]]
    task_rows, place = task_rows[place >= 0], place[place >= 0]
    file = artifacts.path(settings, name, task=task, feature=feature, protocol=protocol)
    with artifacts.replacing(file) as temporary:
        shape = (len(task_rows), items.shape[1] + 2)
        dense = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float64, shape=shape)
        for start in range(0, len(task_rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            dense[part, 0] = user_ids[task_rows[part, 0]]
            dense[part, 1:-1] = items[place[part]]
            dense[part, -1] = task_rows[part, 2]
        dense.flush()
        del dense
    return file


def write_all_dense(settings: Settings, dataset: str, features: Sequence[str], protocol: str) -> None:
    """Write the published layout of `features` for each task of a data set, and print what was written."""
    for task in (name for name, row in TASKS.items() if row.dataset == dataset):
        for feature in cli.track(features):
            file = write_dense(settings, task, feature, protocol)
            print(f"  dense: {file} ({file.stat().st_size / 1e6:,.1f} MB)")


def ancestors_of(settings: Settings, dataset: str) -> list[records.Record]:
    """Return the checked records that the matrices build on."""
    return [records.require(settings, "preprocess_multimodal.py", dataset)]


def parser(description: str, datasets: Sequence[str], protocols: Sequence[str]):
    """Return the parser of steps 4 and 5."""
    made = cli.step_parser(description, datasets)
    cli.add_protocol_argument(made, protocols)
    made.add_argument(
        "--dense", action="store_true",
        help="also write the published layout [user id | features | click], float64, for the rows of the protocol",
    )  # fmt: skip
    return made
