"""A row of a declared log that cannot be read is named by its line, what it has and what it should have."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from declared import declared, read, refused

GOOD = [f"{k % 7},{k % 5},{1_500_000_000 + k},{k % 2}" for k in range(30)]
NAMES = "user,item,time,label"
S, MS = 1_511_544_070, 1_511_544_070_000

BROKEN: dict[str, tuple[str, str]] = {
    "text for an integer": ("abc,1,1500000000,1",
     "field user is 'abc', expected an integer, as the first rows have; mend"),
    "a fraction for an id": ("1,1.5,1500000000,1", "field item is '1.5', expected an integer"),
    "no user": (",1,1500000000,1", "field user is empty, expected an integer; mend or remove the line"),
    "too large": ("1,9999999999999999999,1500000000,1", "field item is '9999999999999999999', expected an integer"),
    "a label of 2": ("1,1,1500000000,2", "labels.like: field label is '2', expected 0 or 1; mend"),
    "no label": ("1,1,1500000000,", "labels.like: field label is empty, expected 0 or 1"),
    "too few": ("1,1", "field time is empty, expected"),
    "too many": ("1,1,1500000000,1,5", "found more than 4 fields, expected 4"),
    "far too many": ("1,1,1500000000,1,5,6,7", "found more than 4 fields, expected 4"),
    "blank": ("", "found an empty line, expected a row; remove the line"),
    "ms": (f"1,1,{MS},1", f"field time is '{MS}', expected a time in s: it looks like ms; say unit: ms if all do, "
           "mend the line, or say unit: order where only the order counts"),
    "a date": ("1,1,2017-11-25,1",
     "field time is '2017-11-25', expected an integer, as the first rows have; mend the line, "
               "or say time.unit: date"),
    "names again": (NAMES, "field user is 'user', expected an integer"),
    "a space": ("1 ,1,1500000000,1", "field user is '1 ', expected an integer"),
}  # fmt: skip


@pytest.mark.parametrize("after", [5, 1500])
@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize(("name", "separator"), [("log.csv", ","), ("log.dat", "::"), ("log.csv.gz", ",")])
def test_a_broken_row_is_named(tmp_path: Path, name: str, separator: str, case: str, after: int) -> None:
    line, said = BROKEN[case]
    good = GOOD * (after // len(GOOD) + 2)
    rows = [NAMES, *good[:after], line, *good[after:]]
    text = "".join(f"{row}\n" for row in rows).replace(",", separator).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    said = said.replace("an integer, as", "a number, as") if "time is" in said and "." in line else said
    found = refused(declared(interactions={"files": name, "separator": separator}, time="time"), tmp_path)
    assert found.startswith(f"{tmp_path / name}:{after + 2}: {said}"), found


@pytest.mark.parametrize(("unit", "value", "said"), [
    ("s", 2_122_867_355, None), ("s", -2_134_949_234, None), ("s", MS, "looks like ms"), ("s", MS * 10**6,
     "looks like ns"),
    ("ms", MS, None), ("ms", S, "a time in ms: it looks like s"), ("ms", MS * 1000, "looks like us"), ("ms", 0,
     "a time in ms;"),
    ("us", MS * 1000, None), ("us", MS, "looks like ms"), ("ns", MS * 10**6, None), ("ns", MS * 1000, "looks like us"),
    ("order", 0, None), ("order", -7, None), ("order", 2**62, None),
])  # fmt: skip
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_times_in_another_unit_are_named(tmp_path: Path, form: str, unit: str, value: int, said: str | None) -> None:
    good = S * times_of(unit)
    table = pl.DataFrame({"user": [1, 2, 3], "item": [1, 1, 1], "time": [good, value, good], "label": [0, 1, 1]})
    getattr(table, f"write_{form}")(tmp_path / f"log.{form}")
    dataset = declared(interactions=f"log.{form}", time={"column": "time", "unit": unit})
    if said is None:
        assert read(dataset, tmp_path)["time"].to_list() == table["time"].to_list()
        return
    found = refused(dataset, tmp_path)
    assert said in found and found.startswith(
        f"{tmp_path}/log.{form}:{'3' if form == 'csv' else ' row 2'}: field time"
    ), found


def times_of(unit: str) -> int:
    return {"ms": 10**3, "us": 10**6, "ns": 10**9}.get(unit, 1)


NEW_YEAR = 1_577_836_800  # 2020


@pytest.mark.parametrize(("text", "seconds"), [
    ("2020-01-01", NEW_YEAR), ("20200101", NEW_YEAR), ("2020-01-01 01:00:00", NEW_YEAR + 3600),
    ("2020-01-01T00:00:07.5Z", NEW_YEAR + 7), ("2020-01-01T02:00:00+02:00", NEW_YEAR),
    ("2020-01-01 00:01", NEW_YEAR + 60),
    ("2020-13-01", None), ("01.01.2020", None), ("", None), ("1960-01-01", None), ("2101-01-01", None),
    ("1577836800", None), ("2020-01-01 25:00:00", None), ("202001011", None),
])  # fmt: skip
def test_dates(tmp_path: Path, text: str, seconds: int | None) -> None:
    (tmp_path / "log.csv").write_text(f"user,item,time,label\n1,1,2020-01-01,0\n1,1,{text},0\n")
    dataset = declared(time={"column": "time", "unit": "date"})
    if seconds is not None:
        assert read(dataset, tmp_path)["time"].to_list() == [NEW_YEAR, seconds]
        return
    assert re.search(
        r"log.csv:3: field time is .*, expected a date of the years 1970 to 2100", refused(dataset, tmp_path)
    )


def test_whole_floats_are_times_and_fractions_need_their_order(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"user,item,time,label\n1,1,{S}.0,0\n1,1,{S}.5,1.0\n1,1,{S}.25,1\n")
    found = refused(declared(time="time"), tmp_path)
    assert f"log.csv:3: field time is '{S}.5', expected a whole number of s; mend the line, or say unit: order" in found
    ranks = read(declared(time={"column": "time", "unit": "order"}), tmp_path)["time"]
    assert ranks.arg_sort().to_list() == [0, 2, 1]


def refused_of(folder: Path, text: str, **changed: Any) -> str:
    (folder / "log.csv").write_text(text)
    return refused(declared(**changed), folder)


@pytest.mark.parametrize(("changed", "text", "said"), [
    ({"user": "uid"}, "user,item,label\n1,2,0\n",
     "log.csv: has no column 'uid', which user names, found user, item, label"),
    ({"labels": {"like": "rating >= 4"}}, "user,item,label\n1,2,0\n",
     "has no column 'rating', which labels.like names"),
    ({"labels": {"like": 'label = "x"'}}, "user,item,label\n1,2,0\n",
     "no column 'x', .*text in SQL stands in 'single'"),
    ({"labels": {"like": "label = 'x'"}}, "user,item,label\n1,2,0\n",
     "labels.like: .* cannot be evaluated .*, with label as"),
    ({"labels": {"like": "UPPER(label)"}}, "user,item,label\n1,2,x\n",
     "labels.like: .* is text, expected true or false"),
    ({"interactions": {"files": "log.csv", "where": "item + 1"}}, "user,item,label\n1,2,0\n",
     "where: .*expected true or"),
    ({"labels": {"like": "rating >= 4"}}, "user,item,rating\n1,2,5\n1,2,\n",
     "log.csv:3: labels.like: field rating is empty"),
    ({}, "196\t242\t3\n", "has no column 'user'.*header or interactions.separator if these are no names"),
    ({"interactions": {"files": "log.csv", "header": ["user", "item", "label"]}}, "user,item,label\n1,2,0\n",
     "log.csv:1: found the names of columns, expected a first row"),
    ({}, "user,item,user,label\n", "log.csv:1: column 'user' is there twice"),
    ({}, "user,item,label\na,b,0\n,c,1\n", "log.csv:3: field user is empty, expected text"),
    ({"context": "hour"}, "user,item,label,hour\n1,2,0,3\n1,2,0,\n",
     "hour is empty, expected an integer; .*types: {hour: text}"),
    ({"negatives": {"ratio": 1}}, "user,item,label\n1,2,1\n1,2,0\n",
     "log.csv:3: labels.like: .*expected 1 in every row"),
    ({}, 'user,item,label\n1,"2\n",0\n"a","2",7\n', "log.csv:4|log.csv:2"),
    ({}, 'user,item,label\n1,"2,0\n1,3,0\n', "log.csv"),
    ({}, "user,item,label\n1,2,0\n1,2", "log.csv:3: found 2 fields, expected 3, in a last line without an end"),
    ({"user": {"column": "user", "type": "integer"}}, "user,item,label\na,2,0\n",
     "log.csv:2: field user is 'a', expected an integer, as the declaration says"),
    ({"labels": {"like": "label = 'ü'"}}, "user,item,label\n1,2,\udcff\n", "UTF-8"),
])  # fmt: skip
def test_a_log_that_does_not_fit_its_declaration(tmp_path: Path, changed: dict[str, Any], text: str, said: str) -> None:
    (tmp_path / "log.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert re.search(said, found := refused(declared(**changed), tmp_path)), found


def test_files_have_to_agree_on_what_a_column_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,label\n1,2,0\n")
    (tmp_path / "b.csv").write_text("user,item,label\nx,2,0.0\n")
    (tmp_path / "c.csv").write_text("user,item,label\n")
    files = {"files": ["a.csv", "b.csv", "c.csv"]}
    said = refused(declared(interactions=files), tmp_path)
    assert "b.csv: the first rows of column 'user' are text, those of a.csv integer" in said
    found = read(declared(interactions={**files, "types": {"user": "text"}}), tmp_path)
    assert found["user"].to_list() == ["1", "x"]
    assert read(declared(interactions=files, user={"column": "user", "type": "text"}), tmp_path).equals(found)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"user,item,label\n" + b"1,2,0\n" * 10**5)[:-300]])
def test_a_packed_file_that_is_torn(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.csv.gz").write_bytes(content)
    assert "log.csv.gz: is no whole gzip file" in refused(declared(interactions="log.csv.gz"), tmp_path)
