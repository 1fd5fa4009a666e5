"""Read the file path.json, whatever lies under its name."""

from __future__ import annotations

import codecs
import collections
import errno
import json
import reprlib
import stat
from pathlib import Path
from typing import Any

import orjson

from mma4ctr.cli import LONGEST, UserError

MOST_BYTES = 2**20  # a thousand times the published file
_SHORTENED = reprlib.Repr()  # of a value however deeply it is nested
_SHORTENED.maxstring = _SHORTENED.maxother = _SHORTENED.maxlong = 60


def shown(value: object) -> str:
    """Return the beginning of a value as a message shows it."""
    return f"{_SHORTENED.repr(value):.60}"


def _bytes_of(file: Path) -> bytes:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{file}: is no regular file, so that it cannot be read as a whole; give a path.json to "
                            "--paths")  # fmt: skip
        if found.st_size > MOST_BYTES:
            raise UserError(f"{file}: has {found.st_size:,} bytes, expected a path.json of at most {MOST_BYTES:,}; "
                            "give another file to --paths")  # fmt: skip
        return file.read_bytes()
    except OSError as error:
        name = f"{file!s:.{LONGEST}}..." if error.errno == errno.ENAMETOOLONG else file
        raise UserError(f"{name}: cannot be read ({error.strerror}); give an existing file to --paths") from None
    except ValueError as error:  # a NUL
        raise UserError(f"{shown(str(file))}: is no name of a file ({error}); give another to --paths") from None


class RepeatedKeyError(Exception):
    """A key that an object has twice."""


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that a parser of JSON has found the pairs of; by itself it takes the last of equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((key, _),) = collections.Counter(key for key, _ in pairs).most_common(1)
        raise RepeatedKeyError(key)
    return found


def read_object(file: Path) -> dict[str, object]:
    """Return the object in a path.json.

    Raises
    ------
    UserError
        If there is no such file, it is a folder, a device or too long, or it is not a JSON object, or has a key twice.
    """
    text = _bytes_of(file).removeprefix(codecs.BOM_UTF8)
    try:
        content = orjson.loads(text)
        json.loads(text, object_pairs_hook=each_key_once, parse_int=str)  # no number is too long for a text
    except orjson.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: not valid JSON ({error.msg}); mend the line") from None
    except RepeatedKeyError as error:
        raise UserError(
            f"{file}: the key {shown(str(error))} is there twice, expected it once; remove one of them"
        ) from None
    except RecursionError:
        raise UserError(f"{file}: is nested too deeply, expected keys and values; mend it") from None
    if not isinstance(content, dict):
        raise UserError(
            f"{file}: found {shown(content)}, expected an object of keys and values; write it like the path.json that "
            "stands beside the scripts"
        )
    return content
