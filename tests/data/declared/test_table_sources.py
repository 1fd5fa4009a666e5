"""Tables of features: numbers, vectors, words and lists of kept items, in every way that they are written down."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared_sources import KEY, counted_rows, declared, read, rows_of
from mma4ctr.data.blocks import reduced
from mma4ctr.data.declared import counting, sources

TITLES = {"3": "A Rose, a rose", "7": "Übung: no_1", "20": "a", "5": "!!", "9": None, "8": "not kept"}
KEPT = [3, 5, 7, 9, 20, 30]
EXPECTED = counted_rows({3: ["a", "rose", "a", "rose"], 7: ["übung", "no_1"], 20: ["a"]})


def write(file: Path, rows: list[tuple], separator: str, *, end: str = "\n", encoding: str = "utf-8") -> None:
    """Write rows of text, unquoted; None is an empty field."""
    text = "".join(separator.join("" if field is None else field for field in row) + end for row in rows)
    content = text.encode(encoding)
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "separator", "table"), [
    ("t.tsv", "\t", {}), ("t.txt", "\t", {}), ("t.inter", "\t", {}), ("t.item", "|", {"separator": "|"}),
    ("t.dat", "::", {"separator": "::"}), ("t.data", "¦", {"separator": "¦"}),
    ("odd", "|", {"format": "csv", "separator": "|"}),
])  # fmt: skip
@pytest.mark.parametrize("headed", [True, False])
def test_a_table_of_text(headed, name, separator, table, end, encoding, packed, tmp_path: Path) -> None:
    suffix = ":token" if Path(name).suffix in (".inter", ".item") else ""
    names = ("year", "movie", "title")
    rows = [("1999", f" 0{item} ", title) for item, title in TITLES.items()]
    header = [tuple(f"{one}{suffix}" for one in names)] if headed else []
    write(tmp_path / (name + packed), header + rows, separator, end=end, encoding=encoding)
    content = table | ({} if headed else {"header": names})
    found = read(tmp_path, KEPT, file=name + packed, id="movie", text="title", **content,
                 encoding=encoding.removesuffix("-sig"))  # fmt: skip
    assert rows_of(found, KEPT) == EXPECTED
    assert found.modality == "textual"
    assert found.warnings == ()


def test_quoted_fields_and_parquet_and_items_that_are_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": list(TITLES), "title": list(TITLES.values())})
    frame.write_csv(tmp_path / "t.csv", quote_style="always")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.with_columns(pl.col("id").cast(pl.Float64)).write_parquet(tmp_path / "f.parquet")
    for name in ("t.csv", "t.parquet"):
        assert rows_of(read(tmp_path, KEPT, file=name, text="title"), KEPT) == EXPECTED
        kept = [str(item) for item in KEPT]
        as_text = rows_of(read(tmp_path, kept, file=name, text="title"), kept)
        assert as_text == {str(item): row for item, row in EXPECTED.items()}
    assert rows_of(read(tmp_path, KEPT, file="f.parquet", text="title"), KEPT) == EXPECTED


def test_parts_and_several_columns_of_text(tmp_path: Path) -> None:
    write(tmp_path / "t10.csv", [("id", "a", "b"), ("4", "x y", None)], ",")
    write(tmp_path / "t2.csv", [("b", "id", "a"), (None, "5", None), ("y", "3", "z"), ("y", "3", "z")], ",")
    files = sources.files_of(declared(file="t*.csv", text=["a", "b"]), tmp_path, KEY)
    assert [file.name for file in files] == ["t2.csv", "t10.csv"]
    found = read(tmp_path, [3, 4, 5], file="t*.csv", id="id", text=["a", "b"])
    assert rows_of(found, [3, 4, 5]) == counted_rows({3: ["z", "y"], 4: ["x", "y"]})


def test_lists_that_parts_write_down_in_different_ways(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 1, 2], "g": [["x", None, "y z"], [], None]}).write_parquet(tmp_path / "t1.parquet")
    pl.DataFrame({"id": [1, 3], "g": ["u|x", None]}).write_parquet(tmp_path / "t2.parquet")
    pl.DataFrame({"id": [3, 3], "g": [4, 5]}).write_parquet(tmp_path / "t3.parquet")
    found = read(tmp_path, [1, 2, 3], file="t*.parquet", list="g", split="|")
    assert rows_of(found, [1, 2, 3]) == counted_rows({1: ["x", "y z", "u"], 3: ["4", "5"]})


FIELD = st.one_of(st.none(), st.text("aB,_9é -", max_size=8).map(str.strip))


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), FIELD), min_size=1), kept=st.sets(st.integers(0, 9), min_size=1),
    form=st.sampled_from(["csv", "parquet", "lists"]), as_text=st.booleans(),
)  # fmt: skip
def test_elements_of_lists_against_a_plain_reading(rows, kept, form, as_text, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp()
    lists: dict = {}
    for item, field in rows:
        if item in kept:
            lists.setdefault(item, set()).update(one.strip() for one in (field or "").split(",") if one.strip())
    frame = pl.DataFrame({"id": [row[0] for row in rows], "g": pl.Series([row[1] for row in rows], dtype=pl.String)})
    if form == "csv":
        frame.write_csv(folder / "t.csv")
    else:
        frame = frame.with_columns(pl.col("g").str.split(",")) if form == "lists" else frame
        frame.write_parquet(folder / "t.parquet")
    name = str if as_text else int
    items = [name(item) for item in kept]
    content = {"file": "t.csv" if form == "csv" else "t.parquet", "list": "g", "split": ","}
    if not any(lists.values()):
        with pytest.raises(sources.UserError, match=r"match no row|is empty for every kept item"):
            read(folder, items, **content)
        return
    expected = counted_rows({name(item): list(elements) for item, elements in lists.items()})
    assert rows_of(read(folder, items, **content), items) == expected


@settings(max_examples=60)
@given(
    matrix=st.lists(st.lists(st.floats(-4, 4, width=16), min_size=2, max_size=2), min_size=1, max_size=8),
    form=st.sampled_from(["csv", "parquet", "list", "array", "0.1 0.2", "0.1,0.2", "[0.1, 0.2]", "[0.1; 0.2]"]),
    kept=st.sets(st.integers(0, 9), min_size=1), twice=st.booleans(),
)  # fmt: skip
def test_numbers_against_a_plain_reading(matrix, form, kept, twice, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp()
    frame = pl.DataFrame({"title": "x", "id": range(len(matrix)), "a1": [row[0] for row in matrix],
                          "a0": [row[1] for row in matrix]})  # fmt: skip
    frame = pl.concat([frame, frame]) if twice else frame
    content: dict = {"vector": "v"}
    if form in ("csv", "parquet"):
        content = {"columns": "a*"}
    elif form in ("list", "array"):
        lists = pl.concat_list("a1", "a0")
        frame = frame.select("id", v=lists.list.to_array(2) if form == "array" else lists)
    else:
        before, between, after = re.fullmatch(r"(\[?)0\.1(.+?)0\.2(\]?)", form).groups()
        frame = frame.select("id", v=pl.concat_str(pl.lit(before), "a1", pl.lit(between), "a0", pl.lit(after)))
    name = "t.csv" if form not in ("parquet", "list", "array") else "t.parquet"
    frame.write_csv(folder / name) if name == "t.csv" else frame.write_parquet(folder / name)
    expected = {item: matrix[item] for item in sorted(kept) if item < len(matrix)}
    if expected:
        assert rows_of(read(folder, list(kept), file=name, id="id", **content), list(kept)) == expected


def test_columns_of_numbers_that_are_not_named(tmp_path: Path) -> None:
    rows = [("id", "z", "name", "a", "none"), ("2", "1.5", "7", "-3", None), ("1", " 0", "x", "1e3", None)]
    write(tmp_path / "t.csv", rows, ",")
    pl.DataFrame({"id": [1, 2], "z": [0.0, 1.5], "n": ["7", "8"], "b": [True, False]}).write_parquet(
        tmp_path / "t.parquet"
    )
    assert rows_of(read(tmp_path, [1, 2], file="t.csv"), [1, 2]) == {1: [0, 1000], 2: [1.5, -3]}
    assert rows_of(read(tmp_path, [1, 2], file="t.parquet"), [1, 2]) == {1: [0, 1], 2: [1.5, 0]}
    assert rows_of(read(tmp_path, [1], file="t.csv", columns=["a", "z", "a*"]), [1]) == {1: [1000, 0]}


def test_an_item_without_a_vector_has_none_and_zeros_are_one(tmp_path: Path) -> None:
    write(tmp_path / "t.tsv", [("id", "v"), ("1", "[0, 0]"), ("2", None), ("3", "[]"), ("4", "[1,2]")], "\t")
    assert rows_of(read(tmp_path, [1, 2, 3, 4, 5], file="t.tsv", vector="v"), [1, 2, 3, 4, 5]) == {1: [0, 0], 4: [1, 2]}


@pytest.mark.parametrize("kind", ["text", "list"])
def test_hashed_words_are_in_a_bucket_each(kind: str, tmp_path: Path) -> None:
    rows = [("id", "t"), *((str(item), f"w{item} w{item % 3}") for item in range(50))]
    write(tmp_path / "t.csv", rows, ",")
    kept = list(range(50))
    plain = read(tmp_path, kept, file="t.csv", **{kind: "t"}).blocks[0].matrix.toarray()
    found = read(tmp_path, kept, file="t.csv", hashed=8, **{kind: "t"})
    matrix = found.blocks[0].matrix.toarray()
    assert matrix.shape == (50, 8)
    words = sorted({word for _, text in rows[1:] for word in text.split()})
    buckets = [counting.bucket_of(word, 8) for word in words]
    assert np.array_equal(matrix, plain @ np.eye(8)[buckets])
    again = read(tmp_path, kept, file="t.csv", hashed=8, **{kind: "t"}).blocks[0].matrix
    assert again.data.tobytes() == found.blocks[0].matrix.data.tobytes()


def test_the_most_frequent_words_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 2)
    write(tmp_path / "t.csv", [("id", "t"), ("1", "b c"), ("2", "b a"), ("3", "d"), ("4", "d d d")], ",")
    found = read(tmp_path, [1, 2, 3, 4], file="t.csv", text="t")
    assert rows_of(found, [1, 2, 3, 4]) == {1: [1, 0], 2: [1, 0], 3: [0, 1], 4: [0, 3]}
    assert found.warnings == ()
    write(tmp_path / "t.csv", [("id", "t"), ("1", "b c"), ("2", "e"), ("3", "a")], ",")
    assert read(tmp_path, [1, 2, 3], file="t.csv", list="t").warnings == (
        "textual: 1 of 3 items have none of the 2 most frequent words or elements, and 2 others are not counted; "
        "`hashed` counts all",
    )


@pytest.mark.parametrize("components", ["all", 0.9, 3, 500])
@pytest.mark.parametrize("kind", ["text", "columns"])
def test_what_is_read_can_be_reduced(kind: str, components, tmp_path: Path) -> None:
    rows = [("id", "n", "m", "t"), *((f"{k}", f"{k * k}", f"{k % 7}", f"w{k % 11} x{k % 5}") for k in range(40))]
    write(tmp_path / "t.csv", rows, ",")
    content = {"text": "t"} if kind == "text" else {"columns": ["n", "m"]}
    found = read(tmp_path, list(range(40)), file="t.csv", components=components, **content)
    matrix = reduced(found).matrix
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()
    assert matrix.shape[0] == 40
    assert found.blocks[0].components == (None if components == "all" else components)
    if components == "all":
        assert np.array_equal(matrix, found.blocks[0].matrix)
