"""Which files of a folder of raw logs are read: none that is packed, none passed over because of its name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from mma4ctr.cli import UserError

# Ending -> how such a file starts, and the command that unpacks it. Polars would unpack some of them by itself.
PACKED = {
    ".gz": (b"\x1f\x8b", "gunzip"),
    ".zip": (b"PK\x03\x04", "unzip"),
    ".bz2": (b"BZh", "bunzip2"),
    ".xz": (b"\xfd7zXZ\0", "unxz"),
    ".zst": (b"\x28\xb5\x2f\xfd", "unzstd"),
}
NUMBERED = re.compile(r"(.*?_part)([0-9]+)(\.[^.]+)")


def unpacking(file: Path) -> str:
    """Return the command that unpacks a file, by its ending, quoted for the shell."""
    return f"{PACKED[file.suffix.lower()][1]} {shlex.quote(str(file))}"


def check_unpacked(file: Path) -> None:
    """Raise the `UserError` that says how to unpack `file` if its first bytes are those of a packed one."""
    with open(file, "rb") as stream:
        start = stream.read(8)
    for ending, (first, _) in PACKED.items():
        if start.startswith(first):
            named = file.with_name(file.name + ending)
            raise UserError(
                f"{file}: is packed ({ending}), expected plain text; "
                f"mv {shlex.quote(str(file))} {shlex.quote(str(named))} && {unpacking(named)}"
            )


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted, hidden files left out; nothing for a folder that is not there."""
    return sorted(file for file in folder.iterdir() if file.name[0] != ".") if folder.is_dir() else []


def _mending(file: Path) -> str:
    return unpacking(file) if file.suffix.lower() in PACKED else "rename it, or remove it"


def instead_of(file: Path) -> str:
    """Return what to do where `file` is not there: with one of another ending or spelling, if there is one."""
    stem = file.stem.casefold()
    others = [other for other in entries(file.parent) if other.name.casefold().startswith(stem)]
    return f"found {others[0].name}: {_mending(others[0])}" if others else "put it there"


def check_names(found: Sequence[Path], read: Iterable[Path], looks: re.Pattern[str], example: str) -> None:
    """Raise the `UserError` that names a file that seems to be meant to be read, and is not.

    Parameters
    ----------
    found : sequence of Path
        What lies in the folder.
    read : iterable of Path
        What is read of it. A packed copy of such a file may lie beside it.
    looks : re.Pattern
        What such names contain.
    example : str
        A name that would be right.
    """
    taken = set(read)
    for file in found:
        copy_of = file.with_suffix("") if file.suffix.lower() in PACKED else file
        if looks.search(file.name) and copy_of not in taken:
            raise UserError(f"{file}: would not be read, expected a name such as {example}; {_mending(file)}")


def ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers in short: 1-4,6."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in runs)


def _parts(files: Iterable[Path]) -> dict[tuple[str, str], set[int]]:
    """Return the numbers of the parts of each series: its key is what stands before and after the number."""
    found: dict[tuple[str, str], set[int]] = {}
    for file in files:
        if name := NUMBERED.fullmatch(file.name):
            found.setdefault((name[1], name[3]), set()).add(int(name[2]))
    return found


def listed(files: Sequence[Path]) -> str:
    """Return the names of files, the parts of a series together."""
    whole = [file.name for file in files if not NUMBERED.fullmatch(file.name)]
    series = [f"{before}{ranges(numbers)}{after}" for (before, after), numbers in _parts(files).items()]
    return ", ".join([*whole, *series])


def gaps(files: Iterable[Path]) -> tuple[str, ...]:
    """Return a sentence for each series of numbered parts in which one below the highest is missing."""
    said = []
    for (before, after), numbers in _parts(files).items():
        missing = set(range(1, max(numbers))) - numbers
        if missing:
            said.append(
                f"{before}{ranges(missing)}{after} is missing, as there is a part {max(numbers)}: its items count as "
                "items without features; put it there"
            )
    return tuple(said)
