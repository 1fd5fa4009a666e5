"""What a declaration may say: the keys of ``datasets/NAME.yaml``, their types and their defaults, declared once.

Short forms are written out by `long_form` before the content is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

CLICK = "click"  # the label of a log whose rows are all clicks
Format = Literal["csv", "tsv", "inter", "parquet", "lists"]
Kind = Literal["integer", "number", "text"]  # of a column
# Ending of a file, without .gz -> its format.
FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".data": "tsv", ".dat": "tsv", ".inter": "inter", ".item": "inter",
    ".user": "inter", ".parquet": "parquet", ".json": "lists",
}  # fmt: skip


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of a declaration: what it has no key for is refused."""


class Table(Struct, frozen=True, kw_only=True):
    """How the rows of files are written down.

    Attributes
    ----------
    format : by default that of the file's ending
    separator : between fields; by default that of the format
    header : the names of the columns of files that have no line of names
    """

    format: Format | None = None
    separator: str | None = None
    header: tuple[str, ...] | None = None


class Interactions(Table, frozen=True, kw_only=True):
    """Where the interactions lie.

    Attributes
    ----------
    files : names, or globs, in this order
    where : an expression of SQL; rows where it does not hold are left out
    types : of columns whose first rows do not tell it
    """

    files: tuple[str, ...]
    where: str | None = None
    types: dict[str, Kind] = {}


class Id(Struct, frozen=True, kw_only=True):
    """A column of users or items. Without a type, the first rows tell whether ids are integers or text."""

    column: str
    type: Literal["integer", "text"] | None = None


class Time(Struct, frozen=True, kw_only=True):
    """The column of the time, and its unit: ``date`` for text of a date, ``order`` where only the order counts."""

    column: str
    unit: Literal["s", "ms", "us", "ns", "date", "order"] = "s"


class NegativesOf(Struct, frozen=True, kw_only=True):
    """See `mma4ctr.data.contract.Negatives`."""

    ratio: int
    popularity_power: float = 0.75
    seed: int = 0


class Source(Table, frozen=True, kw_only=True):
    """Where the features of one modality come from: an array, or columns of a table.

    Attributes
    ----------
    file : its name, or a glob of parts
    ids : the file that names the item of each row of an array; without it, items are numbered by row
    id : the column of the items of a table
    columns : numbers, one column each: names, or one name that ends in a star
    vector : a column of lists of numbers
    text : columns of text, whose words are counted
    list : a column of lists, such as genres, whose elements are counted
    split : what stands between elements of a list that is written as text
    hashed : into how many buckets words or elements go; without it each has a column of its own
    encoding : of a table of text
    components : share of the variance to keep, number of principal components, or ``all`` columns as they are
    """

    file: str
    ids: str | None = None
    id: str | None = None
    columns: tuple[str, ...] | None = None
    vector: str | None = None
    text: tuple[str, ...] | None = None
    list: str | None = None
    split: str = " "
    hashed: int | None = None
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    components: float | int | Literal["all"] = 0.9


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of the full log."""

    source: str
    users: int | None = None
    items: int | None = None
    rows: int | None = None


class Declaration(Struct, frozen=True, kw_only=True):
    """A whole declaration."""

    interactions: Interactions
    user: Id
    item: Id
    modalities: dict[str, Source]
    folder: str | None = None
    time: Time | None = None
    device: Id | None = None
    session: Id | None = None
    context: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    min_interactions: int = 10
    negatives: NegativesOf | None = None
    published: Facts | None = None


# Key -> the key that its value stands for where it is no object: `user: uid` is short for `user: {column: uid}`.
SHORT = {"interactions": "files", "user": "column", "item": "column", "time": "column", "device": "column",
         "session": "column"}  # fmt: skip
# Where one name may stand for a list of one.
LISTS = {"interactions": ("files",), "modality": ("text", "columns"), "": ("context",)}


def _listed(content: Any, keys: tuple[str, ...]) -> Any:
    if not isinstance(content, Mapping):
        return content
    return {key: [value] if key in keys and isinstance(value, str) else value for key, value in content.items()}


def long_form(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a declaration with every short form written out."""
    long = dict(_listed(content, LISTS[""]))
    for key, inner in SHORT.items():
        if key in long and not isinstance(long[key], Mapping):
            long[key] = {inner: long[key]}
    if "interactions" in long:
        long["interactions"] = _listed(long["interactions"], LISTS["interactions"])
    if isinstance(long.get("modalities"), Mapping):
        sources = {name: {"file": one} if isinstance(one, str) else one for name, one in long["modalities"].items()}
        long["modalities"] = {name: _listed(one, LISTS["modality"]) for name, one in sources.items()}
    return long
