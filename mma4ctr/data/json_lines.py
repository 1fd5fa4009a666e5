"""Files with one JSON object a line: what they hold of the items that are kept.

The lines of most items are passed over, and those of the form that was published go the fast way: regular expressions
that have JSON's grammar in them prove that such a line is valid and has each key once, and Polars decodes it. A parser
decides on every other line that may be of a kept item: whose it is, what it holds, and what is wrong with it.
"""

from __future__ import annotations

import codecs
import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.raw_files import LEAST, MOST, Part, shown
from mma4ctr.executor import Executor
from mma4ctr.paths_file import RepeatedKeyError, each_key_once

GAP = r"[ \t\r]*"
INTEGER = r"-?(?:0|[1-9][0-9]{0,18})"
ITEM = rf'"item_id"{GAP}:{GAP}({INTEGER}){GAP}[,}}]'


class Unfit(Exception):
    """What is wrong with one line, without its place."""


@dataclasses.dataclass(frozen=True)
class Form:
    """What the objects of a file hold besides ``item_id``.

    Attributes
    ----------
    pattern : str
        What a line of the published form matches: nothing but valid JSON, each key of the object once.
    decoded : callable
        Makes an expression of matching lines one of their content; null for a line that the parser is to decide on.
    content_of : callable
        Returns the same content of a parsed object. Raises `Unfit`.
    dtype : polars.List
        Of the content.
    """

    pattern: str
    decoded: Callable[[pl.Expr], pl.Expr]
    content_of: Callable[[dict], Any]
    dtype: pl.List


def pattern_of(key: str, value: str) -> str:
    """Return what a line with ``item_id`` and `key` matches, in either order, if `value` is what the value matches."""
    item, content = rf'"item_id"{GAP}:{GAP}{INTEGER}', rf'"{key}"{GAP}:{GAP}(?:{value})'
    both = rf"(?:{item}{GAP},{GAP}{content}|{content}{GAP},{GAP}{item})"
    return rf"^{GAP}\{{{GAP}{both}{GAP}\}}{GAP}$"


def scan_kept(part: Part, kept: np.ndarray) -> pl.LazyFrame:
    """Scan the lines that may be of items among `kept` (n,) int64, without parsing any.

    Returns
    -------
    polars.LazyFrame
        Columns ``number`` (of the line, from 0), ``line`` and ``item`` (int64), in the order of the file. The item is
        null where only a parser can tell it: unless the line names just one, and nothing is escaped in it.
    """
    line = pl.col("line")
    is_certain = (line.str.count_matches('"item_id"', literal=True) == 1) & ~line.str.contains("\\", literal=True)
    item = pl.when(is_certain).then(line.str.extract(ITEM).cast(pl.Int64, strict=False))
    lines = raw_files.scan_lines(part).with_columns(item=item)
    return lines.filter(pl.col("item").is_in(pl.Series(kept).implode()) | pl.col("item").is_null())


def read_objects(part: Part, kept: np.ndarray, form: Form) -> pl.DataFrame:
    """Return what a part holds of the items among `kept` (n,) int64.

    Returns
    -------
    polars.DataFrame
        Columns ``item`` (int64) and ``content`` (see `Form`): the last line of each item, in the order of the file.

    Raises
    ------
    UserError
        If a line that may be of one of these items is no object of the form, or is no valid JSON. Empty lines are
        passed over.
    """
    fits = pl.col("line").str.contains(form.pattern) & pl.col("item").is_not_null()
    content = form.decoded(pl.when(fits).then("line"))
    rest = pl.when(pl.col("content").is_null()).then("line")
    lines = scan_kept(part, kept).with_columns(content=content).with_columns(line=rest)
    explain = functools.partial(raw_files.explain_text, part.file)
    (frame,) = raw_files.collect([lines], explain, part.file)
    decoded = frame.filter(pl.col("line").is_null()).drop("line")
    if len(decoded) < len(frame):
        parsed = _parsed(part, frame.filter(pl.col("line").is_not_null()), kept, form)
        decoded = pl.concat([decoded, parsed]).sort("number")
    return decoded.select("item", "content").unique("item", keep="last", maintain_order=True)


def _parsed(part: Part, lines: pl.DataFrame, kept: np.ndarray, form: Form) -> pl.DataFrame:
    """Return the lines (number, line) that are of kept items as number, content and item."""
    rows, number = [], 0
    try:
        for number, line in lines.select("number", "line").iter_rows():
            found = parsed_object(line.removeprefix("\ufeff") if number == 0 and part.start == 0 else line)
            if found is not None and places_in(kept, np.array([found["item_id"]]))[0] >= 0:
                rows.append((number, found["item_id"], form.content_of(found)))
    except Unfit as problem:
        place = raw_files.line_number(part.file, part.start) + number
        raise UserError(f"{part.file}:{place}: {problem}; mend or remove the line") from None
    schema = {"number": lines.schema["number"], "item": lines.schema["item"], "content": form.dtype}
    return pl.DataFrame(rows, schema, orient="row")


def _no_number(name: str) -> NoReturn:
    raise Unfit(f"broken JSON (found {name}, which JSON does not have), expected one JSON object")


def parsed_object(line: str) -> dict[str, Any] | None:
    """Parse one line as an object with an ``item_id`` of 64 bits; None for an empty line.

    Raises
    ------
    Unfit
        If it is none, or an object in it, at any depth, has a key twice.
    """
    if not line.strip(" \t\r\n"):
        return None
    try:
        content = json.loads(line, object_pairs_hook=each_key_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Unfit(f"broken JSON ({error.msg} at column {error.colno}), expected one JSON object") from None
    except RepeatedKeyError as error:
        raise Unfit(f"key {shown(str(error))} is there twice, expected it once") from None
    except (ValueError, RecursionError):  # thousands of digits or of brackets
        raise Unfit("broken JSON (a number or its nesting is too long), expected one JSON object") from None
    if not isinstance(content, dict):
        raise Unfit(f"found {shown(content)}, expected one JSON object with item_id")
    item = content.get("item_id")
    if type(item) is not int or not LEAST <= item <= MOST:
        wanted = "an integer" if type(item) is not int else f"an integer from {LEAST} to {MOST}"
        raise Unfit(f"item_id is {shown(item)}, expected {wanted}")
    return content


def check_end(file: Path) -> None:
    """Raise the `UserError` that says that `file` was cut if its last line has no end and is no whole object.

    Nothing tells a file that was cut between lines from a whole one.
    """
    raw_files.check_line_lengths(file)
    size = file.stat().st_size
    with open(file, "rb") as stream:
        stream.seek(max(0, size - raw_files.LONGEST_LINE))
        last = stream.read().rpartition(b"\n")[2]
    try:
        parsed_object(last.removeprefix(codecs.BOM_UTF8).decode(errors="replace"))
    except Unfit as problem:
        place = raw_files.line_number(file, size)
        raise UserError(f"{file}:{place}: {problem}, in a last line without an end; download the file again") from None


def parts(executor: Executor, files: Sequence[Path]) -> list[Part]:
    """Return what `read_objects` is applied to by an executor; see `raw_files.parts`.

    Raises
    ------
    UserError
        If a file ends in the middle of a line.
    """
    for file in files:
        check_end(file)
    return raw_files.parts(executor, files)
