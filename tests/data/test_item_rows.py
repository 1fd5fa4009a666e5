"""Raw files cut into parts at line ends, and the rows of items gathered from the parts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.data import item_rows, raw_files


@given(text=st.lists(st.text("ab\r", max_size=9)), last=st.text("ab", max_size=3), size=st.integers(1, 40))
def test_parts_are_the_file_cut_at_line_ends(
    text: list[str], last: str, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "lines.txt"
    content = "".join(f"{line}\n" for line in text) + last
    file.write_bytes(content.encode())
    parts = raw_files.parts_of(file, size)
    pieces = [part.source for part in parts]
    assert b"".join(pieces) == content.encode()
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    assert all(piece[:-1].rfind(b"\n") + 1 < size for piece in pieces)  # where the last line starts


@given(items=st.lists(st.lists(st.integers(0, 9), unique=True), min_size=1, max_size=6), sparse=st.booleans())
def test_the_last_line_of_an_item_counts(items: list[list[int]], sparse: bool) -> None:
    number, expected, parts = 0, {}, []
    for part in items:
        rows = np.zeros((len(part), 3), dtype=np.float32)
        for place, item in enumerate(part):
            number += 1
            rows[place] = expected[item] = [number, number % 3, 0]
        block = scipy.sparse.csr_array(rows.astype(np.float64)) if sparse else rows
        parts.append((np.array(part, dtype=np.int64), block))
    known, matrix = item_rows.gathered(iter(parts), np.arange(10))
    assert known.tolist() == sorted(expected)
    rows = matrix.toarray() if sparse else matrix
    wanted = np.reshape([expected[item] for item in sorted(expected)], (-1, 3))
    assert np.array_equal(rows, wanted[:, : rows.shape[1]])
    assert not wanted[:, rows.shape[1] :].any()
