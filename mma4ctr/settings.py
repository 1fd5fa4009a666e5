"""The contents of path.json: the folders that the steps share and the switches of the ablations."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import orjson

from mma4ctr import cli
from mma4ctr.catalogue import DATASETS, USER_REDUCTIONS
from mma4ctr.protocol import PROTOCOLS

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "path.json"
LONGEST_USER_EMBEDDING = 499  # no wider input has a row in the table of hidden widths
DEFAULT_MINIMUM = MappingProxyType({"wechat": 100, "tiktok": 4000})  # raw rows of a user that is kept


@dataclasses.dataclass(frozen=True)
class Settings:
    """The contents of one path.json, checked and resolved.

    The folders are absolute. Keys that path.json leaves out have the defaults below, so that a file with
    the published keys alone still loads. `dataset_path`, `feed_embedding` and `temp_path` are published keys
    that no step needs any more: they are accepted and nothing is written there.
    """

    file: Path
    parent_folder: Path = Path("data")
    dataset_path: Path = Path("dataset")
    wechat_dataset_path: Path = Path("dataset/wechat")
    tiktok_dataset_path: Path = Path("dataset/TikTok2019ICME/track1")
    graph_path: Path = Path("bipartite_graph")
    modal_path: Path = Path("multi_modal")
    matrix_path: Path = Path("matrix")
    feed_embedding: Path = Path("multi_modal/feed_embeddings")
    torch_model_path: Path = Path("torch_model")
    user_embedding_path: Path = Path("user_all_embeddings")
    saved_path: Path = Path("saved")
    temp_path: Path = Path("temp")
    protocol: str = "published"
    user_embedding_length: int = 21
    user_reduction: str = "pca"
    min_interactions: Mapping[str, int] = dataclasses.field(default_factory=lambda: DEFAULT_MINIMUM)
    click_threshold: float = 0.5
    seed: int = 0

    def raw_folder(self, dataset: str) -> Path:
        """Return the folder of the raw logs of `dataset`."""
        return getattr(self, f"{dataset}_dataset_path")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_folder(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _is_minimum_table(value: object) -> bool:
    return isinstance(value, dict) and set(value) <= set(DATASETS) and all(map(_is_whole, value.values()))


# For each switch: what it must be, in words, and the check. Every other key is a folder.
SWITCHES: dict[str, tuple[str, Callable[[object], bool]]] = {
    "protocol": (f"one of {', '.join(PROTOCOLS)}", lambda value: value in tuple(PROTOCOLS)),
    "user_embedding_length": (
        f"a whole number from 0 to {LONGEST_USER_EMBEDDING}",
        lambda value: _is_whole(value) and value <= LONGEST_USER_EMBEDDING,
    ),
    "user_reduction": (f"one of {', '.join(USER_REDUCTIONS)}", lambda value: value in USER_REDUCTIONS),
    "min_interactions": (f"an object of whole numbers with the keys {', '.join(DATASETS)}", _is_minimum_table),
    "click_threshold": (
        "a number above 0, at most 1",
        lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1,
    ),
    "seed": ("a whole number, 0 or more", _is_whole),
}
KEYS = tuple(field.name for field in dataclasses.fields(Settings) if field.name != "file")
FOLDERS = tuple(key for key in KEYS if key not in SWITCHES)


def _read_json(file: Path) -> dict[str, object]:
    try:
        content = orjson.loads(file.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise cli.UserError(f"{file}: cannot be read ({error.strerror}); give an existing file to --paths") from None
    except orjson.JSONDecodeError as error:
        raise cli.UserError(f"{file}:{error.lineno}: not valid JSON ({error.msg}); mend the line") from None
    if not isinstance(content, dict):
        raise cli.UserError(
            f"{file}: found {content!r:.60}, expected an object of keys and values; write it like the path.json that "
            "stands beside the scripts"
        )
    return content


def _check(file: Path, key: str, value: object) -> None:
    expected, is_valid = SWITCHES.get(key, ("a folder, as text", _is_folder))
    if key not in KEYS:
        raise cli.UserError(
            f"{file}: unknown key {key!r:.60}, expected one of {', '.join(KEYS)}; correct or remove the key"
        )
    if not is_valid(value):
        raise cli.UserError(f"{file}: {key} is {value!r:.60}, expected {expected}; correct the value")


def load_path(file: str | Path | None = None) -> Settings:
    """Read `file` (by default the path.json beside the scripts) into one frozen object.

    Parameters
    ----------
    file : str or Path, optional
        A path.json. `parent_folder` is relative to the folder of the file, every other folder to
        `parent_folder`; absolute folders stay as they are.

    Returns
    -------
    Settings

    Raises
    ------
    mma4ctr.cli.UserError
        If the file cannot be read, is not a JSON object, has an unknown key or a value of a wrong type.
    """
    file = Path(file) if file is not None else DEFAULT_FILE
    content = _read_json(file)
    for key, value in content.items():
        _check(file, key, value)
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    values = {key: content.get(key, defaults[key]) for key in KEYS if key != "min_interactions"}
    values["min_interactions"] = MappingProxyType({**DEFAULT_MINIMUM, **content.get("min_interactions", {})})
    values["click_threshold"] = float(values["click_threshold"])  # 1 and 1.0 are one setting
    parent = file.resolve().parent / values["parent_folder"]
    folders = {key: (parent / values[key]).resolve() for key in FOLDERS if key != "parent_folder"}
    return Settings(file=file, **{**values, **folders, "parent_folder": parent.resolve()})
