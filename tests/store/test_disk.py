"""Whole or not at all, on a disk with and without room; and nothing but the array that a file says it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mma4ctr.cli import UserError
from mma4ctr.store import checksums, disk
from mma4ctr.training.checkpoints import Checkpoint

LARGE = np.arange(100_000, dtype=np.int64)


def csv(file: Path) -> None:
    with disk.replacing(file) as temporary:
        pl.DataFrame({"a": LARGE}).write_csv(temporary)


WRITERS: dict[str, Callable[[Path], None]] = {
    "array": lambda file: disk.write_array(file, LARGE),
    "json": lambda file: disk.write_json(file, LARGE),
    "csv": csv,
    "checkpoint": lambda file: Checkpoint(file, "a run").save({"model": torch.arange(100_000)}),
}


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_ends_in_one_line_and_leaves_what_was_there(
    small_disk: Path, kind: str, before: bytes | None
) -> None:
    file = small_disk / kind
    if before is not None:
        file.write_bytes(before)
    with pytest.raises(UserError) as told:
        WRITERS[kind](file)
    assert str(told.value).startswith(f"{file}: no space left on the device (")
    assert "\n" not in str(told.value)
    assert [left.read_bytes() for left in small_disk.iterdir()] == ([] if before is None else [before])
    file.unlink(missing_ok=True)


def test_an_error_that_has_another_cause_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    for error in (RuntimeError("something else"), FileNotFoundError(2, "No such file", "another.npy"), ValueError("x")):
        with pytest.raises(type(error)), disk.replacing(tmp_path / "file"):
            raise error
    with pytest.raises(UserError, match=r"cannot be written \(Input/output error\)"), disk.replacing(tmp_path / "file"):
        raise OSError(5, "Input/output error")
    assert not list(tmp_path.iterdir())


NUMBERS = st.one_of(arrays.integer_dtypes(), arrays.floating_dtypes(), arrays.boolean_dtypes())


@given(
    array=arrays.arrays(NUMBERS, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)),
    fortran=st.booleans(),
)
def test_an_array_is_read_as_numpy_reads_it(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, fortran: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "array.npy"
    disk.write_array(file, np.asfortranarray(array) if fortran else array)
    found = disk.read_array(file, disk.Known("a command", checksums.of_file(file)))
    wanted = np.load(file)
    assert (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    assert found.flags.writeable


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04 no array", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x01\x00\x02\x00{}", b"\x93NUMPY\x03\x00\x02\x00\x00\x00{}",
    ],
)  # fmt: skip
def test_what_is_no_array_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "array.npy"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"not a whole \.npy file"):
        disk.read_array(file, disk.Known("a command", checksums.of_bytes(content)))


def test_objects_and_surplus_bytes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "array.npy"
    np.save(file, np.array([{}, None]), allow_pickle=True)
    with pytest.raises(UserError, match="it holds objects"):
        disk.read_array(file, disk.Known("a command", checksums.of_file(file)))
    np.save(file, LARGE)
    with open(file, "ab") as stream:
        stream.write(b"more")
    with pytest.raises(UserError, match="4 bytes too many"):
        disk.read_array(file, disk.Known("a command", checksums.of_file(file)))
