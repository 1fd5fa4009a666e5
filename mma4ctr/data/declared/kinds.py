"""What the columns of a declared log hold: integers, numbers or text, as the first rows of its files tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.declared import expressions, scanning, unreadable
from mma4ctr.data.declared.schema import Declaration
from mma4ctr.data.raw_files import Part, shown

FIRST = 1000  # rows of each file that are looked at
EXACT = 2**53  # from here on float64 takes neighbouring integers for one
MOST_OF = 0.9  # of the first values: if so many are numbers, the others are likely to be broken
WHOLE = r"^-?[0-9]+$"
PADDED = r"^-?0[0-9]"  # an id such as 007 is text: as a number it would be 7
Kinds = dict[str, str]


def roles(declaration: Declaration) -> dict[str, str]:
    """Return every column that is read with the key that names it, the first one where there are several."""
    of = declaration
    ids = {"user": of.user, "item": of.item, "time": of.time, "device": of.device, "session": of.session}
    named = [(column.column, key) for key, column in ids.items() if column is not None]
    named += [(name, "context") for name in of.context]
    for key, sql in of_expressions(of).items():
        named += [(name, key) for name in expressions.columns_of(sql)]
    found: dict[str, str] = {}
    for name, key in named:
        found.setdefault(name, key)
    return found


def of_expressions(declaration: Declaration) -> dict[str, str]:
    """Return the expressions of a declaration by their keys."""
    found = {f"labels.{name}": sql for name, sql in declaration.labels.items()}
    where = declaration.interactions.where
    return found if where is None else {"interactions.where": where, **found}


def given(declaration: Declaration) -> Kinds:
    """Return the kinds that the declaration gives."""
    ids = (declaration.user, declaration.item, declaration.device, declaration.session)
    found: Kinds = {id_.column: id_.type for id_ in ids if id_ is not None and id_.type is not None}
    if declaration.time is not None and declaration.time.unit == "date":
        found[declaration.time.column] = "text"
    return {**declaration.interactions.types, **found}


def _is_of_numbers(key: str) -> bool:
    """Whether what is read for a key is a time or part of an expression: 4 may be followed by 3.5 there."""
    return key.startswith(("time", "labels", "interactions"))


def _seen(values: pl.Series, key: str) -> str | None:
    """Return the kind of the first values of a column, None without any; a few odd ones are left to be refused."""
    if not isinstance(values.dtype, pl.String):
        return _kind_of(values.dtype, key)
    values = values.drop_nulls()
    if values.is_empty():
        return None
    whole = values.str.contains(WHOLE) & values.cast(pl.Int64, strict=False).is_not_null()
    numbers = values.str.strip_chars(" \t").cast(pl.Float64, strict=False).is_finite().fill_null(False)
    enough = MOST_OF * len(values)
    if not _is_of_numbers(key):
        return "integer" if whole.sum() >= enough and not values.str.contains(PADDED).any() else "text"
    if numbers.sum() < enough:
        return "integer" if key == "time" else "text"
    is_large = values.cast(pl.Int64, strict=False).abs() >= EXACT
    return "integer" if (whole | ~numbers).all() and (key == "time" or bool(is_large.any())) else "number"


def _kind_of(dtype: pl.DataType, key: str) -> str:
    """Return the kind of a column that has a type of its own."""
    if dtype.is_integer() or isinstance(dtype, pl.Boolean):
        return "integer" if not key.startswith(("labels", "interactions")) else "number"
    if not dtype.is_numeric():
        return "text" if key != "time" else "integer"
    return "number" if _is_of_numbers(key) else "integer"


def _agreed(name: str, first: tuple[Path, str], second: tuple[Path, str], key: str) -> str:
    """Return the kind of a column that two files have, or refuse it."""
    kinds = {first[1], second[1]}
    if kinds == {"integer", "number"} and _is_of_numbers(key):
        return "number"
    raise UserError(
        f"{second[0]}: the first rows of column {shown(name)} are {second[1]}, those of {first[0].name} {first[1]}, "
        f"expected one of both; mend the files, or say interactions.types: {{{name}: text}} in the declaration"
    )


def _check_type(file: Path, name: str, dtype: pl.DataType, declaration: Declaration) -> None:
    """Raise the `UserError` of a column whose type is none of numbers, text or dates."""
    time = declaration.time
    is_time = time is not None and name == time.column and time.unit != "date"
    if dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Time | pl.Duration | pl.Null | pl.Object):
        raise UserError(f"{file}: column {shown(name)} holds {dtype}, expected numbers or text; name another column")
    if is_time and dtype.is_temporal():
        raise UserError(f"{file}: column {shown(name)} holds {dtype}, expected numbers; say time.unit: date")


def heads(file: Path, declaration: Declaration, rows: int = FIRST) -> pl.DataFrame:
    """Return the first rows of a file: the columns that are read, those of text files as text."""
    table, wanted = declaration.interactions, roles(declaration)
    schema = scanning.schema_of(file, table)
    scanning.require_columns(file, list(schema), wanted)
    for name in wanted:
        _check_type(file, name, schema[name], declaration)
    frame = scanning.scan(scanning.TablePart(file), table, schema, {}, list(wanted)).head(rows)
    try:
        return frame.select(*wanted).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable.error_of(file, table, error) from None


def of_files(files: Sequence[Path], declaration: Declaration) -> Kinds:
    """Return what each column that is read is taken for.

    The declaration says it, or the first rows of every file do, where all have to agree.

    Raises
    ------
    UserError
        If a column is not there, or files disagree.
    """
    said, wanted = given(declaration), roles(declaration)
    seen: dict[str, tuple[Path, str]] = {}
    for file in files:
        head = heads(file, declaration)
        for name, key in wanted.items():
            if (kind := said.get(name) or _seen(head[name], key)) is None:
                continue
            if name in seen and seen[name][1] != kind:
                kind = _agreed(name, seen[name], (file, kind), key)
            seen.setdefault(name, (file, kind))
            seen[name] = (seen[name][0], kind)
    return {name: seen[name][1] if name in seen else _unseen(key) for name, key in wanted.items()}


def _unseen(key: str) -> str:
    """Return the kind of a column whose first rows are empty."""
    if key.startswith(("labels", "interactions")):
        return "number"
    return "text" if key == "context" else "integer"


def part_of(file: Path, kinds: Mapping[str, str], start: int = 0, end: int | None = None) -> Part:
    """Return a part of a file with the kinds of its columns."""
    return scanning.TablePart(file, start, end, tuple(kinds.items()))
