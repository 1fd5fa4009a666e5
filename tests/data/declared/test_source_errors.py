"""What can be wrong with a table of features: one line that names the file and line, what was found and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from declared_sources import KEY, declared, read
from mma4ctr.cli import UserError
from mma4ctr.data.declared import sources


def refusal(folder: Path, kept: list, **content) -> str:
    with pytest.raises(UserError) as error:
        read(folder, kept, **content)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 600
    assert str(folder) in line or line.startswith("modality")
    return line.replace(f"{folder}/", "")


NUMBERS = {"columns": ["a", "b"]}
TITLE = {"text": "t"}
LONG = f"id,t\n1,a\n2,{'x' * 2**20}\n".encode()


@pytest.mark.parametrize(("content", "declaration", "said"), [
    # the file
    (None, NUMBERS, "t.csv: no such raw file; put it there or change films_dataset_path in path.json"),
    (b"", NUMBERS, "t.csv: the file is empty"),
    (b"\x1f\x8babc", NUMBERS, "t.csv: is packed (.gz), expected plain text"),
    (b"id,t\n1,\xe9\n", TITLE, "t.csv:2: found bytes that are no UTF-8 text; say `encoding: latin-1` in"),
    (b'id,t\n1,"a\n', TITLE, "t.csv: cannot be read ("),
    (b"PAR1 no", {**TITLE, "format": "parquet"}, "t.csv: cannot be read ("),
    (b"id,t\n1,a\n", {**TITLE, "format": "lists"}, "t.csv: format lists is none of a table of features, expected csv"),
    (LONG, TITLE, "t.csv:3: the line is longer than 1,048,576 bytes"),
    # its columns
    (b"id,x,y\n1,2,3\n", NUMBERS, "t.csv: has no column 'a', found id, x, y; change the name in the declaration"),
    (b"id,x,y\n1,2,3\n", {"columns": "a*"}, "t.csv: found the columns id, x, y, expected columns a*; change `columns`"),
    (b"id,x\n1,b\n", {}, "t.csv: found the columns id, x, expected a column of numbers beside the id"),
    (b"id,x\n1,b\n", {"text": ["x", "t"]}, "t.csv: has no column 't', found id, x"),
    (b"id,x\n1,b\n", {"list": "t"}, "t.csv: has no column 't', found id, x"),
    (b"id,x\n1,b\n", {"vector": "v"}, "t.csv: has no column 'v', found id, x"),
    (b"id,t\n1,b\n", {**TITLE, "id": "item"}, "t.csv: has no column 'item', found id, t"),
    (b"id,t,t\n1,b,c\n", TITLE, "t.csv:1: column 't' is there twice, expected it once"),
    # its rows
    (b"id,t\n2,b\n1,b,c\n", TITLE, "t.csv:3: found more fields than the 2 columns id, t; mend the line"),
    (b"id,t\n1,b,c\n", {**TITLE, "separator": ",", "format": "tsv"}, "t.csv:2: found more fields than the 2 columns"),
    (b"id::t\n1::b::c\n", {**TITLE, "separator": "::"}, "t.csv:2: found more fields than the 2 columns id, t"),
    (b"id,t\n7,b\nx,c\n", TITLE, "t.csv:3: column id is 'x', expected an integer, as the items of the log are"),
    (b"id,t\n7,b\n8,c\n", TITLE, "t.csv: the ids match no row: the log has items such as 1, the file such as '7'"),
    (b"id,t\n", TITLE, "t.csv: the ids match no row: the log has items such as 1, the file such as None"),
    # numbers
    (b"id,a,b\n2,,x\n1,5,\n", NUMBERS, "t.csv:3: column b is empty, expected numbers that float32 holds; mend"),
    (b"id,a,b\n1,x y,5\n", NUMBERS, "t.csv:2: column a is 'x y', expected numbers"),
    (b"id,a,b\n1,2,nan\n", NUMBERS, "t.csv:2: column b is 'nan', expected numbers"),
    (b"id,a,b\n1,1e39,2\n", NUMBERS, "t.csv:2: column a is '1e39', expected numbers that float32 holds"),
    (b"id,a,b\n1,2\n", NUMBERS, "t.csv:2: column b is empty"),
    (b'id,t,a,b\n2,"two\nlines",1,1\n1,x,y,2\n', NUMBERS, "t.csv:4: column a is 'y'"),
    (b"a,b,id\n1,2,1\n1,2,1\n1,3,1\n", {**NUMBERS, "id": "id"},
     "t.csv:4: duplicate vectors: item 1 has another row at t.csv:2, expected one; remove one of them"),
    (b"id,v\n2,1\n1,1 2\n3,1 2 3\n", {"vector": "v"}, "t.csv:4: the vector has 3 numbers, expected 2 as in"),
    (b"id,v\n1,1 2\n3,1 x\n", {"vector": "v"}, "t.csv:3: column v is '1 x', expected numbers"),
    (b"id,v\n1,1 2\n1,2 1\n", {"vector": "v"}, "t.csv:3: duplicate vectors: item 1 has another row at t.csv:2"),
    (b"id,v\n1,\n3,[]\n", {"vector": "v"}, "t.csv: column v is empty for every kept item; name another column"),
    # words
    (b"id,t\n1,b\n1,c\n", TITLE, "t.csv:3: duplicate texts: item 1 has another row at t.csv:2, expected one"),
    (b"id,t\n1,\n3,--\n", TITLE, "t.csv: column t is empty for every kept item; name another column"),
    (b"id,t\n1,\n3, \n", {"list": "t"}, "t.csv: column t is empty for every kept item"),
    (b"id,t\n1,b\n", {**TITLE, "hashed": 0}, "modality textual: hashed is 0, expected 1 to 2,000"),
    (b"id,t\n1,b\n", {**TITLE, "hashed": 2001}, "modality textual: hashed is 2001, expected 1 to 2,000"),
])  # fmt: skip
def test_what_is_wrong_with_a_table(content, declaration: dict, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    assert said in refusal(tmp_path, [1, 3], file="t.csv", **declaration)


@pytest.mark.parametrize(("name", "declaration", "said"), [
    ("t.xyz", {}, "t.xyz: the ending .xyz is none of a table of features, expected csv, tsv, inter or parquet; say"),
    ("t", {}, "t: the ending of no letters is none of a table"),
    ("t.parquet.gz", {}, "t.parquet.gz: format parquet is none of a table of features"),
])  # fmt: skip
def test_files_of_no_known_form(name: str, declaration: dict, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("id,t\n1,a\n")
    assert said in refusal(tmp_path, [1], file=name, text="t", **declaration)


@pytest.mark.parametrize(("columns", "declaration", "said"), [
    ({"id": [7, 1], "v": [[1.0], [None]]}, {"vector": "v"}, "t.parquet: row 1 (from 0): column v is [None], expected"),
    ({"id": [1, 3], "v": [[1.0], [1.0, 2]]}, {"vector": "v"}, "t.parquet: row 1 (from 0): the vector has 2 numbers"),
    ({"id": [1], "v": [1.5]}, {"vector": "v"}, "t.parquet: column v is of type Float64, expected lists of numbers"),
    ({"id": [1], "a": [1.5], "b": [None]}, NUMBERS, "t.parquet: row 0 (from 0): column b is empty"),
    ({"id": [7, 1.5], "a": [1, 2], "b": [1, 2]}, NUMBERS, "row 1 (from 0): column id is 1.5, expected an integer"),
    ({"id": [1, 1], "t": ["a", "b"]}, TITLE, "row 1 (from 0): duplicate texts: item 1 has another row at"),
])  # fmt: skip
def test_what_is_wrong_with_parquet(columns: dict, declaration: dict, said: str, tmp_path: Path) -> None:
    pl.DataFrame(columns, strict=False).write_parquet(tmp_path / "t.parquet")
    assert said in refusal(tmp_path, [1, 3], file="t.parquet", **declaration)


def test_duplicates_in_two_parts(tmp_path: Path) -> None:
    (tmp_path / "t2.csv").write_text("id,t\n1,a\n")
    (tmp_path / "t10.csv").write_text("id,t\n1,A\n")
    said = refusal(tmp_path, [1], file="t*.csv", text="t")
    assert said.startswith("t10.csv:2: duplicate texts: item 1 has another row at t2.csv:2")


def test_a_packed_file_that_ends_too_soon(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,t\n" + b"1,a\n" * 10_000)[:60])
    assert "t.csv.gz: cannot be read (" in refusal(tmp_path, [1], file="t.csv.gz", text="t")
    assert "t.csv.gz: cannot be read (" in refusal(tmp_path, [1], file="t.csv.gz", text="t", encoding="latin-1")


def test_files_that_are_there_and_those_that_are_not(tmp_path: Path) -> None:
    array, parts = declared(file="v*.npy", ids="ids.txt"), declared(file="[tu]/*.csv")
    assert not sources.are_there(array, tmp_path)
    assert not sources.are_there(parts, tmp_path)
    for source, said in ((parts, r"has no file \[tu\]/\*\.csv; put the files there"), (array, r"no file v\*\.npy")):
        with pytest.raises(UserError, match=said):
            sources.files_of(source, tmp_path, KEY)
    np.save(tmp_path / "v1.npy", np.ones((1, 1)))
    assert sources.are_there(array, tmp_path)
    with pytest.raises(UserError, match=r"ids\.txt: no such raw file"):
        sources.files_of(array, tmp_path, KEY)
    np.save(tmp_path / "v2.npy", np.ones((1, 1)))
    with pytest.raises(UserError, match=r"v\*\.npy finds 2 arrays, expected one"):
        sources.files_of(array, tmp_path, KEY)
    (tmp_path / "t").mkdir()
    (tmp_path / "t/a.csv").write_text("id")
    assert sources.files_of(parts, tmp_path, KEY) == [tmp_path / "t/a.csv"]
