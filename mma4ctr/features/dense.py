"""Features written out row by row, for whoever needs them (``--dense`` of steps 4 and 5).

Published matrices have one row for each interaction: [user id | user embeddings | item features | click], of which the
published mlp.py skips the user id. There are two layouts here, the input of mlp.py and what does not depend on step 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mma4ctr import catalogue, cli
from mma4ctr.catalogue import default_feature
from mma4ctr.cli import UserError
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import dataset_of, tasks_of
from mma4ctr.ending import from_here
from mma4ctr.features import fusion
from mma4ctr.features.build import load_items
from mma4ctr.features.build_users import EMBEDDING, load_user_embeddings, user_embeddings_of_rows
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, disk, reading, records
from mma4ctr.store.records import Record

ROWS_AT_ONCE = 16_384
LARGEST_ID = 2**53  # beyond it float64 cannot tell whole numbers apart


def user_ids(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the ids of the users as a column (users, 1) float64.

    Raises
    ------
    UserError
        If one is too large for its column.
    """
    keys = {"dataset": settings.dataset_of(task)}
    ids = reading.load(settings, "users", **keys)[:, :1]
    beyond = ids[(ids > LARGEST_ID) | (ids < -LARGEST_ID)]
    if len(beyond):
        raise UserError(
            f"{artifacts.path(settings, 'users', **keys)}: user id {beyond[0]} is beyond {LARGEST_ID}, up to which a "
            "float64 column tells ids apart; write embeddings (--dense, user_embedding_length 1 or more) instead of ids"
        )
    return ids.astype(np.float64)


def embeddings(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the user columns of mlp.py's input, unscaled: embeddings (users, columns) float32, or (rows, columns).

    With user_embedding_length 0 they are the bare user id (users, 1) float64.
    """
    if settings.is_causal:
        return user_embeddings_of_rows(settings, task, feature, protocol)
    bare = settings.user_embedding_length == 0
    return (user_ids if bare else load_user_embeddings)(settings, task, feature, protocol)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What stands before item features and click.

    Attributes
    ----------
    artifact : str
        The name of its files among `artifacts.ARTIFACTS`.
    user_columns : callable
        ``(settings, task, feature, protocol) -> (users, columns)``, or (rows of the task, columns) where embeddings
        are causal.
    has_embeddings : bool
        Whether it depends on step 3, and on the user_embedding_length.
    """

    artifact: str
    user_columns: Callable[[Settings, str, str, str], np.ndarray]
    has_embeddings: bool

    def writable(self, settings: Settings, features: Sequence[str], without_embedding: str) -> list[str]:
        """Return those of some features that can be written; of one alone, a length of 0 needs no embedding."""
        no_embedding = self.has_embeddings and settings.user_embedding_length == 0
        return [name for name in features if not no_embedding or name == without_embedding]

    def require(self, settings: Settings, dataset: str, protocol: str) -> list[Record]:
        """Return the records that it depends on; raise `UserError` if a step has not run since something changed."""
        found = [records.require(settings, records.INTER, dataset)]
        if self.has_embeddings and settings.user_embedding_length > 0:
            keys = [records.embedding_keys(settings, task, protocol) for task in tasks_of(settings, [dataset])]
            found += [records.require(settings, EMBEDDING, dataset, own) for own in keys]
        return found


EMBEDDINGS, IDS = catalogue.LAYOUTS
LAYOUTS = {EMBEDDINGS: Layout("dense_embeddings", embeddings, True), IDS: Layout("dense_ids", user_ids, False)}


def write_rows(
    stream: BinaryIO, users: np.ndarray, own: np.ndarray, items: np.ndarray, places: np.ndarray, clicks: np.ndarray
) -> None:
    """Write the rows of a matrix as one .npy file of float64, some at a time.

    Parameters
    ----------
    stream : file, open for writing
    users : (users, user columns) float array
    own : (n,) int array
        The row of `users` of each row.
    items : (m, item columns) float32 array
    places : (n,) int array
        The row of `items` of each row.
    clicks : (n,) int array
    """
    shape = (len(clicks), users.shape[1] + items.shape[1] + 1)
    header = {"descr": np.dtype(np.float64).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    for start in range(0, len(clicks), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        columns = (users[own[part]], items[places[part]], clicks[part, None])
        stream.write(np.concatenate(columns, axis=1, dtype=np.float64).data)


def write(settings: Settings, task: str, feature: str, protocol: str, layout: str) -> Path:
    """Write one feature of one task row by row, whole or not at all.

    The file is a (rows, user columns + item columns + 1) float64 matrix of user columns, unscaled item features and
    click, over the rows that the feature covers, in the order of the task.

    Raises
    ------
    UserError
        If an artefact is missing or damaged, or a user id is too large for its column.
    """
    dataset, script, form = settings.dataset_of(task), fusion.script_of(feature), LAYOUTS[layout]
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    ids, items = load_items(settings, dataset, feature)
    places = places_in(ids, reading.load(settings, "items", dataset=dataset))[rows[:, 1]]
    covered = np.flatnonzero(places >= 0)
    own = covered if form.has_embeddings and settings.is_causal else rows[covered, 0]
    users = form.user_columns(settings, task, feature, protocol)
    keys = {**records.embedding_keys(settings, task, protocol), "feature": feature, "script": script}
    file = artifacts.path(settings, form.artifact, **keys)
    with disk.replacing(file) as temporary, open(temporary, "wb") as stream:
        write_rows(stream, users, own, items, places[covered], rows[covered, 2])
    return file


def write_all(settings: Settings, dataset: str, features: Sequence[str], protocol: str, layout: str) -> None:
    """Write features row by row for each task of a data set, and print what was written.

    Raises
    ------
    UserError
        If an earlier step has not run, or not since something changed; if none of the features can be written.
    """
    only = default_feature(dataset_of(settings, dataset).modalities)
    taken = LAYOUTS[layout].writable(settings, features, only)
    left_out = [name for name in features if name not in taken]
    if features and not taken:
        raise UserError(
            f"{settings.file}: user_embedding_length is 0, which only {only} takes, so that --dense has "
            f"nothing to write of {', '.join(features)}; set it to 1 or more, or give --dense ids"
        )
    used = [record.reference for record in LAYOUTS[layout].require(settings, dataset, protocol)]
    with records.reading(settings, used):
        LAYOUTS[layout].require(settings, dataset, protocol)  # nobody has changed them before they were locked
        for task in tasks_of(settings, [dataset]):
            for feature in cli.track(taken):
                file = write(settings, task, feature, protocol, layout)
                print(f"  dense: {from_here(file)} ({file.stat().st_size / 1e6:,.1f} MB)")
    if left_out:
        print(f"  dense: not {', '.join(left_out)}: user_embedding_length is 0, which only {only} takes")
