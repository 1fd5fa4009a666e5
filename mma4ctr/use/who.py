"""Which users and items of a data set ids mean."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl

from mma4ctr.data import names
from mma4ctr.settings import Settings


class Ids:
    """The ids of users or of items.

    Parameters
    ----------
    known : polars.Series
        Of each index, text or int64.
    """

    def __init__(self, known: pl.Series) -> None:
        self.known = known

    @functools.cached_property
    def _places(self) -> pl.DataFrame:
        return pl.DataFrame({"id": self.known.cast(pl.String)}).with_row_index("place")

    def places(self, wanted: pl.Series) -> np.ndarray:
        """Return the index of each id (n,), text: (n,) int64, -1 for an unknown one."""
        frame = pl.DataFrame({"id": wanted}).join(self._places, on="id", how="left", maintain_order="left")
        return frame["place"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)

    def of(self, places: np.ndarray) -> pl.Series:
        """Return the ids of indices (n,), all of which are known."""
        return self.known.gather(places)

    def with_more(self, more: pl.Series) -> Ids:
        """Return these ids with others (m,), text, behind them, of which the first stands for nobody."""
        numbers = more.cast(pl.Int64, strict=False)
        are_numbers = self.known.dtype == pl.Int64 and not numbers.null_count()
        if are_numbers:
            known, more = self.known, numbers
        else:
            known = self.known.cast(pl.String)
        return Ids(pl.concat([known, pl.Series([None], dtype=known.dtype), more.rename(known.name)]))


def of(settings: Settings, dataset: str, what: str) -> Ids:
    """Return the ids of ``users`` or ``items`` of a data set."""
    return Ids(names.ids(settings, dataset, what).rename(what[:-1]))
