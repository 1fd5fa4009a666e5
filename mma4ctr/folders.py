"""The folders that path.json names: where they lie, and that no two of them are one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mma4ctr.cli import UserError


def resolved(file: Path, key: str, folder: Path) -> Path:
    """Return a folder without links; raise `UserError` for a link that leads nowhere, and for what is no folder."""
    for place in (*reversed(folder.parents), folder):
        if place.is_symlink() and not place.exists():
            raise UserError(
                f"{file}: {key} leads over the link {place} to {os.readlink(place)}, which is not there; mend the link "
                "or correct the value"
            )
        if place.exists() and not place.is_dir():
            raise UserError(f"{file}: {key} leads to {place}, which is a file, expected a folder; correct the value")
    return folder.resolve()


def require_own(file: Path, values: Mapping[str, object]) -> None:
    """Raise `UserError` where two keys lead to one folder: what one step writes there, another would overwrite."""
    keys_of_folder: dict[Path, str] = {}
    for key, value in values.items():
        if isinstance(value, Path) and key != "parent_folder":
            other = keys_of_folder.setdefault(value, key)
            if other != key:
                raise UserError(f"{file}: {other} and {key} are one folder, {value}; give each a folder of its own")
