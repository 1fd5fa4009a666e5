"""What the tests of modality sources share: a declaration of one, and plain readings of what it gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import scipy.sparse

from mma4ctr.data.blocks import RawModality
from mma4ctr.data.declared.schema import Source
from mma4ctr.data.declared.sources import raw_modality

KEY = "films_dataset_path"


def declared(**content: Any) -> Source:
    """Return a source as a declaration with this content has it."""
    listed = {key: [value] if key in ("text", "columns") and isinstance(value, str) else value
              for key, value in content.items()}  # fmt: skip
    return msgspec.convert(listed, Source)


def kept_of(items: list) -> np.ndarray | pl.Series:
    """Return kept items: an array of integers, or a series of text."""
    return pl.Series(sorted(items)) if isinstance(items[0], str) else np.array(sorted(items), dtype=np.int64)


def read(folder: Path, kept: list, **content: Any) -> RawModality:
    """Read a modality of the kept items from `folder`."""
    return raw_modality("textual", declared(**content), folder, kept_of(kept), KEY)


def rows_of(found: RawModality, kept: list) -> dict:
    """Return the row of each item that has the modality, after checks of what the reduction relies on."""
    assert found.items.dtype == np.int64
    assert (np.diff(found.items) > 0).all()
    (block,) = found.blocks
    matrix = block.matrix
    if scipy.sparse.issparse(matrix):
        assert isinstance(matrix, scipy.sparse.csr_array)
        assert matrix.dtype == np.float64
        assert matrix.has_canonical_format
        matrix = matrix.toarray()
    else:
        assert matrix.dtype == np.float32
    names = [sorted(kept)[place] for place in found.items] if isinstance(kept[0], str) else found.items.tolist()
    return dict(zip(names, matrix.tolist(), strict=True))


def counted_rows(elements: dict) -> dict:
    """Return what counting the elements of each item gives: columns are all elements, sorted."""
    known = sorted({element for of_item in elements.values() for element in of_item})
    return {
        item: [float(Counter(of_item)[element]) for element in known] for item, of_item in elements.items() if of_item
    }
