"""Read the file path.json, whatever lies under its name."""

from __future__ import annotations

import codecs
import errno
import reprlib
import stat
from pathlib import Path

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


def read_object(file: Path) -> dict[str, object]:
    """Return the object in a path.json.

    Raises
    ------
    UserError
        If there is no such file, it is a folder, a device or too long, or it is not a JSON object.
    """
    try:
        content = orjson.loads(_bytes_of(file).removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: not valid JSON ({error.msg}); mend the line") from None
    if not isinstance(content, dict):
        raise UserError(
            f"{file}: found {shown(content)}, expected an object of keys and values; write it like the path.json that "
            "stands beside the scripts"
        )
    return content
