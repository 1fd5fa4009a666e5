"""The kept items of a log, and how the ids of other files are compared with theirs."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data.raw_files import shown

ID, PLACE = "#id", "#place"  # columns beside those of a file, whose names are anything


@dataclasses.dataclass(frozen=True)
class Kept:
    """The items (n,) of kept users, sorted: Int64, or String where the log calls them by text."""

    ids: pl.Series

    @classmethod
    def of(cls, kept: np.ndarray | pl.Series) -> Kept:
        """Return items that are given as an array of int64 or as a series of text."""
        return cls(kept if isinstance(kept, pl.Series) else pl.Series(kept, dtype=pl.Int64))

    @property
    def are_integers(self) -> bool:
        """Whether the ids are integers."""
        return self.ids.dtype == pl.Int64

    @property
    def kind(self) -> str:
        """What an id is, in words."""
        return "an integer" if self.are_integers else "text"

    def table(self) -> pl.DataFrame:
        """Return the ids and their places."""
        return pl.DataFrame({ID: self.ids, PLACE: np.arange(len(self.ids), dtype=np.int64)})

    def compared(self, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        """Return a column of ids as the log has them; null where it cannot be one.

        Integers may be written with spaces around them, as 007, or as 7.0 in a column of floats. Text is compared
        letter by letter.
        """
        if not self.are_integers:
            return column.cast(pl.String, strict=False)
        if dtype.is_float():
            number = column.cast(pl.Int64, strict=False)
            return pl.when(number == column).then(number)
        if not dtype.is_integer():
            column = column.cast(pl.String, strict=False).str.strip_chars()
        return column.cast(pl.Int64, strict=False)

    def items(self, places: np.ndarray) -> np.ndarray:
        """Return what a modality calls the items at sorted places (m,): their integers, or the places of text."""
        return self.ids.to_numpy()[places] if self.are_integers else places.astype(np.int64)

    def name(self, place: int) -> str:
        """Return the id of an item as it goes into a message."""
        return shown(self.ids[int(place)])

    def no_match(self, file: object, what: str, example: object) -> UserError:
        """Return the error of a file of which no `what` belongs to a kept item; `example` is an id of it."""
        return UserError(
            f"{file}: the ids match no {what}: the log has items such as {self.name(0)}, the file such as "
            f"{shown(example)}; name the column or file whose ids are those of the log"
        )
