"""What a key of path.json may hold, in words and as a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

LARGEST_SEED = 2**32 - 1  # that everything takes which draws numbers: UMAP and RecBole no larger one


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


def is_whole(value: object) -> bool:
    """Tell whether a JSON value is a whole number, 0 or more, of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_seed(value: object) -> bool:
    """Tell whether a JSON value is a seed."""
    return is_whole(value) and isinstance(value, int) and value <= LARGEST_SEED


def is_number(value: object) -> bool:
    """Tell whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_folder(value: object) -> bool:
    """Tell whether a JSON value may name a folder."""
    return isinstance(value, str) and value != "" and "\0" not in value


def folder(default: str) -> Key:
    """Return the key of a folder."""
    return Key(default, "a folder, as text", is_folder, Path)


def one_of(names: Iterable[str]) -> Key:
    """Return the key of a name, by default the first."""
    known = tuple(names)
    return Key(known[0], f"one of {', '.join(known)}", lambda value: value in known)
