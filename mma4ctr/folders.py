"""The folders that path.json names: where they lie, and that no two of them are one."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from mma4ctr.cli import UserError
from mma4ctr.paths_file import shown


def _why_not(real: str) -> str:
    """Return why nothing of ours could be kept in a folder of this name, empty if it could."""
    try:
        real.encode()  # records are JSON, and Polars takes names as UTF-8
        os.lstat(real)
    except OSError as error:
        return error.strerror or "" if error.errno == errno.ENAMETOOLONG else ""
    except UnicodeEncodeError:
        return "it is not UTF-8, or not in the encoding of the locale, for which set PYTHONUTF8=1"
    return ""


def resolved(file: Path, key: str, folder: Path) -> Path:
    """Return a folder without links.

    Raises
    ------
    UserError
        If there can be none of that name, a link leads nowhere or in a circle, or there is something else.
    """
    real = Path(os.path.realpath(folder))
    reason = _why_not(os.fspath(real))
    if reason:
        raise UserError(f"{file}: {key} is {shown(os.fspath(folder))}, which cannot be used ({reason}); give another "
                        "folder, or correct the name")  # fmt: skip
    for place in (*reversed(folder.parents), folder, *reversed(real.parents), real):
        if place.is_symlink() and not place.exists():
            raise UserError(
                f"{file}: {key} leads over the link {place} to {os.readlink(place)}, which is not there; mend the link "
                "or correct the value"
            )
        if place.exists() and not place.is_dir():
            raise UserError(f"{file}: {key} leads to {place}, which is a file, expected a folder; correct the value")
    return real


def require_own(file: Path, values: Mapping[str, object]) -> None:
    """Raise `UserError` where two keys lead to one folder: what one step writes there, another would overwrite."""
    keys_of_folder: dict[Path, str] = {}
    for key, value in values.items():
        if isinstance(value, Path) and key != "parent_folder":
            other = keys_of_folder.setdefault(value, key)
            if other != key:
                raise UserError(f"{file}: {other} and {key} are one folder, {value}; give each a folder of its own")
