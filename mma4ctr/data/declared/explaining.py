"""Find the first row of a declared log that cannot be read, and say where it stands and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import log_files, scanning, unreadable
from mma4ctr.data.declared.rows import Check, Rows
from mma4ctr.data.declared.scanning import ROW, SURPLUS, TablePart
from mma4ctr.data.declared.schema import Declaration, Interactions
from mma4ctr.data.raw_files import shown

RAW, HOLDS = "#raw:", "#holds:"


def broken(file: Path, declaration: Declaration, kinds: Mapping[str, str]) -> None:
    """Raise the `UserError` that names the first row of a file that cannot be read; do nothing if there is none."""
    table = declaration.interactions
    schema = scanning.schema_of(file, table)
    is_text = log_files.is_text(file, table)
    rows = Rows(declaration, schema, kinds, filled=is_text)
    frame = scanning.scan(TablePart(file), table, schema, {}, list(schema) if is_text else list(kinds))
    forms, values = list(rows.forms()), list(rows.values())
    frame = frame.with_columns(pl.col(name).alias(f"{RAW}{name}") for name in kinds)
    if is_text:  # no field at all
        frame = frame.with_columns(pl.all_horizontal(pl.col(name).is_null() for name in schema).alias("#empty"))
    frame = frame.with_columns(*rows.columns(), *_marks(forms, 0))
    is_formed = pl.all_horizontal(f"{HOLDS}{k}" for k in range(len(forms)))
    frame = frame.filter(rows.where() | ~is_formed).with_columns(*_marks(values, len(forms)))
    first = frame.filter(~pl.all_horizontal(f"{HOLDS}{k}" for k in range(len(forms) + len(values)))).head(1)
    try:
        found = first.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable.error_of(file, table, error) from None
    if len(found):
        raise UserError(_said(file, table, found.row(0, named=True), [*forms, *values], len(schema)))


def _marks(checks: list[Check], start: int) -> list[pl.Expr]:
    return [check.holds.fill_null(False).alias(f"{HOLDS}{start + k}") for k, check in enumerate(checks)]


def _said(file: Path, table: Interactions, row: dict[str, object], checks: list[Check], width: int) -> str:
    where = place(file, table, int(str(row[ROW])))
    if row.get("#empty") and row[SURPLUS] is None:
        return f"{where}: found an empty line, expected a row; remove the line"
    check = checks[next(k for k in range(len(checks)) if not row[f"{HOLDS}{k}"])]
    if not check.columns:
        return f"{where}: found more than {width} fields, expected {check.expected(None)}"
    fields = {name: row[f"{RAW}{name}"] for name in check.columns}
    said = ", ".join(f"field {name:.60} is {_value(value)}" for name, value in fields.items())
    value = next(iter(fields.values()))
    key = f"{check.key}: " * bool(check.key)
    return f"{where}: {key}{said}, expected {check.expected(None if value is None else str(value))}"


def _value(value: object) -> str:
    return "empty" if value is None or value == "" else shown(value)


def place(file: Path, table: Interactions, row: int) -> str:
    """Return the file and the line of a row (from 0) as a message names them; a file that is no text has rows."""
    if not log_files.is_text(file, table):
        return f"{file}: row {row + 1:,}"
    return f"{file}:{log_files.line_of(file, table, row)}"
