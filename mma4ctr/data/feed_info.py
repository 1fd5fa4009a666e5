"""Read WeChat's feed_info.csv: one row a feed, every field of its form and of bounded length."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.raw_files import LEAST, MOST, Part

TEXT_COLUMNS = ("description", "ocr", "asr", "description_char", "ocr_char", "asr_char")
INFO_COLUMNS = (
    "feedid", *TEXT_COLUMNS, "bgm_song_id", "bgm_singer_id", "machine_keyword_list", "manual_tag_list",
    "machine_tag_list",
)  # fmt: skip
ID = "[+-]?[0-9]+"  # any integer of 64 bits; \d would take the digits of every script
NUMBER = rf"{ID}(?:\.[0-9]*)?(?:[eE]{ID})?"
MANY_DIGITS = "[0-9]{19,}"  # only these may be beyond 64 bits
LONG_ID = re.compile(rf"(?<![.0-9eE+-])[+-]?{MANY_DIGITS}")  # not the decimals of a score, nor its exponent


@dataclasses.dataclass(frozen=True)
class Form:
    """What a field looks like, if it is not empty.

    Attributes
    ----------
    pattern : str
        A regular expression of the whole field.
    expected : str
        The same in words.
    longest : int
        Bytes; the longest published one has an eighth of them or less. Patterns take a hundred times a field's memory.
    """

    pattern: str
    expected: str
    longest: int


TEXT = Form(rf"^{ID}(?: +{ID})*$", "integers between spaces", 2**19)
LIST = Form(rf"^{ID}(?:;{ID})*;?$", "integers between semicolons", 2**12)
BGM = Form(rf"^{ID}(?:\.0*)?$", "an integer, or empty", 2**8)
FORMS = {
    **dict.fromkeys(TEXT_COLUMNS, TEXT),
    "feedid": Form(f"^{ID}$", "an integer", 2**8),
    "bgm_song_id": BGM,
    "bgm_singer_id": BGM,
    "machine_keyword_list": LIST,
    "manual_tag_list": LIST,
    "machine_tag_list": Form(
        rf"^{ID} {NUMBER}(?:;{ID} {NUMBER})*;?$", "pairs of an integer and a number", LIST.longest
    ),
}


def _first(wrong: pl.Series) -> int | None:
    """Return the place of the first true value, None without any."""
    return int(wrong.to_numpy().argmax()) if wrong.any() else None


def _check_lengths(file: Path, frame: pl.DataFrame) -> None:
    """Raise the `UserError` that names a field that is too long, before a pattern is laid to it."""
    for name, form in FORMS.items():
        lengths = frame[name].str.len_bytes().fill_null(0)
        place = _first(lengths > form.longest)
        if place is not None:
            raise UserError(f"{file}:{place + 2}: field {name} has {lengths[place]:,} bytes, expected at most "
                            f"{form.longest:,}; mend the line")  # fmt: skip


def _check_forms(file: Path, frame: pl.DataFrame) -> None:
    """Raise the `UserError` that names a line and field that is not of its form, or an integer beyond 64 bits."""
    for name, form in FORMS.items():
        place = _first((~frame[name].str.contains(form.pattern)).fill_null(name == "feedid"))  # others may be empty
        if place is not None:
            found = raw_files.shown(frame[name][place])
            raise UserError(f"{file}:{place + 2}: field {name} is {found}, expected {form.expected}; mend the line")
        numbered = frame.select(pl.col(name)).with_row_index("place").filter(pl.col(name).str.contains(MANY_DIGITS))
        for place, text in numbered.iter_rows():
            beyond = [number for number in LONG_ID.findall(text) if raw_files.problem_of_integer(number)]
            if beyond:
                raise UserError(f"{file}:{place + 2}: field {name} holds {beyond[0]:.60}, expected integers from "
                                f"{LEAST} to {MOST}; mend the line")  # fmt: skip


def read_feed_info(file: Path) -> pl.DataFrame:
    """Return feed_info.csv as text columns, one row a feed, sorted by feed; empty fields are null.

    A feed's last line counts.
    """
    columns = raw_files.header_of(file, INFO_COLUMNS)
    fields = raw_files.scan_fields(Part(file), columns, (), ",", header=True).select(INFO_COLUMNS)
    # A last field may be empty, so that only the commas tell a row with too few fields.
    commas = pl.col("line").str.count_matches(",", literal=True)
    lines = raw_files.scan_lines(Part(file)).select(line=pl.col("number") + 1, commas=commas)
    wrong = lines.filter(pl.col("commas") != len(columns) - 1).head(1)
    frame, odd = raw_files.collect([fields, wrong], lambda: raw_files.explain_text(file), file)
    if len(odd):
        line, found = odd.row(0)
        raise UserError(f"{file}:{line}: found {found + 1} fields, expected {len(columns)}; mend or remove the line")
    # Spaces around a field mean nothing, and a field of spaces is an empty one.
    frame = frame.with_columns(pl.all().str.strip_chars(" "))
    frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    _check_lengths(file, frame)
    _check_forms(file, frame)
    return frame.with_columns(pl.col("feedid").cast(pl.Int64)).unique("feedid", keep="last").sort("feedid")
