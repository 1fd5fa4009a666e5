"""What the readers of raw files share: files and their lines, and tables of integers.

Polars reads in bounded memory, but says little about where a file is broken: a plain walk finds the first broken line.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import scipy.sparse

from mma4ctr.cli import UserError
from mma4ctr.data import raw_folder
from mma4ctr.executor import Executor

INTEGER = re.compile(r"[ \t]*([+-]?)0*([0-9]+)\r?")  # what Polars takes for one
LEAST, MOST = -(2**63), 2**63 - 1  # any of these is an id
LONGEST_LINE = 2**20  # bytes: four times the longest published line, and few enough to hold some copies of it
LINE_END_TAIL = 2**14  # bytes of a window of lines that are read first to find where its last line ends


@dataclasses.dataclass(frozen=True)
class Part:
    """The lines of `file` between the bytes `start` and `end`, by default all of them; both lie between lines."""

    file: Path
    start: int = 0
    end: int | None = None

    @property
    def name(self) -> str:
        """The name of the file, for progress bars."""
        return self.file.name

    @property
    def source(self) -> Path | bytes:
        """What Polars scans: a whole file by its path, of lines that are not too long; a range of it as its bytes."""
        if self.end is None:
            check_line_lengths(self.file)
            return self.file
        with open(self.file, "rb") as stream:
            stream.seek(self.start)
            return stream.read(self.end - self.start)


def parts_of(file: Path, size: int) -> list[Part]:
    """Cut a file at line ends into parts of about `size` bytes, longer by the rest of a line at most."""
    check_line_lengths(file)
    parts, start, length = [], 0, file.stat().st_size
    with open(file, "rb") as stream:
        while start < length:
            stream.seek(min(start + size, length) - 1)
            stream.readline()
            parts.append(Part(file, start, stream.tell()))
            start = stream.tell()
    return parts


def parts(executor: Executor, files: Sequence[Path], *, streamed: bool = False) -> list[Part]:
    """Return what a function is applied to by an executor: ranges of the files, cut at line ends.

    Where it is `streamed`, one process takes whole files: Polars streams through them, and uses every core by itself.
    """
    if executor.is_local and streamed:
        return [Part(file) for file in files]
    found = files if executor.is_local else [file.resolve() for file in files]  # a worker has a folder of its own
    return [part for file in found for part in parts_of(file, executor.part_bytes)]


def require_file(file: Path, key: str) -> None:
    """Raise `UserError` unless `file` is plain and not empty; `key` is the key of path.json that leads to it."""
    if file.exists() and not file.is_file():
        raise UserError(f"{file}: is a folder, expected a raw file; put the file there or change {key} in path.json")
    if not file.exists():
        raise UserError(f"{file}: no such raw file; {raw_folder.instead_of(file)} or change {key} in path.json")
    if file.stat().st_size == 0:
        raise UserError(f"{file}: the file is empty; download it again")
    if file.suffix.lower() != ".gz":  # which only a declared data set names, and reads as it is
        raw_folder.check_unpacked(file)


def shown(value: object) -> str:
    """Return what was found as it goes into a message: one line, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def line_number(file: Path, place: int) -> int:
    """Return the number, from 1, of the line that starts at the byte `place` of a file."""
    number = 1
    with open(file, "rb") as stream:
        while place > 0 and (block := stream.read(min(place, LONGEST_LINE))):
            number, place = number + block.count(b"\n"), place - len(block)
    return number


def _end_of_lines(stream: BinaryIO, start: int) -> int:
    """Return where the last line ends that ends within `LONGEST_LINE` bytes of `start`; `start` if none does."""
    end = start + LONGEST_LINE + 1
    for tail in (LINE_END_TAIL, end - start):  # nearly always it is in the first, so that little is read
        stream.seek(end - tail)
        if (found := stream.read(tail).rfind(b"\n")) >= 0:
            return end - tail + found + 1
    return start


def check_line_lengths(file: Path) -> None:
    """Raise the `UserError` that names the first line of more than `LONGEST_LINE` bytes; read little of the others."""
    with open(file, "rb", buffering=0) as stream:
        start, size = 0, os.fstat(stream.fileno()).st_size
        while size - start > LONGEST_LINE:
            end = _end_of_lines(stream, start)
            if end == start:
                raise UserError(
                    f"{file}:{line_number(file, start)}: the line is longer than {LONGEST_LINE:,} bytes, expected one "
                    "row or object; mend or remove the line"
                )
            start = end


def header_of(file: Path, wanted: Sequence[str]) -> list[str]:
    """Return the column names in the first line of a comma CSV.

    Raises
    ------
    UserError
        If a wanted column is missing, or one is there twice.
    """
    check_line_lengths(file)
    with open(file, encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        columns = stream.readline().rstrip("\r\n").split(",")
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise UserError(
            f"{file}:1: missing column {', '.join(missing)}; found {shown(','.join(columns))}, expected a header line "
            f"with {', '.join(wanted)}, without quotes; rename or add the column"
        )
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise UserError(f"{file}:1: column {shown(twice[0])} is there twice, expected it once; remove one of them")
    return columns


def scan_fields(
    part: Part, columns: Sequence[str], integers: Sequence[str], separator: str, header: bool
) -> pl.LazyFrame:
    """Scan a delimited file lazily: `integers` as int64, other columns as text, all else in a column ``surplus``."""
    skipped = int(header and part.start == 0)
    return pl.scan_csv(
        part.source, separator=separator, has_header=False, skip_lines=skipped, quote_char=None, glob=False,
        schema={**{name: pl.Int64 if name in integers else pl.String for name in columns}, "surplus": pl.String},
        missing_columns="insert",
    )  # fmt: skip


def scan_integers(
    part: Part, columns: Sequence[str], wanted: Sequence[str], labels: Sequence[str], *, separator: str, header: bool
) -> pl.LazyFrame:
    """Scan a delimited file of integers lazily.

    Parameters
    ----------
    part : Part
    columns : sequence of str
        The names of all columns, in the order of the file.
    wanted : sequence of str
        The columns to keep; the first of them is null in a row that is not as it should be.
    labels : sequence of str
        The wanted columns that hold nothing but 0 and 1.

    Returns
    -------
    polars.LazyFrame
        The wanted columns as int64, one row a line, in the order of the file.
    """
    frame = scan_fields(part, columns, wanted, separator, header)
    # A row with too few fields has no last one, a row with too many has a surplus one.
    whole = pl.col(columns[-1]).is_not_null() & pl.col("surplus").is_null()
    binary = (pl.col(name).is_between(0, 1) for name in labels)
    valid = pl.all_horizontal(whole, *binary, *(pl.col(name).is_not_null() for name in wanted))
    return frame.with_columns(pl.when(valid).then(wanted[0]).alias(wanted[0])).select(wanted)


def explain_integers(
    file: Path, columns: Sequence[str], wanted: Sequence[str], labels: Sequence[str], *, separator: str, header: bool
) -> None:
    """Raise the `UserError` that names the first line and field of `file` that `scan_integers` cannot take."""
    places = [(columns.index(name), name) for name in wanted]
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
        for number, line in enumerate(itertools.islice(stream, int(header), None), start=1 + int(header)):
            fields = line.rstrip("\r\n").split(separator)
            problem = _problem_of_fields(fields, columns, places, labels) or problem_of_text(line)
            if problem:
                raise UserError(f"{file}:{number}: {problem}; mend or remove the line")


def _problem_of_fields(
    fields: Sequence[str], columns: Sequence[str], places: Sequence[tuple[int, str]], labels: Sequence[str]
) -> str | None:
    if fields == [""]:
        return "found an empty line, expected a row"
    if len(fields) != len(columns):
        return f"found {len(fields)} fields, expected {len(columns)}: {shown(', '.join(columns))}"
    for place, name in places:
        problem = problem_of_integer(fields[place], labelled=name in labels)
        if problem:
            is_short = INTEGER.fullmatch(fields[place]) and len(fields[place]) <= len(str(LEAST))
            return f"field {name} is {fields[place] if is_short else shown(fields[place])}, expected {problem}"
    if fields[-1] == "":
        return f"field {columns[-1]:.60} is empty, expected a value"
    return None


def problem_of_integer(text: str, *, labelled: bool = False) -> str | None:
    """Return what was expected where `text` is no integer of 64 bits, or no 0 or 1 if it is a label; otherwise None."""
    found = INTEGER.fullmatch(text)
    if not found:
        return "an integer"
    number = int(f"{found[1]}{found[2]}") if len(found[2]) <= len(str(MOST)) else None  # Python reads few digits only
    if labelled:
        return None if number in (0, 1) else "0 or 1"
    return None if number is not None and LEAST <= number <= MOST else f"an integer from {LEAST} to {MOST}"


def problem_of_text(line: str) -> str | None:
    """Return what is wrong with a line that was decoded with its odd bytes escaped as surrogates."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return "found bytes that are no UTF-8 text"
    return None


def explain_text(file: Path) -> None:
    """Raise the `UserError` that names the first line of `file` that is no UTF-8 text."""
    with open(file, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            problem = problem_of_text(line)
            if problem:
                raise UserError(f"{file}:{number}: {problem}; mend or remove the line")


def scan_lines(part: Part) -> pl.LazyFrame:
    """Scan a text file lazily: columns ``number``, from 0 in the part, and ``line``, without its end."""
    return pl.scan_lines(part.source, row_index_name="number", glob=False)


def unreadable(error: Exception, explain: Callable[[], None], file: Path) -> UserError:
    """Let `explain` find the broken line of `file`, and return what to say where it finds none."""
    explain()
    reason = shown(str(error).partition("\n")[0])
    return UserError(f"{file}: cannot be read ({reason}), expected UTF-8 text; download it again")


def collect(frames: Iterable[pl.LazyFrame], explain: Callable[[], None], file: Path) -> list[pl.DataFrame]:
    """Collect lazy frames in one streamed pass; after a failure let `explain` find the broken line of `file`."""
    try:
        return pl.collect_all(list(frames), engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise unreadable(error, explain, file) from None


def dense_rows(lists: pl.Series, width: int) -> np.ndarray:
    """Return a column of number lists as a matrix (rows, width) float32, padded with zeros at the end."""
    lengths = lists.list.len().to_numpy()
    matrix = np.zeros((len(lists), width), dtype=np.float32)
    matrix[np.arange(width) < lengths[:, None]] = lists.explode(empty_as_null=False).to_numpy()
    return matrix


def sparse_rows(lengths: np.ndarray, values: np.ndarray) -> scipy.sparse.csr_array:
    """Return lists laid end to end as the rows of a zero-padded matrix, kept sparse.

    Parameters
    ----------
    lengths : (rows,) int array
        The length of each list.
    values : (sum of lengths,) array
        The lists, one after another.

    Returns
    -------
    scipy.sparse.csr_array, (rows, longest length) float64
        Column k holds the k-th element of each list; what would be padding is not stored. Lists that are all empty
        have no column.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    places = np.arange(len(values), dtype=np.int64) - np.repeat(ends - lengths, lengths)
    width = int(lengths.max(initial=0))
    return scipy.sparse.csr_array(
        (values.astype(np.float64), places, np.concatenate([[0], ends])), shape=(len(lengths), width)
    )
