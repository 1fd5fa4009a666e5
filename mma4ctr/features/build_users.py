"""What step 3 does: the embeddings of users, as tables on disk and as models see them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mma4ctr import cli
from mma4ctr.catalogue import feature_named
from mma4ctr.data.blocks import doubts_of
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import tasks_of
from mma4ctr.features import user_embedding
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings, content_of
from mma4ctr.store import artifacts, disk, reading, records
from mma4ctr.store.building import Build, Built, rebuild

EMBEDDING = "get_user_embedding.py"


def user_embeddings(settings: Settings, dataset: str, protocol: str, *, force: bool, quiet: bool = False) -> None:
    """Build the user embeddings of every task of a data set under one protocol.

    Raises
    ------
    UserError
        If an earlier step has not run, or not since something changed.
    """
    if settings.user_embedding_length == 0:
        if not quiet:
            print(f"{EMBEDDING} {dataset}: user_embedding_length is 0, so that mlp.py takes the bare user id; nothing "
                  "to build")  # fmt: skip
        return
    ancestors = records.ancestors(settings, EMBEDDING, dataset)
    modalities = ancestors[records.MULTIMODAL].contains
    for task in tasks_of(settings, [dataset]):
        keys = records.embedding_keys(settings, task, protocol)
        build = Build(settings, EMBEDDING, dataset, keys, expected=modalities, built_on=ancestors)
        write = functools.partial(write_user_embeddings, settings, task, protocol, modalities)
        rebuild(build, write, force=force, quiet=quiet)


def settings_of(settings: Settings, name: str, length: int) -> Settings:
    """Return settings with user embeddings of a name and length, and write a path.json of their own.

    Those of path.json itself stay where they lie, and nothing is written; all others lie in folders of their own.
    """
    own = settings.with_embedding(name, length)
    if own is not settings:
        disk.write_json(own.file, content_of(own))
    return own


def with_user_embeddings(settings: Settings, name: str, length: int, dataset: str, protocol: str) -> Settings:
    """Return what `settings_of` does, with the embeddings built where they are missing.

    Raises
    ------
    UserError
        If an earlier step has not run, or not since something changed.
    """
    own = settings_of(settings, name, length)
    user_embeddings(own, dataset, protocol, force=False, quiet=True)
    return own


def write_user_embeddings(settings: Settings, task: str, protocol: str, modalities: Sequence[str]) -> Built:
    """Write a (users, length + 1) float32 matrix for each modality of one task.

    Where a row sees the rows before it alone, it is the one after all rows, not scaled, and the reduced items that it
    is the mean of are written beside it.
    """
    dataset = settings.dataset_of(task)
    users = reading.load(settings, "users", dataset=dataset)
    item_ids = reading.load(settings, "items", dataset=dataset)
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    rows = rows[PROTOCOLS[protocol].embedding_rows(rows[:, 0])]
    files: list[Path] = []
    counts: dict[str, object] = {"users": len(users), "rows used": len(rows)}
    warnings: list[str] = []
    keys = records.embedding_keys(settings, task, protocol)
    for modality in cli.track(modalities):
        ids = reading.load(settings, "modality_items", dataset=dataset, modality=modality)
        matrix = reading.load(settings, "modality", dataset=dataset, modality=modality)
        length, method, places = settings.user_embedding_length, settings.user_reduction, places_in(ids, item_ids)
        if settings.is_causal:
            items = user_embedding.reduced_items(matrix, method, length)
            files.append(artifacts.save(settings, "reduced_items", items, modality=modality, **keys))
            signs, number = user_embedding.signs_of(rows, places, len(items), len(users))
            embedding = np.column_stack([signs @ items / number, users[:, 1]]).astype(np.float32)
        else:
            difference = user_embedding.clicked_minus_unclicked(rows, places, matrix, len(users))
            embedding = user_embedding.finish(difference, users[:, 1], method, length)
        files.append(artifacts.save(settings, "user_embedding", embedding, modality=modality, **keys))
        change = "reduced" if matrix.shape[1] > length else "filled up"
        counts[modality] = f"{matrix.shape[1]:,} columns {change} to {length}, device added"
        warnings += doubts_of(f"user embedding of {modality}", embedding[:, :-1])  # the last column is the device
    return Built(files, counts, modalities, warnings)


def load_user_embeddings(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the user embeddings of the modalities of a feature, side by side: (users, columns) float32.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    keys = records.embedding_keys(settings, task, protocol)
    tables = (
        reading.load(settings, "user_embedding", modality=one, **keys) for one in feature_named(feature).modalities
    )
    return np.hstack(list(tables))


def user_embeddings_of_rows(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the causal user embeddings of a feature: (rows of the task, columns) float32, each of the rows before.

    Columns are those of `load_user_embeddings`; what a row may see of the rows before it is what the protocol makes
    embeddings from.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    keys, dataset = records.embedding_keys(settings, task, protocol), settings.dataset_of(task)
    users, item_ids = (reading.load(settings, name, dataset=dataset) for name in ("users", "items"))
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    seen, device = PROTOCOLS[protocol].embedding_rows(rows[:, 0]), users[rows[:, 0], 1].astype(np.float32)
    width, modalities = settings.user_embedding_length + 1, feature_named(feature).modalities
    found = np.empty((len(rows), width * len(modalities)), dtype=np.float32)
    for number, modality in enumerate(modalities):
        ids = reading.load(settings, "modality_items", dataset=dataset, modality=modality)
        items = reading.load(settings, "reduced_items", modality=modality, **keys)
        own = found[:, number * width : (number + 1) * width]
        own[:, :-1] = user_embedding.before_each_row(rows, seen, places_in(ids, item_ids), items)
        own[:, -1] = device
    return found
