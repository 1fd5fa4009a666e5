"""Tables of features: files whose rows are about one item each, scanned lazily, so that kept items alone are held."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.declared.kept import ID, PLACE, Kept
from mma4ctr.data.declared.log_files import is_packed, is_quoted, line_of, names_in, opened, separator_of
from mma4ctr.data.declared.schema import FORMATS, Format, Source
from mma4ctr.data.raw_files import LONGEST_LINE, shown

ROW, SURPLUS, FILE, KEY, VALUE = "#row", "#surplus", "#file", "#key", "#value"
Value: TypeAlias = Callable[[Path, dict[str, pl.DataType]], list[pl.Expr]]
REPLACED = "replace"  # what becomes of bytes that are no text, where lines are but named


def format_of(file: Path, source: Source) -> Format:
    """Return how the rows of a file are written down, by its ending unless the declaration says so."""
    ending = (file.with_suffix("") if is_packed(file) else file).suffix.lower()
    found = source.format or FORMATS.get(ending)
    if found is None or found == "lists" or (found == "parquet" and is_packed(file)):
        what = f"format {found}" if found else f"the ending {file.suffix or 'of no letters'}"
        raise UserError(f"{file}: {what} is none of a table of features, expected csv, tsv, inter or parquet; say "
                        "`format` in the declaration, or unpack the file")  # fmt: skip
    return found


def _content(file: Path, source: Source) -> Path | bytes:
    """Return what Polars scans: the path of UTF-8 text, whose lines are not too long; else the text decoded here."""
    if source.encoding == "latin-1":
        content = file.read_bytes()
        return (gzip.decompress(content) if is_packed(file) else content).decode("latin-1").encode()
    if not is_packed(file):
        raw_files.check_line_lengths(file)
    return file


def names_of(file: Path, source: Source) -> list[str]:
    """Return the names of the columns of a text file: those declared, or those of its first line."""
    if source.header is not None:
        return list(source.header)
    with opened(file, source.encoding, REPLACED) as stream:
        line = stream.readline(LONGEST_LINE).rstrip("\r\n")
    names = names_in(line, file, source)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{file}:1: column {shown(twice[0])} is there twice, expected it once; rename one of them, or "
                        "give the names as `header` if this line has none")  # fmt: skip
    return names


def scan_lines(file: Path, source: Source, skipped: int = 0) -> pl.LazyFrame:
    """Scan the lines of a text file lazily: columns ``#row``, from 0 after those that are skipped, and ``line``."""
    lines = pl.scan_lines(_content(file, source), row_index_name=ROW, glob=False).filter(pl.col(ROW) >= skipped)
    return lines.select(pl.col(ROW) - skipped, pl.col("line").str.strip_suffix("\r"))


def scan(file: Path, source: Source) -> pl.LazyFrame:
    """Scan a table lazily: its columns, ``#row`` from 0, and ``#surplus``, which is null unless a row has too many.

    Every field of a text file is text, and null where it is empty.
    """
    if format_of(file, source) == "parquet":
        table = pl.scan_parquet(file, row_index_name=ROW, glob=False, hive_partitioning=False)
        return table.with_columns(pl.lit(None, pl.String).alias(SURPLUS))
    names, separator, skipped = names_of(file, source), separator_of(file, source), int(source.header is None)
    if len(separator.encode()) > 1:
        fields = pl.col("line").str.splitn(separator, len(names) + 1).struct.rename_fields([*names, SURPLUS])
        split = scan_lines(file, source, skipped).select(ROW, fields.alias(SURPLUS)).unnest(SURPLUS)
        return split.with_columns(
            pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in [*names, SURPLUS]
        )
    return pl.scan_csv(
        _content(file, source), separator=separator, has_header=False, skip_lines=skipped, row_index_name=ROW,
        quote_char='"' if is_quoted(file, source) else None, glob=False,
        schema=dict.fromkeys([*names, SURPLUS], pl.String), missing_columns="insert", extra_columns="ignore",
    )  # fmt: skip


def schema_of(file: Path, source: Source) -> dict[str, pl.DataType]:
    """Return the columns of a table and their types, without those that `scan` adds."""
    try:
        schema = scan(file, source).collect_schema()
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise unreadable(file, source, error) from None
    return {name: dtype for name, dtype in schema.items() if name not in (ROW, SURPLUS)}


def require_columns(file: Path, schema: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise the `UserError` that names the first wanted column which a table does not have."""
    found = list(schema)
    for name in wanted:
        if name not in found:
            raise UserError(f"{file}: has no column {shown(name)}, found {', '.join(found):.300}; change the name "
                            "in the declaration, or give `separator` or `header` if these are no names")  # fmt: skip


def collect(frame: pl.LazyFrame, file: Path, source: Source) -> pl.DataFrame:
    """Collect what is made of the scan of a table, as it streams by; say what is wrong if it cannot be read."""
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise unreadable(file, source, error) from None


def unreadable(file: Path, source: Source, error: Exception) -> UserError:
    """Return the error of a table that cannot be read: its first line that is no UTF-8, or what Polars says."""
    if format_of(file, source) != "parquet" and source.encoding == "utf-8" and not is_packed(file):
        with opened(file) as stream:
            problems = ((number, raw_files.problem_of_text(line)) for number, line in enumerate(stream, start=1))
            number, problem = next((pair for pair in problems if pair[1]), (0, None))
        if problem:
            return UserError(
                f"{file}:{number}: {problem}; say `encoding: latin-1` in the declaration, or mend the line"
            )
    reason = shown((str(error).splitlines() or [type(error).__name__])[0])
    return UserError(f"{file}: cannot be read ({reason}), expected {format_of(file, source)}; correct `format` in "
                     "the declaration, or download it again")  # fmt: skip


def where(file: Path, source: Source, row: int) -> str:
    """Return the file and the line of a row, for messages; a file that is no text has rows, from 0."""
    if format_of(file, source) == "parquet":
        return f"{file}: row {row} (from 0)"
    return f"{file}:{line_of(file, source, row, source.encoding, REPLACED)}"


def cell(file: Path, source: Source, row: int, column: str) -> str:
    """Return what a field holds, for messages."""
    found = collect(scan(file, source).filter(pl.col(ROW) == row).select(column), file, source).item()
    return shown(found.to_list() if isinstance(found, pl.Series) else found)


def id_column(source: Source, schema: Iterable[str]) -> str:
    """Return the column of the items: the one that is declared, or else the first."""
    return source.id if source.id is not None else next(iter(schema), "")


def _check_ids(table: pl.LazyFrame, file: Path, source: Source, name: str) -> None:
    """Raise the `UserError` that names the first id of a table that is no integer."""
    # A pass of its own: two results of one pass would hold the whole table.
    wrong = table.filter(pl.col(ID).is_null() & pl.col(name).is_not_null()).select(pl.col(ROW).min())
    row = collect(wrong, file, source).item()
    if row is not None:
        raise UserError(
            f"{where(file, source, row)}: column {name} is {cell(file, source, row, name)}, expected an integer, as "
            "the items of the log are; mend or remove the line"
        )


def _rows_of_file(file: Path, source: Source, kept: Kept, value: Value) -> pl.DataFrame:
    """Return the distinct rows of each kept item: an item may have a row for each of its interactions."""
    schema = schema_of(file, source)
    name = id_column(source, schema)
    require_columns(file, schema, [name])
    table = scan(file, source).with_columns(kept.compared(pl.col(name), schema[name]).alias(ID))
    if kept.are_integers and not schema[name].is_integer():
        _check_ids(table, file, source, name)
    values = value(file, schema)
    rows = table.join(kept.table().lazy(), on=ID).select(PLACE, ROW, pl.col(SURPLUS).is_not_null(), *values)
    content = [SURPLUS, *(expression.meta.output_name() for expression in values)]
    keyed = rows.with_columns(pl.struct(content).hash().alias(KEY))
    found = collect(keyed.group_by(PLACE, KEY).agg(pl.col(ROW).min(), pl.col(content).first()), file, source)
    surplus = found.filter(SURPLUS).select(pl.col(ROW).min()).item()
    if surplus is not None:
        raise UserError(
            f"{where(file, source, surplus)}: found more fields than the {len(schema)} columns "
            f"{', '.join(schema):.200}; mend the line, or correct `header` or `separator`"
        )
    return found


def rows_of(files: list[Path], source: Source, kept: Kept, value: Value) -> pl.DataFrame:
    """Read the rows of kept items.

    Parameters
    ----------
    files : list of Path
        The parts of the table.
    source : Source
    kept : Kept
    value : callable
        ``value(file, schema)`` makes expressions of what is read of each row: columns of numbers, or one expression
        called ``#value``, which is null in rows that do not count.

    Returns
    -------
    polars.DataFrame
        Columns ``#place`` of the item, ``#file`` and ``#row``, both from 0, and those of `value`; sorted by the first
        three. Of equal rows of an item the first is there.
    """
    parts = [_rows_of_file(file, source, kept, value) for file in files]
    rows = pl.concat(part.with_columns(pl.lit(number).alias(FILE)) for number, part in enumerate(parts))
    if rows.is_empty():
        schema = schema_of(files[0], source)
        first = scan(files[0], source).select(pl.col(id_column(source, schema)).cast(pl.String, strict=False).first())
        raise kept.no_match(files[0], "row", collect(first, files[0], source).item())
    if VALUE in rows.columns:
        rows = rows.filter(pl.col(VALUE).is_not_null())
    return rows.sort(PLACE, FILE, ROW).unique([PLACE, KEY], keep="first", maintain_order=True).drop(KEY, SURPLUS)


def check_once(files: list[Path], source: Source, rows: pl.DataFrame, kept: Kept, what: str) -> None:
    """Raise the `UserError` that names the first item with rows that differ."""
    again = rows.filter(~pl.col(PLACE).is_first_distinct()).head(1)
    if again.is_empty():
        return
    pair = rows.filter(pl.col(PLACE) == again[PLACE][0]).head(2).select(FILE, ROW).rows()
    first, second = (where(files[file], source, row) for file, row in pair)
    raise UserError(
        f"{second}: duplicate {what}: item {kept.name(again[PLACE][0])} has another row at {first}, expected one; "
        "remove one of them"
    )


def require_some(files: list[Path], rows: pl.DataFrame, what: str) -> None:
    """Raise the `UserError` of a column without anything for the kept items, if there are no `rows`."""
    if rows.is_empty():
        raise UserError(f"{files[0]}: {what} is empty for every kept item; name another column")
