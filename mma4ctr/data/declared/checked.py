"""Turn the content of a declaration into objects of `schema`, key by key, so that a message names the key."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from mma4ctr.cli import UserError
from mma4ctr.data.declared.schema import Struct
from mma4ctr.paths_file import shown

S = TypeVar("S", bound=Struct)
WORDS = {str: "text", int: "a whole number", float: "a number", type(None): "nothing"}
QUOTED = (bool, int, float)  # what YAML reads some words and numbers as, where text is expected


def key_of(path: str, key: object) -> str:
    """Return the name of a key of what stands at `path`."""
    name = key if isinstance(key, str) and len(key) <= 60 else shown(key)
    return f"{path}.{name}" if path else str(name)


def _parts(of: Any) -> list[Any]:
    """Return the types of a union, without None."""
    is_union = typing.get_origin(of) in (typing.Union, types.UnionType)
    return [part for part in (typing.get_args(of) if is_union else [of]) if part is not type(None)]


def expected(of: Any) -> str:
    """Return a type in words."""
    words = []
    for part in _parts(of):
        if typing.get_origin(part) is Literal:
            options = [str(value) for value in typing.get_args(part)]
            words.append(f"one of {', '.join(options)}" if len(options) > 1 else options[0])
        elif typing.get_origin(part) is tuple:
            words.append("a list of texts")
        elif typing.get_origin(part) is dict or (isinstance(part, type) and issubclass(part, Struct)):
            words.append("keys and values")
        else:
            words.append(WORDS[part])
    return " or ".join(words)


def _refuse(where: str, path: str, value: object, of: Any) -> UserError:
    quotes = ", in quotes if it is text" if _parts(of) == [str] and isinstance(value, QUOTED) else ""
    return UserError(f"{where}: {path}: found {shown(value)}, expected {expected(of)}; correct the value{quotes}")


def require_known(where: str, path: str, keys: Iterable[object], known: Iterable[str]) -> None:
    """Raise the `UserError` that names the first key that is not among those `known`."""
    names = list(known)
    for key in keys:
        if key not in names:
            raise UserError(f"{where}: {key_of(path, key)}: unknown key, expected one of {', '.join(names)}; correct "
                            "or remove the key")  # fmt: skip


def _field(where: str, path: str, value: Any, of: Any) -> Any:
    """Return a value as the type `of` a field."""
    for part in _parts(of):
        if isinstance(part, type) and issubclass(part, Struct) and isinstance(value, Mapping):
            return struct(where, path, value, part)
        if typing.get_origin(part) is dict and isinstance(value, Mapping):
            inner = typing.get_args(part)[1]
            return {_name(where, path, key): _field(where, key_of(path, key), one, inner)
                    for key, one in value.items()}  # fmt: skip
    if value is None:  # `key:` with nothing behind it
        raise UserError(f"{where}: {path}: found nothing, expected {expected(of)}; write it, or remove the key")
    try:
        return msgspec.convert(value, of)
    except (msgspec.ValidationError, RecursionError):
        raise _refuse(where, path, value, of) from None


def _name(where: str, path: str, key: object) -> str:
    if not isinstance(key, str):
        raise UserError(f"{where}: {path}: found the name {shown(key)}, expected text; put it in quotes, or change it")
    return key


def struct(where: str, path: str, content: Mapping[str, object], of: type[S]) -> S:
    """Return the content of what stands at `path` as an object.

    Parameters
    ----------
    where : str
        Which declaration, for messages.
    path : str
        The keys that lead to it, with dots between them; empty for the whole.
    content : mapping
    of : type
        A class of `schema`.

    Raises
    ------
    UserError
        If a key is unknown or missing, or a value of a wrong type.
    """
    fields: dict[str, FieldInfo] = {field.name: field for field in msgspec.structs.fields(of)}
    require_known(where, path, content, fields)
    for name, field in fields.items():
        if field.required and name not in content:
            raise UserError(f"{where}: {key_of(path, name)}: the key is missing, expected {expected(field.type)}; add "
                            "it")  # fmt: skip
    return of(**{name: _field(where, key_of(path, name), value, fields[name].type) for name, value in content.items()})
