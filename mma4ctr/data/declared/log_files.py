"""The files of a declared data set: which there are, how their rows are written down, what their columns are called.

Tables of features are read with the same pieces: see `feature_tables`.
"""

from __future__ import annotations

import csv
import glob
import gzip
import itertools
import mmap
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import orjson
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files, raw_folder
from mma4ctr.data.declared.schema import FORMATS, Format, Table
from mma4ctr.data.raw_files import LONGEST_LINE, shown

SEPARATORS = {"csv": ",", "tsv": "\t", "inter": "\t"}
LISTS = ("user", "item")  # the columns of a file of lists
MOST_LISTED = 10  # files of a folder that a message names
TORN = (EOFError, gzip.BadGzipFile, zlib.error)  # what the gzip module raises


def is_packed(file: Path) -> bool:
    """Whether a file is packed with gzip, by its name."""
    return file.suffix.lower() == ".gz"


def format_of(file: Path, table: Table) -> Format:
    """Return how the rows of a file are written down: by its ending, unless the declaration says so."""
    ending = (file.with_suffix("") if is_packed(file) else file).suffix.lower()
    found = table.format or FORMATS.get(ending)
    if found is None or (found == "parquet" and is_packed(file)):
        raise UserError(
            f"{file}: the ending {file.suffix or '(none)'} is of no format, expected {', '.join(FORMATS)}, all but "
            ".parquet also with .gz; give the format in the declaration, or unpack the file"
        )
    return found


def is_text(file: Path, table: Table) -> bool:
    """Whether the rows of a file are lines of fields."""
    return format_of(file, table) in SEPARATORS


def separator_of(file: Path, table: Table) -> str:
    """Return what stands between the fields of a text file."""
    return table.separator or SEPARATORS[format_of(file, table)]


def is_quoted(file: Path, table: Table) -> bool:
    """Whether fields of a text file may stand in quotes: those of csv, where one character separates them."""
    return format_of(file, table) == "csv" and len(separator_of(file, table).encode()) == 1


def has_quotes(file: Path) -> bool:
    """Whether a plain file has a quote anywhere: only then does a line end possibly not end a row."""
    with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b'"') >= 0


def _natural(name: str) -> tuple:
    """Return what names are sorted by: part2 comes before part10."""
    return [int(text) if place % 2 else text for place, text in enumerate(re.split("([0-9]+)", name))], name


def matching(pattern: str, folder: Path) -> list[Path]:
    """Return the files below a folder that a name or a glob finds, part2 before part10."""
    if (folder / pattern).exists():
        return [folder / pattern]
    names = glob.glob(pattern, root_dir=folder) if glob.has_magic(pattern) else []
    return [folder / name for name in sorted(names, key=_natural)]


def found(patterns: Sequence[str], folder: Path, key: str) -> list[Path]:
    """Return the files below a folder that names or globs find.

    Parameters
    ----------
    patterns : sequence of str
        Their order counts; what a glob finds is sorted by name, part2 before part10. Each file is there once.
    folder : Path
    key : str
        The key of path.json that leads to it.

    Raises
    ------
    UserError
        If nothing is found for one of them.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        there = matching(pattern, folder)
        if not there:
            raise _nothing(pattern, folder, key)
        files |= dict.fromkeys(there)
    return list(files)


def _nothing(pattern: str, folder: Path, key: str) -> UserError:
    cure = f"put it there, correct interactions.files in the declaration, or change {key} in path.json"
    if not folder.is_dir():
        return UserError(f"{folder}: no such folder, expected one with {pattern}; make it and {cure}")
    names = [file.name for file in raw_folder.entries(folder)]
    more = f" and {len(names) - MOST_LISTED:,} more" * (len(names) > MOST_LISTED)
    there = f"{', '.join(names[:MOST_LISTED]):.300}{more}" if names else "nothing"
    return UserError(f"{folder}: nothing there is called {pattern}, found {there}; {cure}")


def opened(file: Path, encoding: str = "utf-8", errors: str = "surrogateescape") -> IO[str]:
    """Open a text file, packed or not, to read its lines; by default bytes that are no UTF-8 become surrogates."""
    opener: Callable = gzip.open if is_packed(file) else open
    return opener(file, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors=errors, newline="\n")


def torn(file: Path) -> UserError:
    """Return the error of a packed file that ends early, or is none."""
    return UserError(f"{file}: is no whole gzip file; download it again, or rename it if it is not packed")


def check_whole(file: Path) -> None:
    """Raise the `UserError` of a packed file that is torn; hold no more than a block of it."""
    if not is_packed(file):
        return
    try:
        with gzip.open(file) as stream:
            while stream.read(LONGEST_LINE):
                pass
    except TORN:
        raise torn(file) from None


def first_line(file: Path) -> str:
    """Return the first line of a text file without its end."""
    if not is_packed(file):
        raw_files.check_line_lengths(file)
    try:
        with opened(file) as stream:
            return stream.readline(LONGEST_LINE).rstrip("\r\n")
    except TORN:
        raise torn(file) from None


def names_in(line: str, file: Path, table: Table) -> list[str]:
    """Return the names of columns in the first line of a text file."""
    separator = separator_of(file, table)
    names = next(csv.reader([line], delimiter=separator), []) if is_quoted(file, table) else line.split(separator)
    if format_of(file, table) == "inter":  # name:type
        names = [name.partition(":")[0] for name in names]
    return names


def line_of(file: Path, table: Table, row: int, encoding: str = "utf-8", errors: str = "surrogateescape") -> int:
    """Return the number, from 1, of the line of a text file at which a row (from 0) begins."""
    before = row + int(table.header is None)
    if is_quoted(file, table):  # a field may hold line ends
        with opened(file, encoding, errors) as stream:
            reader = csv.reader(stream, delimiter=separator_of(file, table))
            try:
                next(itertools.islice(reader, before, before), None)
                return reader.line_num + 1
            except csv.Error:  # a field is too long for it
                pass
    return before + 1


def names_of(file: Path, table: Table) -> list[str]:
    """Return the names of the columns of a text file, declared or in its first line.

    Raises
    ------
    UserError
        If a name is there twice, or the declaration has names and the first line has them too.
    """
    names = names_in(first_line(file), file, table)
    if table.header is not None:
        if names == list(table.header):
            raise UserError(f"{file}:1: found the names of columns, expected a first row, as the declaration has a "
                            "header; remove interactions.header")  # fmt: skip
        return list(table.header)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{file}:1: column {shown(twice[0])} is there twice, expected it once; rename one of them, or "
                        "give the names as interactions.header if this line has none")  # fmt: skip
    return names


def check_end(file: Path, table: Table) -> None:
    """Raise the `UserError` of a plain text file whose last line has no end and too few fields: it was cut."""
    if is_packed(file) or not is_text(file, table):
        return
    with open(file, "rb") as stream:
        stream.seek(max(0, file.stat().st_size - LONGEST_LINE))
        last = stream.read().rpartition(b"\n")[2].decode(errors="replace")
    found, wanted = last.count(separator_of(file, table)) + 1, len(names_of(file, table))
    if last and '"' not in last and found < wanted:
        number = raw_files.line_number(file, file.stat().st_size)
        raise UserError(f"{file}:{number}: found {found} fields, expected {wanted}, in a last line without an end; "
                        "download the file again, or mend the line")  # fmt: skip


def lists_of(file: Path, table: Table) -> pl.DataFrame:
    """Return what a file of lists, such as ``{"7": [1, 2]}``, has: columns user and item, in the order of the file.

    Users are text; items are int64 if all of them are whole numbers.
    """
    content = file.read_bytes()
    try:
        content = gzip.decompress(content) if is_packed(file) else content
        users = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except TORN:
        raise torn(file) from None
    except orjson.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: not valid JSON ({error.msg}); mend the line") from None
    if not isinstance(users, dict):
        raise UserError(f'{file}: found {shown(users)}, expected an object of lists such as {{"7": [1, 2]}}; correct '
                        "the format in the declaration")  # fmt: skip
    odd = next((user for user, items in users.items() if not isinstance(items, list)), None)
    if odd is not None:
        raise UserError(f"{file}: user {shown(odd)} has {shown(users[odd])}, expected a list of items; mend it")
    if content.count(b"[") > len(users) and sum(user.count("[") for user in users) == 0:
        raise UserError(f"{file}: has more lists than users: a user is there twice, or an item is a list; mend it")
    names = list(table.header or LISTS)
    if len(names) != len(LISTS):
        raise UserError(f"{file}: interactions.header has {len(names)} names, expected two; correct "
                        "the header")  # fmt: skip
    return _pairs(file, users, names)


def _pairs(file: Path, users: dict[str, list], names: list[str]) -> pl.DataFrame:
    lengths = [len(items) for items in users.values()]
    items = [item for some in users.values() for item in some]
    dtype = pl.Int64 if all(type(item) is int for item in items) else pl.String
    odd = next((item for item in items if type(item) not in (int, str)), None)
    if odd is not None or None in items:
        raise UserError(f"{file}: found the item {shown(odd)}, expected a whole number or text; mend it")
    if dtype == pl.String:
        items = [str(item) for item in items]
    try:
        column = pl.Series(items, dtype=dtype)
    except (OverflowError, TypeError, pl.exceptions.PolarsError):
        raise UserError(f"{file}: an item is no integer of 64 bits; write it as text") from None
    repeated = pl.Series(list(users), dtype=pl.String).repeat_by(pl.Series(lengths, dtype=pl.UInt32)).explode(
        empty_as_null=False
    )  # fmt: skip
    return pl.DataFrame({names[0]: repeated.cast(pl.String), names[1]: column})
