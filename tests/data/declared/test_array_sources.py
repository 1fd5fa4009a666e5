"""Arrays of features: rows by number or by a file of ids, and none read that is not kept."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared_sources import read, rows_of
from mma4ctr.cli import UserError


@settings(max_examples=60)
@given(
    kept=st.sets(st.integers(-3, 12), min_size=1), count=st.integers(1, 9), columns=st.integers(0, 3),
    dtype=st.sampled_from(["f2", "f4", "f8", ">f8", "i1", "i8", "u2", "?"]), as_text=st.booleans(),
    fortran=st.booleans(),
)  # fmt: skip
def test_rows_are_numbered_by_item(kept, count, columns, dtype, as_text, fortran, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp()
    array = np.arange(count * columns).reshape(count, columns).astype(dtype, order="F" if fortran else "C")
    np.save(folder / "v.npy", array)
    items = [str(item) for item in kept if item >= 0] if as_text else list(kept)
    expected = {(str(item) if as_text else item): array[item].astype(float).tolist()
                for item in sorted(kept) if 0 <= item < count}  # fmt: skip
    if not expected:
        if items:
            with pytest.raises(UserError, match="match no vector"):
                read(folder, items, file="v.npy")
        return
    assert rows_of(read(folder, items, file="v.npy"), items) == expected


def write_ids(folder: Path, form: str, ids: list) -> dict:
    """Write the file of ids in one of its forms; return what declares it."""
    if form == "npy":
        np.save(folder / "ids.npy", np.array(ids))
        return {"ids": "ids.npy"}
    if form == "txt":
        (folder / "ids.txt").write_text("".join(f"{one}\n" for one in ids))
        return {"ids": "ids.txt"}
    if form == "parquet":
        pl.DataFrame({"asin": ids}).write_parquet(folder / "ids.parquet")
        return {"ids": "ids.parquet"}
    separator, name = {"csv": (",", "ids.csv"), "inter": ("\t", "ids.inter"), "named": (",", "more.csv")}[form]
    columns = {"place:token": range(len(ids)), "asin:token": ids} if form == "inter" else {"asin": ids, "n": ids}
    frame = pl.DataFrame(columns)
    (frame.select("n", "asin") if form == "named" else frame).write_csv(folder / name, separator=separator)
    return {"ids": name} | ({"id": "asin"} if form in ("named", "inter") else {})


@settings(max_examples=80)
@given(
    ids=st.lists(st.integers(-5, 15), unique=True, min_size=1), kept=st.sets(st.integers(-5, 15), min_size=1),
    form=st.sampled_from(["npy", "txt", "csv", "named", "inter", "parquet"]), as_text=st.booleans(),
)  # fmt: skip
def test_ids_name_the_item_of_each_row(ids, kept, form, as_text, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp()
    array = np.random.default_rng(0).normal(size=(len(ids), 2)).astype(np.float32)
    np.save(folder / "v.npy", array)
    name = (lambda item: f"é{item}") if as_text else int
    declared = write_ids(folder, form, [name(item) for item in ids])
    items = [name(item) for item in kept]
    expected = {name(item): array[ids.index(item)].tolist() for item in kept if item in ids}
    if not expected:
        with pytest.raises(UserError, match=r"match no vector: the log has items such as .*, the file such as"):
            read(folder, items, file="v.npy", **declared)
    else:
        assert rows_of(read(folder, items, file="v.npy", **declared), items) == expected


def test_a_huge_array_costs_what_is_kept(tmp_path: Path) -> None:
    """The file has 256 GiB, nearly all of them holes: neither it nor a part that counts fits into memory."""
    count = 2**29
    header = np.lib.format.header_data_from_array_1_0(np.zeros((0, 128), np.float32)) | {"shape": (count, 128)}
    with open(tmp_path / "v.npy", "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        start = stream.tell()
        stream.seek(start + 7 * 512)
        stream.write(np.full(128, 7, np.float32).tobytes())
        stream.truncate(start + count * 512)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = [7, *range(10**6, count, 10**7)]
    rows = rows_of(read(tmp_path, kept, file="v.npy"), kept)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    assert list(rows) == kept
    assert rows.pop(7) == [7.0] * 128
    assert not np.any(list(rows.values()))


ONE = np.ones((3, 2), dtype=np.float32)


@pytest.mark.parametrize(("array", "said"), [
    (np.ones(5), "v.npy: found an array of shape (5,), expected (items, columns); reshape it"),
    (np.ones((2, 2, 2)), "found an array of shape (2, 2, 2)"),
    (np.array([["a"]]), "found an array of <U1, expected numbers"),
    (np.ones((3, 2), complex), "found an array of complex128, expected numbers"),
    (np.array([[1], [np.nan], [2]]), "v.npy: row 1 (from 0), of item 1, has nan in column 0, expected numbers"),
    (np.array([[1, 1], [2, -np.inf]]), "row 1 (from 0), of item 1, has -inf in column 1"),
    (np.array([[1], [1e39]]), "row 1 (from 0), of item 1, has 1e+39 in column 0, expected numbers that float32 holds"),
    (np.ones((1, 2)), "the ids match no vector: the log has items such as 1, the file such as 'rows 0 to 0'"),
    (np.ones((0, 2)), "the ids match no vector"),
    (np.array([[{}]]), "without pickled objects"),
    (b"hello, this is no array", "cannot be read as an array"),
    (b"\x93NUMPY\x01\x00", "cannot be read as an array"),
    (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)} " + b" " * 55 + b"\n",
     "cannot be read as an array"),
    (b"", "v.npy: the file is empty"),
])  # fmt: skip
def test_what_is_no_array_of_numbers(array, said: str, tmp_path: Path) -> None:
    if isinstance(array, bytes):
        (tmp_path / "v.npy").write_bytes(array)
    else:
        np.save(tmp_path / "v.npy", array, allow_pickle=True)
    with pytest.raises(UserError) as error:
        read(tmp_path, [1], file="v.npy")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bad_number_of_an_item_that_is_not_kept_is_not_seen(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([[np.nan], [1]]))
    assert rows_of(read(tmp_path, [1], file="v.npy"), [1]) == {1: [1.0]}


@pytest.mark.parametrize(("name", "ids", "kept", "said"), [
    ("ids.txt", b"1\n2\n", [1], "ids.txt: found 2 ids, but v.npy has 3 rows"),
    ("ids.txt", b"1\n2\n2\n", [1], "ids.txt:3: duplicate vectors: the id 2 stands at row 1 and at row 2 (from 0)"),
    ("ids.txt", b"1\n02\n2\n", [1], "ids.txt:3: duplicate vectors: the id 2 stands at row 1 and at row 2 (from 0)"),
    ("ids.txt", b"1\nx\n2\n", [1], "ids.txt:2: the id is 'x', expected an integer"),
    ("ids.txt", b"1\n\n2\n", [1], "ids.txt:2: the id is '', expected an integer"),
    ("ids.txt", b"a\n\nb\n", ["a"], "ids.txt:2: the id is '', expected text"),
    ("ids.txt", b"a\nb\nc\n", ["d"], "ids match no vector: the log has items such as 'd', the file such as 'a'"),
    ("ids.txt", b"a\n\xe9\nc\n", ["a"], "ids.txt:2: found bytes that are no UTF-8 text"),
    ("ids.csv", b"id,x\n1,a\n2,b\n2,c\n", [1], "ids.csv:4: duplicate vectors"),
    ("ids.csv", b"id,x\n1,a\n,b\n2,c\n", [1], "ids.csv:3: the id is None"),
    ("ids.npy", np.array([1, 2, 2]), [1], "ids.npy: row 2 (from 0): duplicate vectors: the id 2"),
    ("ids.npy", np.array([1.5, 2, 3]), [1], "ids.npy: found an array of float64 and shape (3,), expected one id a row"),
    ("ids.npy", np.array([[1, 2, 2]]), [1], "found an array of int64 and shape (1, 3)"),
    ("ids.npy", np.array([2**64 - 1, 1, 2], np.uint64), [1], "row 0 (from 0): the id is 18446744073709551615"),
    ("ids.npy", np.array([{}, 1, 2]), [1], "without pickled objects"),
    ("none.txt", None, [1], "none.txt: no such raw file; put it there or change films_dataset_path in path.json"),
])  # fmt: skip
def test_what_is_wrong_with_ids(name: str, ids, kept: list, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", ONE)
    if isinstance(ids, bytes):
        (tmp_path / name).write_bytes(ids)
    elif ids is not None:
        np.save(tmp_path / name, ids, allow_pickle=True)
    with pytest.raises(UserError) as error:
        read(tmp_path, kept, file="v.npy", ids=name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_column_of_ids_that_is_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", ONE)
    (tmp_path / "ids.csv").write_text("a,b\n1,1\n2,2\n3,3\n")
    with pytest.raises(UserError, match=r"ids\.csv: has no column 'asin', found a, b; change the name"):
        read(tmp_path, [1], file="v.npy", ids="ids.csv", id="asin")


@pytest.mark.parametrize("item", ["B01", "01", "-1", "+1", "1.0", " 1", "٣"])
def test_text_that_is_no_row_number_asks_for_ids(item: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", ONE)
    with pytest.raises(UserError, match=r"its rows are numbered, but the log calls an item .*; name the item of each"):
        read(tmp_path, ["1", item], file="v.npy")


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", a=ONE, b=ONE)
    (tmp_path / "v.npz").rename(tmp_path / "v.npy")
    with pytest.raises(UserError, match=r"v\.npy: holds several arrays, expected one"):
        read(tmp_path, [1], file="v.npy")
