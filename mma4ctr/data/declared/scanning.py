"""Scan the files of a declared log lazily, whatever their format."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import log_files
from mma4ctr.data.declared.expressions import short
from mma4ctr.data.declared.schema import Interactions
from mma4ctr.data.raw_files import Part, shown

ROW, SURPLUS = "#row", "#surplus"
DTYPES: dict[str, type[pl.DataType]] = {"integer": pl.Int64, "number": pl.Float64, "text": pl.String}


@dataclasses.dataclass(frozen=True)
class TablePart(Part):
    """A part of a file, with the kinds of its columns as the first rows of all files tell them."""

    kinds: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> Path | bytes:
        """What Polars scans. It unpacks a whole packed file by itself, in as little memory as it reads a plain one."""
        return self.file if log_files.is_packed(self.file) else super().source


def schema_of(file: Path, table: Interactions) -> dict[str, pl.DataType]:
    """Return the columns of a file with their types; all columns of a text file are text."""
    if log_files.is_text(file, table):
        return dict.fromkeys(log_files.names_of(file, table), pl.String())
    if log_files.format_of(file, table) == "lists":
        return dict(log_files.lists_of(file, table).schema)
    try:
        return dict(pl.read_parquet_schema(file))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{file}: is no Parquet file ({short(error)}); download it again, or correct the format in "
                        "the declaration") from None  # fmt: skip


def require_columns(file: Path, found: Sequence[str], wanted: Mapping[str, str]) -> None:
    """Raise the `UserError` that names the first wanted column that a file does not have, and the key that names it."""
    for name, key in wanted.items():
        if name not in found:
            sql = "; text in SQL stands in 'single' quotes" if key.startswith(("labels", "interactions")) else ""
            raise UserError(
                f"{file}: has no column {shown(name)}, which {key} names, found {', '.join(found):.300}; correct the "
                f"name{sql}, or give interactions.header or interactions.separator if these are no names"
            )


def scan(
    part: Part, table: Interactions, schema: Mapping[str, pl.DataType], kinds: Mapping[str, str], wanted: Sequence[str]
) -> pl.LazyFrame:
    """Scan a part of a file lazily, with a column ``#row``, from 0 in the part.

    Parameters
    ----------
    part : Part
    table : Interactions
    schema : mapping of str to polars.DataType
        See `schema_of`.
    kinds : mapping of str to str
        What columns of a text file are read as; those without a kind, and all where fields are split here, are text.
    wanted : sequence of str
        The columns to scan.

    Returns
    -------
    polars.LazyFrame
        The wanted columns, and ``#surplus``, which is null unless a row has more fields than there are columns.
        Empty fields are null, and so are those that a short row lacks.
    """
    if log_files.format_of(part.file, table) == "lists":
        frame = log_files.lists_of(part.file, table).lazy().with_row_index(ROW)
        return frame.select(ROW, *wanted, pl.lit(None, pl.String).alias(SURPLUS))
    if not log_files.is_text(part.file, table):
        parquet = pl.scan_parquet(part.file, glob=False, hive_partitioning=False, row_index_name=ROW)
        return parquet.select(ROW, *wanted, pl.lit(None, pl.String).alias(SURPLUS))
    separator, skipped = log_files.separator_of(part.file, table), int(table.header is None and part.start == 0)
    if len(separator.encode()) > 1:
        return _split(part, separator, list(schema), skipped).select(ROW, *wanted, SURPLUS)
    return pl.scan_csv(
        part.source, separator=separator, has_header=False, skip_lines=skipped, glob=False, row_index_name=ROW,
        quote_char='"' if log_files.is_quoted(part.file, table) else None,
        schema={**{name: DTYPES[kinds.get(name, "text")] for name in schema}, SURPLUS: pl.String},
        missing_columns="insert", truncate_ragged_lines=True,
    ).select(ROW, *wanted, SURPLUS)  # fmt: skip


def dtypes_of(file: Path, table: Interactions, kinds: Mapping[str, str]) -> dict[str, pl.DataType]:
    """Return the types that `scan` gives columns of kinds, where these are not those of the file."""
    if not log_files.is_text(file, table) or len(log_files.separator_of(file, table).encode()) > 1:
        return {}
    return {name: DTYPES[kind]() for name, kind in kinds.items()}


def _split(part: Part, separator: str, names: Sequence[str], skipped: int) -> pl.LazyFrame:
    """Scan lines and split them: Polars reads no fields that several characters stand between."""
    lines = pl.scan_lines(part.source, row_index_name=ROW, glob=False)
    line = pl.col("line").str.strip_suffix("\r")
    if part.start == 0:
        line = pl.when(pl.col(ROW) == 0).then(line.str.strip_prefix("\ufeff")).otherwise(line)
    fields = line.str.split_exact(separator, len(names)).struct.rename_fields([*names, SURPLUS])
    split = lines.filter(pl.col(ROW) >= skipped).select(pl.col(ROW) - skipped, fields.alias("fields")).unnest("fields")
    return split.with_columns(pl.when(pl.col(name) != "").then(name).alias(name) for name in names)
