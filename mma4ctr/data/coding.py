"""Count values that come in batches, and know them by numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

DENSE = 2**25  # ids from 0 to here have a place of their own in a table, which is far faster than a search
AT_ONCE = 2**21  # values that are counted at a time where they have none


def _span(values: np.ndarray) -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if len(values) else (0, 0)


class Tally:
    """How often each value occurs in series of integers, or of text, that are added one after another."""

    def __init__(self) -> None:
        self.table = np.zeros(0, dtype=np.int64)
        self.others: list[pl.DataFrame] = []  # value, len: what is counted, and behind it what waits to be
        self.waiting = 0

    def add(self, values: pl.Series) -> None:
        """Count values (n,)."""
        if values.dtype.is_integer():
            ids = values.to_numpy()
            least, most = _span(ids)
            if least >= 0 and most < DENSE:
                if most >= len(self.table):
                    self.table = np.concatenate([self.table, np.zeros(most + 1, dtype=np.int64)])
                np.add.at(self.table, ids, 1)
                return
        self.others.append(
            pl.DataFrame({"value": values, "len": pl.repeat(1, len(values), dtype=pl.Int64, eager=True)})
        )
        self.waiting += len(values)
        if self.waiting > max(AT_ONCE, len(self.others[0])):  # so that what is counted is not gone through too often
            self._count()

    def _count(self) -> None:
        if self.others:
            self.others = [pl.concat(self.others).group_by("value").agg(pl.col("len").sum())]
            self.waiting = 0

    def counts(self, name: str) -> pl.DataFrame:
        """Return each value once (values of the column `name`, len int64)."""
        there = np.flatnonzero(self.table)
        if len(there) or not self.others:
            self.others.append(pl.DataFrame({"value": there, "len": self.table[there]}))
        if len(self.others) > 1 or self.waiting:
            self._count()
        return self.others[0].rename({"value": name})


class Codes:
    """The places of values among `known` ones, which are sorted: what stands for them from here on.

    Parameters
    ----------
    known : polars.Series, (n,) of int64 or str
        Each value once, sorted; text by its UTF-8 bytes.
    """

    def __init__(self, known: pl.Series) -> None:
        self.known = known
        self.table: np.ndarray | None = None
        if known.dtype.is_integer():
            least, most = _span(known.to_numpy())
            if least >= 0 and most < DENSE:
                self.table = np.zeros(most + 1, dtype=np.int32)
                self.table[known.to_numpy()] = np.arange(len(known), dtype=np.int32)

    def of(self, values: pl.Series) -> np.ndarray:
        """Return the places (m,) int32 of values (m,) that are all known."""
        if self.table is not None:
            return self.table[values.to_numpy()]
        if self.known.dtype.is_integer():
            return np.searchsorted(self.known.to_numpy(), values.to_numpy()).astype(np.int32)
        return values.cast(pl.Enum(self.known)).to_physical().to_numpy().astype(np.int32)


class GrowingCodes:
    """Numbers for values in the order in which they are first met, for those that nobody has counted before."""

    def __init__(self) -> None:
        self.known: pl.DataFrame | None = None  # value, code

    def of(self, values: pl.Series) -> np.ndarray:
        """Return the numbers (m,) int32 of values (m,); new values get the next ones."""
        frame = values.alias("value").to_frame()
        found = frame["value"].unique(maintain_order=True).to_frame()
        if self.known is not None:
            found = found.join(self.known, on="value", how="anti", nulls_equal=True, maintain_order="left")
        start = 0 if self.known is None else len(self.known)
        new = found.with_columns(code=pl.int_range(start, start + pl.len(), dtype=pl.Int32))
        self.known = new if self.known is None else pl.concat([self.known, new])
        coded = frame.join(self.known, on="value", how="left", nulls_equal=True, maintain_order="left")
        return coded["code"].to_numpy()

    def ranked(self) -> tuple[pl.Series, np.ndarray]:
        """Return the values, sorted, a missing one first, and the place (values,) int32 among them of each number."""
        assert self.known is not None
        ordered = self.known.sort("value")
        places = np.empty(len(ordered), dtype=np.int32)
        places[ordered["code"].to_numpy()] = np.arange(len(ordered), dtype=np.int32)
        return ordered["value"], places
