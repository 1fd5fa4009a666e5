"""Every file that a step leaves for another: name, folder, writer, shape and dtype, declared once.

A name pattern carries what the file depends on (protocol, reduction, length), so that files built with other
settings stand beside one another. Saving is atomic and checks shape and dtype; `store.reading` loads.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.settings import DEFAULT_FILE, Settings
from mma4ctr.store import disk

NAMES = "names"  # the dtype of a Parquet file with one column of text


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One kind of file. `shape` has a number where the length is fixed and None where it is not."""

    folder: str  # key of path.json
    pattern: str
    writer: str  # a script, or a pattern as well
    shape: tuple[int | None, ...] = ()
    dtype: str = "json"


ARTIFACTS = {
    # Step 1. Users and items are referred to by their place in these two tables.
    # An id that is text is its place among the names below.
    "users": Artifact("graph_path", "{dataset}_users.npy", "preprocess_inter.py", (None, 2), "int64"),  # id, device
    "items": Artifact("graph_path", "{dataset}_items.npy", "preprocess_inter.py", (None,), "int64"),  # ids, sorted
    # user index, item index, click; sorted by user, time, place in the raw file
    "rows": Artifact("graph_path", "{task}_{protocol}_rows.npy", "preprocess_inter.py", (None, 3), "int32"),
    # of each row its place in time among all kept rows: by time, equal times by place in the raw files; a drawn row has
    # that of its click
    "moments": Artifact("graph_path", "{task}_{protocol}_moments.npy", "preprocess_inter.py", (None, 1), "int32"),
    "actions": Artifact("graph_path", "statistics/{dataset}_actions.json", "preprocess_inter.py"),
    # how many users have how many interactions; how many items were watched how often
    "user_lengths": Artifact(
        "graph_path", "statistics/{dataset}_user_lengths.npy", "preprocess_inter.py", (None, 2), "int64"
    ),
    "item_popularities": Artifact(
        "graph_path", "statistics/{dataset}_item_popularities.npy", "preprocess_inter.py", (None, 2), "int64"
    ),
    # place, user index, item index of every kept row that is not the first one of its user and item: beside the clean
    # rows, all that was watched
    "repeats": Artifact("graph_path", "{dataset}_repeats.npy", "preprocess_inter.py", (None, 3), "int32"),
    # Where users or items are text, or the log has columns of context: their names, and the values of the columns.
    "user_names": Artifact("graph_path", "{dataset}_user_names.parquet", "preprocess_inter.py", (None,), NAMES),
    "item_names": Artifact("graph_path", "{dataset}_item_names.parquet", "preprocess_inter.py", (None,), NAMES),
    "context": Artifact("graph_path", "{task}_{protocol}_context.npy", "preprocess_inter.py", (None, None), "int32"),
    "context_values": Artifact("graph_path", "{dataset}_context_values.json", "preprocess_inter.py"),
    # Step 2. Row k of the matrix belongs to the k-th id.
    "modality_items": Artifact(
        "modal_path", "{dataset}_{modality}_items.npy", "preprocess_multimodal.py", (None,), "int64"
    ),
    "modality": Artifact("modal_path", "{dataset}_{modality}.npy", "preprocess_multimodal.py", (None, None), "float32"),
    # Step 3. Row k belongs to user index k; the last column is the device.
    "user_embedding": Artifact(
        "user_embedding_path",
        "{task}_{modality}_{protocol}_{reduction}_{length}.npy",
        "get_user_embedding.py",
        (None, None),
        "float32",
    ),
    # The items' part in them, row by row, where a user's vector ends before each row.
    "reduced_items": Artifact(
        "user_embedding_path",
        "{task}_{modality}_{protocol}_{reduction}_{length}_items.npy",
        "get_user_embedding.py",
        (None, None),
        "float32",
    ),
    # Step 4. Fused features share one list of items.
    "fused_items": Artifact("matrix_path", "{dataset}_fused_items.npy", "cross_matrix.py", (None,), "int64"),
    "fused_modality": Artifact(
        "matrix_path", "{dataset}_{modality}_fused.npy", "cross_matrix.py", (None, None), "float32"
    ),
    # Steps 4 and 5: the writer of a feature follows from its fusion (see `features.fusion`).
    "table": Artifact("matrix_path", "{dataset}_{feature}.npy", "{script}", (None, None), "float32"),
    "joins": Artifact("matrix_path", "{dataset}_{feature}.json", "{script}"),
    # Written out row by row where --dense asks for it; no step reads them.
    "dense_embeddings": Artifact(
        "matrix_path", "{task}_{feature}_{protocol}_{reduction}_{length}_dense.npy", "{script}", (None, None), "float64"
    ),
    "dense_ids": Artifact(
        "matrix_path", "{task}_{feature}_{protocol}_dense_ids.npy", "{script}", (None, None), "float64"
    ),
}


def to_settings(settings: Settings) -> list[str]:
    """Return the words of a command that lead to the same path.json; none for the one beside the scripts."""
    return [] if settings.file.resolve() == DEFAULT_FILE else ["--paths", str(settings.file)]


def command(settings: Settings, script: str, dataset: str, protocol: str = "") -> str:
    """Return the command that runs `script` on the same path.json, quoted for the shell."""
    return shlex.join(["python", script, *to_settings(settings), "--dataset", dataset,
                       *(["--protocol", protocol] if protocol else [])])  # fmt: skip


def dataset_of(settings: Settings, keys: Mapping[str, object]) -> str:
    """Return the data set that the artefact with these keys belongs to."""
    return str(keys["dataset"]) if "dataset" in keys else settings.dataset_of(str(keys["task"]))


def command_of(settings: Settings, name: str, keys: Mapping[str, object]) -> str:
    """Return the command that builds the artefact `name` again."""
    artifact = ARTIFACTS[name]
    protocol = str(keys.get("protocol", "")) if artifact.folder == "user_embedding_path" else ""
    return command(settings, artifact.writer.format(**keys), dataset_of(settings, keys), protocol)


def path(settings: Settings, name: str, **keys: object) -> Path:
    """Return where the artefact `name` lies for these keys (dataset, task, modality, ...)."""
    artifact = ARTIFACTS[name]
    return getattr(settings, artifact.folder) / artifact.pattern.format(**keys)


def require_declared(name: str, array: np.ndarray, file: Path, remedy: str) -> None:
    """Raise `UserError` unless an array has the shape and dtype that its artefact declares."""
    artifact = ARTIFACTS[name]
    right_shape = array.ndim == len(artifact.shape) and all(
        want in (None, have) for want, have in zip(artifact.shape, array.shape, strict=True)
    )
    if not right_shape or array.dtype != np.dtype(artifact.dtype):
        wanted = ", ".join("any" if length is None else str(length) for length in artifact.shape)
        raise UserError(
            f"{file}: found {array.dtype} of shape {array.shape}, expected {artifact.dtype} of shape ({wanted}); "
            f"{remedy}"
        )


def save(settings: Settings, name: str, array: np.ndarray, **keys: object) -> Path:
    """Write `array` as the artefact `name`, whole or not at all.

    Raises
    ------
    UserError
        If it is not of the declared shape and dtype, or holds numbers that are not finite.
    """
    file = path(settings, name, **keys)
    require_declared(name, array, file, "this is a mistake in the script that writes it")
    extremes = (array.min(initial=0), array.max(initial=0))  # nan reaches both of them
    if not np.isfinite(extremes).all():
        raise UserError(f"{file}: would hold numbers that are not finite, because raw numbers are too large; look for "
                        "absurd ones in the raw files")  # fmt: skip
    disk.write_array(file, array)
    return file


def save_columns(
    settings: Settings, name: str, rows: int, columns: Sequence[Iterable[np.ndarray]], **keys: object
) -> Path:
    """Write a matrix of whole numbers, given as columns in pieces, as the artefact `name`; see `disk.write_columns`."""
    file = path(settings, name, **keys)
    disk.write_columns(file, (rows, len(columns)), columns, ARTIFACTS[name].dtype)
    return file


def save_names(settings: Settings, name: str, names: pl.Series, **keys: object) -> Path:
    """Write text (n,) as the artefact `name`, whole or not at all."""
    file = path(settings, name, **keys)
    disk.write_names(file, names)
    return file


def save_json(settings: Settings, name: str, content: object, **keys: object) -> Path:
    """Write `content` as the JSON artefact `name`, whole or not at all."""
    file = path(settings, name, **keys)
    disk.write_json(file, content)
    return file
