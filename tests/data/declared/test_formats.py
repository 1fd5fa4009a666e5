"""A log gives the same rows in every format, however it is cut into files and parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared import declared, read, read_part, refused
from mma4ctr.cli import UserError
from mma4ctr.data.declared import times
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor

COLUMNS = ["user", "item", "time", "label"]
ROWS = [(7, 3, 1_500_000_001, 1), (7, 4, 1_500_000_000, 0), (-2, 3, 1_600_000_000, 1), (7, 3, 1_500_000_002, 0)]
MANY = pl.DataFrame(ROWS, schema=COLUMNS, orient="row")
EXPECTED = MANY.select("user", "item", device=pl.lit(0, pl.Int64), time="time", like="label")


def delimited(table: pl.DataFrame, separator: str, names: list[str] | None, end: str = "\n") -> bytes:
    """Write a table as text by hand, without quotes."""
    lines = [separator.join(names)] if names else []
    lines += [separator.join(map(str, row)) for row in table.rows()]
    return "".join(f"{line}{end}" for line in lines).encode()


TYPED = ["user:token", "item:token", "time:float", "label:float"]
BARE = {"header": COLUMNS}
FORMATS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "csv": ("log.csv", delimited(MANY, ",", COLUMNS), {}),
    "csv without names": ("log.csv", delimited(MANY, ",", None), BARE),
    "csv, crlf": ("log.csv", delimited(MANY, ",", COLUMNS, "\r\n"), {}),
    "csv with a mark": ("log.csv", b"\xef\xbb\xbf" + delimited(MANY, ",", COLUMNS), {}),
    "csv without names, with a mark": ("log.csv", b"\xef\xbb\xbf" + delimited(MANY, ",", None), BARE),
    "csv without a last end": ("log.csv", delimited(MANY, ",", COLUMNS).rstrip(), {}),
    "csv, quoted": ("log.csv", MANY.write_csv(quote_style="always").encode(), {}),
    "csv of semicolons": ("log.csv", delimited(MANY, ";", COLUMNS), {"separator": ";"}),
    "csv, packed": ("log.csv.gz", gzip.compress(delimited(MANY, ",", COLUMNS)), {}),
    "csv of another ending": ("log.log", delimited(MANY, ",", COLUMNS), {"format": "csv"}),
    "tsv": ("log.tsv", delimited(MANY, "\t", COLUMNS), {}),
    "data": ("u.data", delimited(MANY, "\t", None), BARE),
    "inter": ("log.inter", delimited(MANY, "\t", TYPED), {}),
    "inter of plain names": ("log.inter", delimited(MANY, "\t", COLUMNS), {}),
    "inter, packed": ("log.inter.gz", gzip.compress(delimited(MANY, "\t", TYPED)), {}),
    "two colons": ("ratings.dat", delimited(MANY, "::", None), {**BARE, "separator": "::"}),
    "two colons, names, crlf, mark": (
        "ratings.dat", b"\xef\xbb\xbf" + delimited(MANY, "::", COLUMNS, "\r\n"), {"separator": "::"}),
    "two colons, packed": ("ratings.dat.gz", gzip.compress(delimited(MANY, "::", None)), {**BARE, "separator": "::"}),
    "parquet": ("log.parquet", MANY, {}),
    "parquet of small types": ("log.parquet", MANY.cast({"user": pl.Int16, "item": pl.UInt8, "label": pl.Boolean}), {}),
    "parquet of floats": ("log.parquet", MANY.cast(pl.Float64), {}),
}  # fmt: skip


def write(folder: Path, name: str, content: bytes | pl.DataFrame) -> None:
    """Write what a test reads."""
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        content.write_parquet(folder / name)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    name, content, of = FORMATS[form]
    write(tmp_path, name, content)
    dataset = declared(interactions={"files": name, **of}, time="time")
    assert read(dataset, tmp_path).equals(EXPECTED)
    (file,) = dataset.interaction_files(tmp_path)
    dataset.explain(file)  # finds nothing
    assert dataset.interactions(Part(file), {}).collect().equals(EXPECTED)


def test_lists_of_users(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps({"0": [3, 7], "5": [], "12": [3]}))
    dataset = declared(interactions=["train.json"], labels=None, negatives={"ratio": 1})
    assert read(dataset, tmp_path).rows() == [(0, 3, 0, 0, 1), (0, 7, 0, 0, 1), (12, 3, 0, 0, 1)]
    assert dataset.order(tmp_path) == "place in the file, since no time is declared"
    (tmp_path / "train.json").write_text(json.dumps({"anna": ["x"], "bob": ["y", 7]}))
    assert read(dataset, tmp_path).select("user", "item").rows() == [("anna", "x"), ("bob", "y"), ("bob", "7")]


@pytest.mark.parametrize(("text", "said"), [
    ('{"0": [1], "0": [2]}', "a user is there twice"), ("[1]", "expected an object of lists"),
    ('{"0": 1}', "user '0' has 1, expected a list"), ('{"0": [1.5]}', "found the item 1.5"),
    ('{"0": [1]', "not valid JSON"), ('{"0": [null]}', "found the item None"), ('{"0": [[1]]}', "an item is a list"),
    ('{"0": [99999999999999999999]}', "an item is no integer|found the item"),
])  # fmt: skip
def test_lists_of_another_form_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "train.json").write_text(text)
    found = refused(declared(interactions="train.json", labels=None, negatives={"ratio": 1}), tmp_path)
    assert any(part in found for part in said.split("|")), found


def test_files_are_read_in_their_order_and_parts_by_number(tmp_path: Path) -> None:
    for name in ("part_10", "part_2", "part_1", "more"):
        number = name.removeprefix("part_").replace("more", "99")
        (tmp_path / f"{name}.csv").write_text(f"user,item,label\n{number},1,0\n")
    (tmp_path / "other").mkdir()
    dataset = declared(interactions=["more.csv", "part_*.csv", "part_1.csv"])
    assert read(dataset, tmp_path)["user"].to_list() == [99, 1, 2, 10]
    assert "nothing there is called no_*.csv, found more.csv, other, part_1.csv" in refused(
        declared(interactions="no_*.csv"), tmp_path
    )
    assert "no such folder, expected one with log.csv" in refused(declared(), tmp_path / "none")
    (tmp_path / "log.xyz").write_text("")
    assert "log.xyz: the ending .xyz is of no format" in refused(declared(interactions="log.xyz"), tmp_path)


def test_context_device_labels_and_left_out_rows(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        'user,item,what,hour,tab,phone,comment\nu1,i1,pv,3,a,x,"good, ""very"""\n'
        'u1,i2,buy,4,,y,\n007,i1,cart,5,b,x,"two\nlines"\n'
    )
    labels = {"bought": "what = 'buy'", "said": "comment <> ''"}
    dataset = declared(
        interactions={"files": "log.csv", "where": "hour >= 4"}, labels=labels, context=["hour", "tab"], device="phone"
    )
    found = read(dataset, tmp_path)
    assert found.columns == ["user", "item", "device", "hour", "tab", "time", "bought", "said"]
    assert found.select("user", "device", "hour", "tab", "bought", "said").rows() == [
        ("u1", "y", 4, "", 1, 0), ("007", "x", 5, "b", 0, 1)
    ]  # fmt: skip


class Cluster:
    """An executor that asks for parts of a few bytes."""

    is_local = False
    part_bytes = 40


@pytest.mark.parametrize(("name", "of"), [
    ("log.csv", {}), ("log.dat", {"separator": "::", "header": COLUMNS}), ("log.inter", {}), ("log.csv.gz", {}),
])  # fmt: skip
def test_parts_of_a_file_have_its_rows(tmp_path: Path, name: str, of: dict[str, Any]) -> None:
    table = pl.concat([MANY] * 20)
    text = delimited(table, of.get("separator", "," if "csv" in name else "\t"), None if of else COLUMNS)
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    dataset = declared(interactions={"files": name, **of}, time="time")
    parts = dataset.parts(Cluster(), dataset.interaction_files(tmp_path))  # type: ignore[arg-type]
    assert len(parts) == 1 if name.endswith("gz") else len(parts) > 10
    assert pl.concat([read_part(dataset, part) for part in parts]).equals(pl.concat([EXPECTED] * 20))


def test_a_file_with_quotes_is_not_cut(tmp_path: Path) -> None:
    MANY.write_csv(tmp_path / "log.csv", quote_style="always")
    dataset = declared()
    assert len(dataset.parts(Cluster(), dataset.interaction_files(tmp_path))) == 1  # type: ignore[arg-type]


WORDS = st.text(st.characters(exclude_characters='\0\r\n\t"', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
IDS = st.one_of(st.integers(-(2**63), 2**63 - 1).map(str), WORDS.map(lambda word: f"x{word}"))


@settings(max_examples=40)
@given(
    ids=st.lists(st.tuples(IDS, IDS, st.integers(-(4 * 10**9), 4 * 10**9), st.integers(0, 1)), min_size=1, max_size=8)
)
def test_any_table_is_read_back_from_every_format(
    ids: list[tuple[str, str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "formats"
    folder.mkdir(exist_ok=True)
    table = pl.DataFrame(ids, schema={"user": pl.String, "item": pl.String, "time": pl.Int64, "label": pl.Int64},
                         orient="row")  # fmt: skip
    table.write_csv(folder / "log.csv")
    table.write_csv(folder / "log.tsv", separator="\t", quote_style="never")
    (folder / "log.dat").write_bytes(delimited(table, "\x01\x01", COLUMNS))
    table.write_parquet(folder / "log.parquet")
    text = {"user": {"column": "user", "type": "text"}, "item": {"column": "item", "type": "text"}}
    for name, of in {"log.csv": {}, "log.tsv": {}, "log.dat": {"separator": "\x01\x01"}, "log.parquet": {}}.items():
        found = read(declared(interactions={"files": name, **of}, time="time", **text), folder)
        assert found.select("user", "item", "time", "like").rows() == table.rows(), name


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_whose_order_counts_keep_it(values: list[float]) -> None:
    ranks = times.ranked(pl.Series(values)).to_list()
    array = np.array(values)
    assert np.array_equal(np.argsort(ranks, kind="stable"), np.argsort(array, kind="stable"))
    assert all(
        (a == b) == (x == y) for a, x in zip(ranks, values, strict=True) for b, y in zip(ranks, values, strict=True)
    )


def test_modalities_are_read_for_kept_items(tmp_path: Path) -> None:
    np.save(tmp_path / "visual.npy", np.arange(12, dtype=np.float32).reshape(6, 2))
    (tmp_path / "items.csv").write_text("item,mark\n1,a\n2,b\n3,a\n")
    genres = {"file": "items.csv", "id": "item", "list": "mark", "components": "all"}
    visual = {"file": "visual.npy", "components": "all"}
    dataset = declared(modalities={"visual": visual, "genres": genres, "sound": "none.npy"})
    assert list(dataset.feature_files(tmp_path)) == ["visual", "genres"]
    found = {one.modality: one for one in dataset.read_modalities(tmp_path, np.array([1, 3]), {}, LocalExecutor())}
    assert found["visual"].matrix.tolist() == [[2, 3], [6, 7]] and found["genres"].items.tolist() == [1, 3]
    with pytest.raises(UserError, match=r"has none of the files of modalities, none.npy; .*small_dataset_path"):
        declared(modalities={"sound": "none.npy"}).feature_files(tmp_path)


def test_text_items_of_modalities_are_places(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,number\nb,5\na,4\nz,6\n")
    numbers = {"file": "items.csv", "id": "item", "columns": "number", "components": "all"}
    (found,) = declared(modalities={"numbers": numbers}).read_modalities(
        tmp_path, pl.Series(["a", "b", "c"]), {}, LocalExecutor()
    )
    assert found.items.tolist() == [0, 1] and found.matrix.tolist() == [[4], [5]]
