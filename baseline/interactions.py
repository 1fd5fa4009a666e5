"""Write the interaction files that RecBole reads: the rows of a task, split already, and all that was watched.

The rows, labels and split of a task are those that MMa4CTR sees under the clean protocol, for the fused features.
RecBole makes no histories for files that are split already, so that every row has its own here: the items that its
user clicked in the training part before the row, the most recent 50.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import labelled, names, registry
from mma4ctr.inputs.histories import LONGEST, earlier
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.protocol import PARTS
from mma4ctr.settings import Settings
from mma4ctr.store import checksums, disk, reading

BEGIN = "begin"  # the token that stands in an empty history, which RecBole cannot read
ROWS_AT_ONCE = 200_000
RECORD = "written.json"  # the length of the longest history, and the checksum of every file


def as_text(items: np.ndarray, bounds: np.ndarray) -> pl.Series:
    """Return histories as text: item indices with blanks between them, or the begin token."""
    lengths = bounds[:, 1] - bounds[:, 0]
    ends = np.cumsum(lengths)
    places = np.arange(lengths.sum()) - np.repeat(ends - lengths - bounds[:, 0], lengths)
    words = pl.DataFrame({"row": np.repeat(np.arange(len(bounds)), lengths), "item": items[places]})
    joined = words.group_by("row", maintain_order=True).agg(pl.col("item").cast(pl.String).str.join(" "))
    rows = pl.DataFrame({"row": np.arange(len(bounds))})
    return rows.join(joined, on="row", how="left", maintain_order="left")["item"].fill_null(BEGIN)


def write_file(file: Path, rows: np.ndarray, items: np.ndarray, bounds: np.ndarray) -> None:
    """Write rows (m, 3) with their histories as one interaction file, a block at a time."""
    with disk.replacing(file) as temporary, open(temporary, "wb") as stream:
        for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            block, place = rows[start : start + ROWS_AT_ONCE], slice(start, start + ROWS_AT_ONCE)
            frame = pl.DataFrame({
                "user_id:token": block[:, 0], "item_id:token": block[:, 1],
                "item_id_list:token_seq": as_text(items, bounds[place]), "label:float": block[:, 2],
            })  # fmt: skip
            frame.write_csv(stream, separator="\t", include_header=start == 0)


def standing(folder: Path) -> dict:
    """Return the record of what stands in a folder; nothing unless every file that it names is there and whole."""
    try:
        record = disk.read_object(folder / RECORD, disk.Known("python baseline/comp.py"))
    except UserError:  # missing or damaged
        return {}
    known = record.get("files")
    whole = isinstance(known, dict) and known and all(disk.is_whole(folder / name, known[name]) for name in known)
    return record if whole else {}


def record(folder: Path, **content: object) -> dict:
    """Leave a record of the files of a folder, last of all, and return it."""
    found = {**content, "files": {one.name: checksums.of_file(one) for one in folder.glob("*.inter")}}
    disk.write_json(folder / RECORD, found)
    return found


def written(folder: Path, task: TaskRows, most: int = LONGEST) -> int:
    """Write what `write` does unless it stands there whole, and return what `write` does."""
    return (standing(folder) or record(folder, longest=write(folder, task, most)))["longest"]


def watched_written(folder: Path, settings: Settings, dataset: str) -> None:
    """Write ``<folder name>.inter`` unless it stands there whole: every kept row of a log, without a label.

    The timestamp is the place in the sorted rows: RecBole keeps timestamps as float32, which tells neither seconds near
    5.3e10 apart nor rows without a time.
    """
    if standing(folder):
        return
    first = reading.load(settings, "rows", task=registry.dataset_of(settings, dataset).tasks[0].name, protocol="clean")
    if registry.dataset_of(settings, dataset).negatives is not None:
        first = first[first[:, 2] == 1]  # nobody watched what was drawn
    rows = labelled.watched(first, reading.load(settings, "repeats", dataset=dataset))
    users, items = names.user_names(settings, dataset), names.item_names(settings, dataset)
    with disk.replacing(folder / f"{folder.name}.inter") as temporary, open(temporary, "wb") as stream:
        for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            block = rows[start : start + ROWS_AT_ONCE]
            frame = pl.DataFrame({
                "user_id:token": users.gather(block[:, 0]), "item_id:token": items.gather(block[:, 1]),
                "timestamp:float": np.arange(start, start + len(block)),
            })  # fmt: skip
            frame.write_csv(stream, separator="\t", include_header=start == 0)
    record(folder)


def write(folder: Path, task: TaskRows, most: int = LONGEST) -> int:
    """Write ``<folder name>.<part>.inter`` for each part and for the clicks of the training part.

    Pairwise models take every row of their training file for a click, so that they have one of clicks alone. A history
    has the `most` recent clicks at the most.

    Returns
    -------
    int
        The length of the longest history in any of the files, which RecBole has to be told.
    """
    history = earlier(task, 1, most)
    items, bounds = history.items, history.bounds
    training = task.parts["training"]
    wanted = {**task.parts, "clicks": training[task.rows[training, 2] == 1]}
    for part in (*PARTS, "clicks"):
        places = wanted[part]
        write_file(folder / f"{folder.name}.{part}.inter", task.rows[places], items, bounds[places])
    used = bounds[np.concatenate(list(task.parts.values()))]
    return max(1, int((used[:, 1] - used[:, 0]).max()))
