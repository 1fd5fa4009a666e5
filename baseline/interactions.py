"""Write the rows of a task as the pre-split interaction files that RecBole reads.

The rows, labels and split are those that MMa4CTR sees under the clean protocol, for the fused features. RecBole makes
no histories for files that are split already, so that every row has its own here: the items that its user clicked in
the training part before the row, the most recent 50.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr import inputs
from mma4ctr.protocol import PARTS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

LONGEST_HISTORY = 50
BEGIN = "begin"  # the token that stands in an empty history, which RecBole cannot read
ROWS_AT_ONCE = 200_000


@dataclasses.dataclass(frozen=True)
class Task:
    """The rows of a task.

    rows : (n, 3) int32, user index, item index, click, sorted by user and time
    parts : the places in `rows` of the training, validation and test rows
    """

    rows: np.ndarray
    parts: dict[str, np.ndarray]

    def part(self, name: str) -> np.ndarray:
        """Return the rows (m, 3) of one part."""
        return self.rows[self.parts[name]]


def load(settings: Settings, task: str) -> Task:
    """Load the rows of a task under the clean protocol, for the fused features."""
    return Task(*inputs.fused_rows(settings, task, "clean"))


def histories(task: Task, longest: int = LONGEST_HISTORY) -> tuple[np.ndarray, np.ndarray]:
    """Return which items a user clicked in the training part before each row.

    Parameters
    ----------
    task : Task
    longest : int
        How many of the most recent clicks are kept.

    Returns
    -------
    items : (clicks,) int32 array
        The clicked items of all training rows, in the order of the rows.
    bounds : (n, 2) int64 array
        For each row where its history begins and ends in `items`.
    """
    clicked = np.zeros(len(task.rows), dtype=np.int64)
    training = task.parts["training"]
    clicked[training] = task.rows[training, 2]
    before = np.cumsum(clicked) - clicked
    users = task.rows[:, 0]
    first_row = np.searchsorted(users, users)  # of the row's user
    return task.rows[clicked == 1, 1], np.column_stack([np.maximum(before[first_row], before - longest), before])


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
    with artifacts.replacing(file) as temporary, open(temporary, "wb") as stream:
        for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            block, place = rows[start : start + ROWS_AT_ONCE], slice(start, start + ROWS_AT_ONCE)
            frame = pl.DataFrame({
                "user_id:token": block[:, 0], "item_id:token": block[:, 1],
                "item_id_list:token_seq": as_text(items, bounds[place]), "label:float": block[:, 2],
            })  # fmt: skip
            frame.write_csv(stream, separator="\t", include_header=start == 0)


def write(folder: Path, task: Task, most: int = LONGEST_HISTORY) -> int:
    """Write ``<folder name>.<part>.inter`` for each part and for the clicks of the training part.

    Pairwise models take every row of their training file for a click, so that they have one of clicks alone. A history
    has the `most` recent clicks at the most.

    Returns
    -------
    int
        The length of the longest history in any of the files, which RecBole has to be told.
    """
    items, bounds = histories(task, most)
    training = task.parts["training"]
    wanted = {**task.parts, "clicks": training[task.rows[training, 2] == 1]}
    for part in (*PARTS, "clicks"):
        places = wanted[part]
        write_file(folder / f"{folder.name}.{part}.inter", task.rows[places], items, bounds[places])
    used = bounds[np.concatenate(list(task.parts.values()))]
    return max(1, int((used[:, 1] - used[:, 0]).max()))
