"""The contents of path.json: the folders that the steps share and the switches of the ablations.

A key is declared once: a field of `Settings`, or a row of a data set's own `settings`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from mma4ctr import cli, folders
from mma4ctr.catalogue import USER_HISTORIES, USER_REDUCTIONS, Task
from mma4ctr.keys import LARGEST_SEED, Key, Table, folder, is_folder, is_seed, is_whole, one_of
from mma4ctr.paths_file import shown
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "path.json"
LONGEST_USER_EMBEDDING = 499  # no wider input has a row in the table of hidden widths
WHOLE, CAUSAL = USER_HISTORIES
UNUSED = ("dataset_path", "feed_embedding", "temp_path")  # published keys of folders that no step uses
RAW_FOLDER = "{}_dataset_path"  # the key of the folder of a data set's raw logs


def embedding_name(reduction: str, history: str) -> str:
    """Return how user embeddings of a reduction and a history are called."""
    return reduction if history == WHOLE else f"{reduction}_{history}"


# Name of user embeddings -> the user_reduction and the user_history of path.json.
EMBEDDINGS = {
    embedding_name(reduction, history): (reduction, history)
    for history in USER_HISTORIES for reduction in USER_REDUCTIONS
}  # fmt: skip


class Declaration(Protocol):
    """What path.json, and the records of the steps, have to know of a data set; see `mma4ctr.data.contract`."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def folder(self) -> str:
        """The default of its ``<name>_dataset_path``."""

    @property
    def minimum(self) -> int:
        """The default of its ``min_interactions``."""

    @property
    def settings(self) -> Mapping[str, Key]:
        """Keys of its own, which its interactions depend on."""

    @property
    def modality_settings(self) -> tuple[str, ...]:
        """Keys of path.json that its modalities depend on."""

    @property
    def needs_kept_items(self) -> bool:
        """Whether its modalities are read for the items of kept users alone."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is predicted on it."""

    def version_for(self, script: str) -> int | str:
        """Return what changes when a step would read the same raw files otherwise."""


def _minimum_table(datasets: Mapping[str, Declaration]) -> Key:
    defaults = {name: dataset.minimum for name, dataset in datasets.items()}
    return Key(
        {}, f"an object of whole numbers with the keys {', '.join(datasets)}",
        lambda value: isinstance(value, dict) and set(value) <= set(datasets) and all(map(is_whole, value.values())),
        lambda value: Table({**defaults, **value}),
    )  # fmt: skip


DECLARATIONS = Key(
    "datasets", "a folder, as text, or an object with a declaration for each name",
    lambda value: is_folder(value) or isinstance(value, dict), lambda value: Path(value) if isinstance(value, str) else
    Table(value),
)  # fmt: skip


def _field(key: Key) -> Any:
    return dataclasses.field(metadata={"key": key})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The contents of one path.json, checked and resolved; made by `read`.

    The folders are absolute. `dataset_path`, `feed_embedding` and `temp_path` are published keys that no step needs any
    more: they are accepted and nothing is written there.

    Attributes
    ----------
    file : Path
        Where they were read from.
    datasets : mapping of str to Declaration
        The data sets that were known then.
    raw_folders : mapping of str to Path
        Data set -> ``<name>_dataset_path``.
    min_interactions : mapping of str to int
        Data set -> raw rows of a user that is kept.
    own : mapping of str to object
        The keys that data sets have of their own.
    declarations : Path or mapping
        The key ``datasets``: the folder of declared data sets, relative to that of the file, or what it says of each.
    """

    file: Path
    datasets: Mapping[str, Declaration] = dataclasses.field(compare=False, repr=False)
    declarations: Path | Mapping[str, object]
    parent_folder: Path = _field(folder("data"))
    dataset_path: Path = _field(folder("dataset"))
    raw_folders: Mapping[str, Path]
    graph_path: Path = _field(folder("bipartite_graph"))
    modal_path: Path = _field(folder("multi_modal"))
    matrix_path: Path = _field(folder("matrix"))
    feed_embedding: Path = _field(folder("multi_modal/feed_embeddings"))
    torch_model_path: Path = _field(folder("torch_model"))
    user_embedding_path: Path = _field(folder("user_all_embeddings"))
    saved_path: Path = _field(folder("saved"))
    temp_path: Path = _field(folder("temp"))
    protocol: str = _field(one_of(PROTOCOLS))
    user_order: str = _field(one_of(USER_ORDERS))
    user_embedding_length: int = _field(
        Key(
            21, f"a whole number from 0 to {LONGEST_USER_EMBEDDING}",
            lambda value: is_whole(value) and value <= LONGEST_USER_EMBEDDING,
        )
    )  # fmt: skip
    user_reduction: str = _field(one_of(USER_REDUCTIONS))
    user_history: str = _field(one_of(USER_HISTORIES))
    min_interactions: Mapping[str, int]
    own: Mapping[str, object]
    seed: int = _field(Key(0, f"a whole number from 0 to {LARGEST_SEED}", is_seed))

    def raw_folder(self, dataset: str) -> Path:
        """Return the folder of the raw logs of `dataset`."""
        return self.raw_folders[dataset]

    def value(self, key: str, dataset: str) -> Any:
        """Return the value of `key` as it holds for `dataset`."""
        if key in self.own:
            return self.own[key]
        value = getattr(self, key)
        return value[dataset] if isinstance(value, Mapping) else value

    def own_of(self, dataset: str) -> dict[str, object]:
        """Return the values of the keys that a data set has of its own."""
        return {key: self.own[key] for key in self.datasets[dataset].settings}

    def dataset_of(self, task: str) -> str:
        """Return the data set of a task; raise `UserError` if there is none."""
        known = {own.name: name for name, row in self.datasets.items() for own in row.tasks}
        if task not in known:
            raise cli.UserError(
                f"{self.file}: no data set has the task {task!r:.80}, expected one of {', '.join(known)}; correct the "
                "name, or declare the data set"
            )
        return known[task]

    def by_key(self) -> dict[str, object]:
        """Return every key of path.json with its value, in the order in which they are shown."""
        raw = {RAW_FOLDER.format(name): folder for name, folder in self.raw_folders.items()}
        flat = {**vars(self), **raw, **self.own, "datasets": self.declarations}
        return {key: flat[key] for key in keys_of(self.datasets)}

    @property
    def user_embedding(self) -> str:
        """How user embeddings are made, as files and runs name it: their reduction, then the history if not whole."""
        return embedding_name(self.user_reduction, self.user_history)

    @property
    def is_causal(self) -> bool:
        """Whether a row sees a vector of its user that is made from the rows before it."""
        return self.user_history == CAUSAL and self.user_embedding_length > 0

    def with_embedding(self, name: str, length: int) -> Settings:
        """Return these settings with another user embedding, whose files and path.json lie in a folder of their own.

        Parameters
        ----------
        name : str
            As `user_embedding` has it.
        length : int
        """
        if (name, length) == (self.user_embedding, self.user_embedding_length):
            return self
        folder, (reduction, history) = self.saved_path / "settings" / f"{name}_{length}", EMBEDDINGS[name]
        return dataclasses.replace(
            self, file=folder / "path.json", user_reduction=reduction, user_history=history,
            user_embedding_length=length, user_embedding_path=folder / "user_all_embeddings",
        )  # fmt: skip


def keys_of(datasets: Mapping[str, Declaration]) -> dict[str, Key]:
    """Return every key that path.json may have, in the order in which they are shown."""
    of_datasets = {
        "declarations": {"datasets": DECLARATIONS},
        "raw_folders": {RAW_FOLDER.format(name): folder(row.folder) for name, row in datasets.items()},
        "min_interactions": {"min_interactions": _minimum_table(datasets)},
        "own": {key: row for dataset in datasets.values() for key, row in dataset.settings.items()},
    }
    keys: dict[str, Key] = {}
    for field in dataclasses.fields(Settings):
        if field.name in of_datasets:
            keys |= of_datasets[field.name]
        elif "key" in field.metadata:
            keys[field.name] = field.metadata["key"]
    return keys


def content_of(settings: Settings) -> dict[str, object]:
    """Return what a path.json says that gives `settings` again, wherever it lies."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in settings.by_key().items()}


def _check(file: Path, content: Mapping[str, object], keys: Mapping[str, Key]) -> None:
    for key, value in content.items():
        if key not in keys:
            raise cli.UserError(
                f"{file}: unknown key {shown(key)}, expected one of {', '.join(keys)}; correct or remove the key"
            )
        if not keys[key].is_valid(value):
            raise cli.UserError(f"{file}: {key} is {shown(value)}, expected {keys[key].expected}; correct the value")


def file_of(paths: str | Path | None) -> Path:
    """Return the path.json that ``--paths`` names; without it the one beside the scripts."""
    if paths == "":
        raise cli.UserError("--paths is empty, expected a file; give a path.json, or leave --paths out")
    return DEFAULT_FILE if paths is None else Path(paths)


def declarations_of(file: Path, content: Mapping[str, object]) -> Path | Table:
    """Return what the key ``datasets`` of a path.json says: a folder, absolute, or declarations by name.

    The folder need not be there.

    Raises
    ------
    mma4ctr.cli.UserError
        If it is neither.
    """
    _check(file, {"datasets": content.get("datasets", DECLARATIONS.default)}, {"datasets": DECLARATIONS})
    found = DECLARATIONS.read(content.get("datasets", DECLARATIONS.default))
    if not isinstance(found, Path):
        return found  # type: ignore[return-value]
    return folders.resolved(file, "datasets", file.resolve().parent / found)


def read(file: Path, content: Mapping[str, Any], datasets: Mapping[str, Declaration]) -> Settings:
    """Turn what stands in a path.json into one frozen object.

    Parameters
    ----------
    file : Path
        `parent_folder` is relative to the folder of the file, every other folder to `parent_folder`; absolute folders
        stay as they are.
    content : mapping
        What it holds.
    datasets : mapping of str to Declaration
        The data sets that have keys in it, by name.

    Raises
    ------
    mma4ctr.cli.UserError
        If there is an unknown key or a value of a wrong type; if a folder is a file or a link that leads nowhere, or
        two keys lead to one folder.
    """
    keys = keys_of(datasets)
    _check(file, content, keys)
    values: dict[str, Any] = {key: row.read(content.get(key, row.default)) for key, row in keys.items()}
    parent = file.resolve().parent / values["parent_folder"]
    declarations = declarations_of(file, content)
    del values["datasets"]
    for key, value in values.items():
        if isinstance(value, Path):
            values[key] = folders.resolved(file, key, parent if key == "parent_folder" else parent / value)
    folders.require_own(file, {key: value for key, value in values.items() if key not in UNUSED})
    raw = {name: values.pop(RAW_FOLDER.format(name)) for name in datasets}
    own = {key: values.pop(key) for dataset in datasets.values() for key in dataset.settings}
    return Settings(
        file=file, datasets=Table(datasets), declarations=declarations, raw_folders=Table(raw), own=Table(own), **values
    )
