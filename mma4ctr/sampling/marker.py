"""`sample.json`: says that a folder was written by `sample_data.py`, with which settings, and what is complete."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mma4ctr.cli import UserError
from mma4ctr.sampling import files

NAME = "sample.json"
WRITTEN_BY = "sample_data.py"
# Raised whenever the same settings give other bytes.
FORMAT = 1


@dataclass(frozen=True)
class Settings:
    """What a sample's bytes depend on."""

    scale: str
    signal: str
    seed: int
    format: int = FORMAT

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


@dataclass(frozen=True)
class Marker:
    """Settings of a sample, and for each data set that is complete the closing lines of its writing."""

    settings: Settings
    complete: dict[str, list[str]]

    def save(self, folder: Path) -> None:
        """Write the marker into `folder`."""
        content = {"written_by": WRITTEN_BY, **asdict(self.settings), "complete": self.complete}
        with files.whole_file(folder / NAME) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())


def load(folder: Path) -> Marker | None:
    """Return the marker in `folder`, None where there is none.

    Raises
    ------
    UserError
        The file is not one that this script wrote.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("written_by") != WRITTEN_BY:
            raise ValueError
        return Marker(complete=dict(content.pop("complete")), settings=Settings(**content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a marker that {WRITTEN_BY} wrote, so the folder's files are left alone; choose another --out"
        ) from error


def refuse_real_logs(folder: Path) -> None:
    """Refuse a folder without a marker that holds a path.json or files under dataset/: they may be real logs.

    Raises
    ------
    UserError
        Such files exist.
    """
    found = [path for path in [folder / "path.json", *(folder / "dataset").rglob("*")] if path.is_file()]
    if found:
        raise UserError(
            f"{found[0]}: not written by {WRITTEN_BY} ({folder / NAME} is missing), expected a folder without logs; "
            "choose another --out"
        )


def prepare(folder: Path, wanted: Settings, force: bool) -> Marker:
    """Return the marker to go on with; with `force`, a sample of other settings counts as nothing.

    Raises
    ------
    UserError
        The folder holds files of somebody else, or a sample with other settings and `force` is not given.
    """
    found = load(folder)
    if found is None:
        refuse_real_logs(folder)
    elif found.settings != wanted and not force:
        raise UserError(
            f"{folder / NAME}: holds a sample of {found.settings}, expected {wanted}; "
            "add --force to rewrite it or choose another --out"
        )
    return found if found is not None and found.settings == wanted else Marker(wanted, {})


def is_sample(folder: Path) -> bool:
    """Tell whether the raw logs in `folder` were made up by sample_data.py, which marks a folder above them."""
    return any(load(parent) is not None for parent in (folder, *folder.parents) if (parent / NAME).is_file())
