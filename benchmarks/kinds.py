"""What a kind of damage is, and what every table of kinds uses: files damaged without regard to what they hold."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scenes import Scene

Edit = Callable[[Path, random.Random], None]  # damages one file


class Damaged(NamedTuple):
    """What a damage did.

    Attributes
    ----------
    names : sequence of str
        What a refusal, or a warning, has to name: one of them.
    said : str
        What was done, in words.
    command : (script, words), optional
        What is run, where it is not what the kind says.
    environment : mapping of str to str, optional
        What is set while it runs.
    """

    names: Sequence[str]
    said: str
    command: tuple[str, list[str]] | None = None
    environment: Mapping[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of damage.

    Attributes
    ----------
    name : str
        The group, then what is done to it.
    state : str
        What is there before; see `scenes.FOLDERS`.
    then : tuple of str
        What a user would run next, one after another; see `damages.NEXT`.
    damage : callable
        Damages a scene.
    allowed : tuple of str
        What may end with status 0 and another result: "warned" with a warning that names the damage, "other data" where
        files that are read at any rate legitimately hold something else.
    dataset : str, optional
        The only data set that it is for.
    """

    name: str
    state: str
    then: tuple[str, ...]
    damage: Callable[[Scene], Damaged]
    allowed: tuple[str, ...] = ()
    dataset: str | None = None


def keeping_times(file: Path, edit: Callable[[], None]) -> None:
    """Change a file and give it the times that it had."""
    times = file.stat()
    edit()
    if file.exists():
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def flip(file: Path, chance: random.Random) -> None:
    """Flip one bit."""
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def truncate(file: Path, chance: random.Random) -> None:
    """Cut the end off."""
    os.truncate(file, chance.randrange(1, file.stat().st_size))


def lengthen(file: Path, chance: random.Random) -> None:
    """Add bytes at the end."""
    with open(file, "ab") as stream:
        stream.write(chance.randbytes(chance.randint(1, 16)))


def fill_with_noise(file: Path, chance: random.Random) -> None:
    """Put noise in the place of the content, as much of it."""
    file.write_bytes(chance.randbytes(file.stat().st_size))


def become_a_folder(file: Path, chance: random.Random) -> None:
    """Put a folder in the place of the file."""
    file.unlink()
    file.mkdir()


FILE_EDITS: dict[str, Edit] = {
    "a bit flipped": flip,
    "truncated": truncate,
    "emptied": lambda file, chance: file.write_bytes(b"") and None,
    "removed": lambda file, chance: file.unlink(),
    "replaced by a folder": become_a_folder,
    "bytes at the end": lengthen,
    "noise": fill_with_noise,
}


def exchange(file: Path, other: Path) -> None:
    """Put a copy of another file, with its times, in the place of one."""
    shutil.copy2(other, file)
