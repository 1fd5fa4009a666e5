"""The contents of path.json: the folders that the steps share and the switches of the ablations.

A key is declared once: a field of `Settings`, or a row of a data set's own `settings`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from mma4ctr import cli, folders, paths_file
from mma4ctr.catalogue import USER_REDUCTIONS, Task
from mma4ctr.paths_file import shown
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "path.json"
LONGEST_USER_EMBEDDING = 499  # no wider input has a row in the table of hidden widths
UNUSED = ("dataset_path", "feed_embedding", "temp_path")  # published keys of folders that no step uses
LARGEST_SEED = 2**32 - 1  # that everything takes which draws numbers: UMAP and RecBole no larger one
RAW_FOLDER = "{}_dataset_path"  # the key of the folder of a data set's raw logs


class Table(dict[str, Any]):
    """A table that nobody changes; unlike a `MappingProxyType` it travels to workers and into JSON."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("settings are not changed; make others with dataclasses.replace")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Table], tuple[dict[str, Any]]]:
        """Return how it is made again."""
        return Table, (dict(self),)


@dataclasses.dataclass(frozen=True)
class Key:
    """What one key of path.json may hold.

    Attributes
    ----------
    default : object
        What holds where path.json leaves the key out.
    expected : str
        What it must be, in words.
    is_valid : callable
        Tells whether a JSON value is that.
    read : callable
        Turns the JSON value into the setting, so that values that mean the same are the same.
    """

    default: object
    expected: str
    is_valid: Callable[[Any], bool]
    read: Callable[[Any], object] = lambda value: value


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


def is_whole(value: object) -> bool:
    """Tell whether a JSON value is a whole number, 0 or more, of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_seed(value: object) -> bool:
    return is_whole(value) and isinstance(value, int) and value <= LARGEST_SEED


def is_number(value: object) -> bool:
    """Tell whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_folder(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _folder(default: str) -> Key:
    return Key(default, "a folder, as text", _is_folder, Path)


def _one_of(names: Iterable[str]) -> Key:
    known = tuple(names)
    return Key(known[0], f"one of {', '.join(known)}", lambda value: value in known)


def _minimum_table(datasets: Mapping[str, Declaration]) -> Key:
    defaults = {name: dataset.minimum for name, dataset in datasets.items()}
    return Key(
        {}, f"an object of whole numbers with the keys {', '.join(datasets)}",
        lambda value: isinstance(value, dict) and set(value) <= set(datasets) and all(map(is_whole, value.values())),
        lambda value: Table({**defaults, **value}),
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
    """

    file: Path
    datasets: Mapping[str, Declaration] = dataclasses.field(compare=False, repr=False)
    parent_folder: Path = _field(_folder("data"))
    dataset_path: Path = _field(_folder("dataset"))
    raw_folders: Mapping[str, Path]
    graph_path: Path = _field(_folder("bipartite_graph"))
    modal_path: Path = _field(_folder("multi_modal"))
    matrix_path: Path = _field(_folder("matrix"))
    feed_embedding: Path = _field(_folder("multi_modal/feed_embeddings"))
    torch_model_path: Path = _field(_folder("torch_model"))
    user_embedding_path: Path = _field(_folder("user_all_embeddings"))
    saved_path: Path = _field(_folder("saved"))
    temp_path: Path = _field(_folder("temp"))
    protocol: str = _field(_one_of(PROTOCOLS))
    user_order: str = _field(_one_of(USER_ORDERS))
    user_embedding_length: int = _field(
        Key(
            21, f"a whole number from 0 to {LONGEST_USER_EMBEDDING}",
            lambda value: is_whole(value) and value <= LONGEST_USER_EMBEDDING,
        )
    )  # fmt: skip
    user_reduction: str = _field(_one_of(USER_REDUCTIONS))
    min_interactions: Mapping[str, int]
    own: Mapping[str, object]
    seed: int = _field(Key(0, f"a whole number from 0 to {LARGEST_SEED}", _is_seed))

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
        """Return the data set of a task."""
        return next(name for name, row in self.datasets.items() if task in [own.name for own in row.tasks])

    def by_key(self) -> dict[str, object]:
        """Return every key of path.json with its value, in the order in which they are shown."""
        raw = {RAW_FOLDER.format(name): folder for name, folder in self.raw_folders.items()}
        flat = {**vars(self), **raw, **self.own}
        return {key: flat[key] for key in keys_of(self.datasets)}

    def with_embedding(self, reduction: str, length: int) -> Settings:
        """Return these settings with another user embedding, whose files and path.json lie in a folder of their own."""
        if (reduction, length) == (self.user_reduction, self.user_embedding_length):
            return self
        folder = self.saved_path / "settings" / f"{reduction}_{length}"
        return dataclasses.replace(
            self, file=folder / "path.json", user_reduction=reduction, user_embedding_length=length,
            user_embedding_path=folder / "user_all_embeddings",
        )  # fmt: skip


def keys_of(datasets: Mapping[str, Declaration]) -> dict[str, Key]:
    """Return every key that path.json may have, in the order in which they are shown."""
    of_datasets = {
        "raw_folders": {RAW_FOLDER.format(name): _folder(row.folder) for name, row in datasets.items()},
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


def read(file: str | Path | None, datasets: Mapping[str, Declaration]) -> Settings:
    """Read a path.json into one frozen object.

    Parameters
    ----------
    file : str, Path or None
        A path.json; None for the one beside the scripts. `parent_folder` is relative to the folder of the file, every
        other folder to `parent_folder`; absolute folders stay as they are.
    datasets : mapping of str to Declaration
        The data sets that have keys in it, by name.

    Raises
    ------
    mma4ctr.cli.UserError
        If the file cannot be read, is not a JSON object, has an unknown key or a value of a wrong type; if a folder is
        a file or a link that leads nowhere, or two keys lead to one folder.
    """
    if file == "":
        raise cli.UserError("--paths is empty, expected a file; give a path.json, or leave --paths out")
    file, keys = Path(file) if file is not None else DEFAULT_FILE, keys_of(datasets)
    content = paths_file.read_object(file)
    _check(file, content, keys)
    values: dict[str, Any] = {key: row.read(content.get(key, row.default)) for key, row in keys.items()}
    parent = file.resolve().parent / values["parent_folder"]
    for key, value in values.items():
        if isinstance(value, Path):
            values[key] = folders.resolved(file, key, parent if key == "parent_folder" else parent / value)
    folders.require_own(file, {key: value for key, value in values.items() if key not in UNUSED})
    raw = {name: values.pop(RAW_FOLDER.format(name)) for name in datasets}
    own = {key: values.pop(key) for dataset in datasets.values() for key in dataset.settings}
    return Settings(file=file, datasets=Table(datasets), raw_folders=Table(raw), own=Table(own), **values)
