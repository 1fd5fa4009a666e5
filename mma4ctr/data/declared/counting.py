"""Words and elements of lists, counted: one column each, or one for each bucket."""

from __future__ import annotations

import numpy as np
import polars as pl
import scipy.sparse
import xxhash

from mma4ctr import reduction

MOST = reduction.DENSE_LIMIT  # columns: the components of more take minutes
WORD = r"\w+"
PLACE, ELEMENT = "place", "element"


def words(texts: pl.DataFrame) -> pl.DataFrame:
    """Return the words of texts: runs of letters, digits and underscores of any script, one at least, in lower case.

    What is written without spaces, as Chinese is, is one word between punctuation.

    Parameters
    ----------
    texts : polars.DataFrame
        Columns ``place`` of an item and ``element``, its text.

    Returns
    -------
    polars.DataFrame
        The same columns, one row for each word.
    """
    return exploded(texts.with_columns(pl.col(ELEMENT).str.to_lowercase().str.extract_all(WORD)))


def exploded(lists: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each element of the lists of a column ``element``."""
    return lists.explode(ELEMENT).drop_nulls(ELEMENT)


def bucket_of(element: str, buckets: int) -> int:
    """Return the bucket of an element: the same on every machine."""
    return xxhash.xxh3_64_intdigest(element.encode()) % buckets


def _columns(elements: pl.DataFrame, hashed: int | None) -> pl.DataFrame:
    """Return each element that is counted, column ``element``, and its ``column``.

    `elements` has a row for each element and item.
    """
    if hashed is not None:
        known = elements[ELEMENT].unique().sort()
        buckets = [bucket_of(element, hashed) for element in known]
        return pl.DataFrame({ELEMENT: known, "column": pl.Series(buckets, dtype=pl.Int64)})
    often = elements.group_by(ELEMENT).len().sort(["len", ELEMENT], descending=[True, False]).head(MOST)
    return often.select(pl.col(ELEMENT).sort()).with_row_index("column")


def counted(elements: pl.DataFrame, hashed: int | None) -> tuple[np.ndarray, scipy.sparse.csr_array, int]:
    """Count elements.

    Parameters
    ----------
    elements : polars.DataFrame
        Columns ``place`` of an item and ``element``, one row for each occurrence.
    hashed : int or None
        The number of columns, which elements share by a hash; without it each element has a column of its own, in
        alphabetical order, but no more than the `MOST` that most items have, of equal ones the first.

    Returns
    -------
    places : (items,) int64 array
        Of the items that have an element, sorted.
    counts : (items, columns) scipy.sparse.csr_array of float64
    passed_over : int
        The number of different elements that have no column.
    """
    counts = elements.group_by(PLACE, ELEMENT).len("count")
    columns = _columns(counts, hashed)
    places = counts[PLACE].unique().sort().to_numpy()
    cells = counts.join(columns, on=ELEMENT).select(PLACE, "column", "count")
    rows = np.searchsorted(places, cells[PLACE].to_numpy())
    shape = (len(places), len(columns) if hashed is None else hashed)
    matrix = scipy.sparse.coo_array(
        (cells["count"].to_numpy().astype(np.float64), (rows, cells["column"].to_numpy().astype(np.int64))), shape=shape
    ).tocsr()
    matrix.sort_indices()
    return places, matrix, counts[ELEMENT].n_unique() - len(columns)
