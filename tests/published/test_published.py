"""The published tables: complete, digit for digit, and their contradictions computed."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from mma4ctr.catalogue import MODALITIES, features_among
from mma4ctr.cli import UserError
from mma4ctr.data.registry import TASKS
from mma4ctr.published import tables as published
from samples import ROOT

SEED = ROOT.parent / "shared" / "seeds" / "mma4ctr_readme.md"
# Table, without its data set -> cells.
CELLS = {
    "4.1": 20, "4.2": 20, "4.3": 20, "5.1": 6, "5.2": 6, "5.3": 2, "5.4": 6, "5.5": 12, "5.6": 2,
    "performance": 9 * 8, "epochs": 9 * 10, "computation": 9 * 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> pl.DataFrame:
    return published.load()


@pytest.fixture(scope="module")
def contradictions() -> pl.DataFrame:
    return published.contradictions()


def cell(tables: pl.DataFrame, table: str, **where: object) -> dict:
    """Return the one row of a table for which every column has the value given."""
    chosen = tables.filter(pl.col("table") == table, *(pl.col(name) == value for name, value in where.items()))
    return chosen.row(0, named=True) if len(chosen) == 1 else pytest.fail(f"{len(chosen)} rows")


def of_table(number: int, name: str) -> str:
    """Return the name of a table of data set 1 or 2: ``4.1.3``, ``6.1 epochs``."""
    section, _, rest = name.partition(".")
    return f"{section}.{number}.{rest}" if rest else f"6.{number} {name}"


def test_every_table_has_all_of_its_cells(tables: pl.DataFrame) -> None:
    counted = dict(tables.group_by("table").len().iter_rows())
    assert counted == {of_table(number, name): cells for number in (1, 2) for name, cells in CELLS.items()}
    assert tables.select("table", "model", "setting", "epochs", "figure").is_unique().all()


def test_columns_have_their_types_and_tasks_their_tables(tables: pl.DataFrame) -> None:
    strings = dict.fromkeys(("table", "task", "model", "setting", "figure", "printed"), pl.String)
    assert dict(tables.schema) == {**strings, "epochs": pl.Int64, "value": pl.Float64}
    assert set(tables["task"]) <= set(TASKS)
    assert (tables["task"] == tables["table"].str.slice(2, 1).replace_strict({"1": "wechat", "2": "tiktok_like"})).all()
    assert set(tables["figure"]) == {"auc", "logloss", "train_seconds", "test_seconds", "parameters"}
    in_range = tables.filter(pl.col("figure") == "auc")["value"].drop_nulls().is_between(0, 1)
    assert in_range.all()


@pytest.mark.parametrize(
    ("table", "where", "printed"),
    [
        ("4.1.1", {"epochs": 65}, "0.950838422077388"),
        ("4.1.2", {"setting": "learning_rate=0.01", "epochs": 10}, "0.50"),
        ("4.2.2", {"setting": "learning_rate=0.00005", "epochs": 30}, "0.8924454166511333"),
        ("4.1.3", {"setting": "batch_size=32768", "epochs": 30}, "0.9521014180668835"),
        ("5.1.1", {"setting": "feature=va_concat", "epochs": 10}, "0.9448939390895489"),
        ("5.2.4", {"setting": "feature=textual", "epochs": 30}, "0.8933923393578772"),
        ("5.1.5", {"setting": "user_embedding_length=5", "epochs": 10}, "0.9499813423764779"),
        ("5.2.6", {"setting": "interruption_and_halving=without", "epochs": 30}, "0.8769545378850909"),
        ("6.1 performance", {"model": "LightGCN", "epochs": 30, "figure": "logloss"}, "20.366"),
        ("6.1 epochs", {"model": "GCSAN", "epochs": 100}, "0.7903"),
        ("6.2 performance", {"model": "MMa4CTR", "epochs": 10, "figure": "auc"}, "0.8948"),
        ("6.2 computation", {"model": "FPMC", "figure": "parameters"}, "584966336"),
        ("6.1 computation", {"model": "MMa4CTR", "figure": "train_seconds"}, "180.78"),
    ],
)
def test_spot_values(tables: pl.DataFrame, table: str, where: dict, printed: str) -> None:
    found = cell(tables, table, **where)
    assert found["printed"] == printed
    assert found["value"] == float(printed)


def test_blank_cells_are_null_and_only_they(tables: pl.DataFrame) -> None:
    blank = tables.filter(pl.col("value").is_null())
    assert blank["printed"].is_null().all()
    counted = dict(blank.group_by(pl.concat_str("table", "model", separator=" ")).len().iter_rows())
    assert counted == {
        "6.1 performance GCSAN": 2,
        "6.2 performance NGCF": 8, "6.2 performance GCSAN": 8, "6.2 performance BERT4Rec": 4,
        "6.2 epochs NGCF": 10, "6.2 epochs BERT4Rec": 6, "6.2 epochs GCSAN": 5, "6.2 epochs DIN": 5,
        "6.2 computation NGCF": 2,
    }  # fmt: skip
    assert tables["epochs"].is_null().sum() == 2 * CELLS["computation"]


def test_configurations_are_resolved() -> None:
    rows = published.configurations()
    ours, theirs = rows.filter(pl.col("model") == "MMa4CTR"), rows.filter(pl.col("model") != "MMa4CTR")
    assert theirs.select(published.CONFIGURATION).null_count().row(0) == (len(theirs),) * 5
    assert ours.select(published.CONFIGURATION).null_count().row(0) == (0,) * 5
    assert set(ours["feature"]) == set(features_among(MODALITIES))
    found = cell(rows, "5.1.5", setting="user_embedding_length=0", epochs=10)
    assert [found[key] for key in published.CONFIGURATION] == [0.001, 8192, "vat_concat", 0, "with"]
    found = cell(rows, "4.2.2", setting="learning_rate=0.00001", epochs=30)
    assert [found[key] for key in published.CONFIGURATION] == [0.00001, 8192, "vat_concat", 21, "without"]
    found = cell(rows, "5.1.6", setting="interruption_and_halving=without")
    assert [found[key] for key in published.CONFIGURATION] == [0.001, 8192, "vat_concat", 21, "without"]


@pytest.mark.parametrize(
    ("where", "tables"),
    [
        ({"task": "wechat", "epochs": 10, "interruption_and_halving": "without"}, ["4.1.1", "4.1.2", "4.1.3"]),
        ({"task": "wechat", "epochs": 30, "interruption_and_halving": "without"}, ["4.1.1", "4.1.2", "4.1.3", "5.1.6"]),
        (
            {"task": "tiktok_like", "epochs": 30, "interruption_and_halving": "with"},
            ["5.2.5", "5.2.6", "6.2 performance", "6.2 epochs"],
        ),
        ({"task": "wechat", "epochs": 10, "model": "BPR"}, ["6.1 performance", "6.1 epochs"]),
        ({"task": "tiktok_like", "epochs": 30, "model": "DIEN"}, ["6.2 performance", "6.2 epochs"]),
    ],
)
def test_known_contradictions_are_found(contradictions: pl.DataFrame, where: dict, tables: list[str]) -> None:
    chosen = contradictions.filter(*(pl.col(name) == value for name, value in where.items()))
    assert chosen["tables"].to_list() == [tables]
    assert len(chosen["printed"][0]) == len(tables)


def test_tables_that_agree_do_not_contradict(contradictions: pl.DataFrame) -> None:
    assert len(contradictions) == 48
    assert set(contradictions["figure"]) == {"auc"}
    tiktok = contradictions.filter(pl.col("task") == "tiktok_like")
    assert not set(tiktok["model"]) & {"BPR", "FPMC", "LightGCN", "NGCF", "GCSAN"}
    assert tiktok.filter(pl.col("model") == "DIEN")["epochs"].to_list() == [30, 50]
    assert not contradictions.filter(pl.col("learning_rate") != 0.001).height


@pytest.mark.parametrize(
    ("printed", "contradicts"),
    [
        (["0.8948", "0.89484"], False),
        (["0.8948", "0.89486"], True),
        (["0.50", "0.5"], False),
        (["0.50", "0.5003212664049789"], False),
        (["601", "601.4"], False),
        (["0.8956", "0.89560789", "0.89564"], True),  # the last two differ, though both agree with the first
        (["0.9"], False),
    ],
)
def test_the_fewer_digits_of_two_decide(printed: list[str], contradicts: bool) -> None:
    assert published.disagree(printed) == contradicts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("table,task\n1,2\n", "found the columns table, task"),
        ("table,task,model,setting,epochs,figure,value\na,b,c,d,ten,auc,0.5\n", "not a number"),
        ("table,task,model,setting,epochs,figure,value\na,b,c,d,10,auc,half\n", "not a number"),
        ("", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str) -> None:
    file = tmp_path / "published.csv"
    file.write_text(text)
    monkeypatch.setattr(published, "FILE", file)
    with pytest.raises(UserError, match=complaint) as refused:
        published.load()
    assert "\n" not in str(refused.value)


def seed_tables() -> dict[str, list[list[list[str]]]]:
    """Return section -> its markdown tables, each a list of rows of cells, header first, from section 4 on."""
    text = SEED.read_text().partition("\n## 4. ")[2]
    found: dict[str, list[list[list[str]]]] = {}
    for section, body in re.findall(r"^#{3,4} (\d[\d.]*\d)\.? .*\n((?:(?!#{2,4} \d).*\n?)*)", text, re.MULTILINE):
        blocks = re.findall(r"(?:^\|.*\n?)+", body, re.MULTILINE)
        found[section] = [
            [[entry.strip() for entry in row.split("|")[1:-1]] for row in block.strip().split("\n")]
            for block in blocks
        ]  # fmt: skip
    return found


def cells_of_sections_4_and_5(table: str, header: list[str], row: list[str]) -> dict[tuple, str]:
    """Return (table, model, value of the setting, epochs, figure) -> text of the cells of one row."""
    cells = {}
    for place, (column, text) in enumerate(zip(header, row, strict=True)):
        if column == "AUC":
            cells[table, "MMa4CTR", "", int(row[place - 1]), "auc"] = text
        elif column in ("with", "without"):
            cells[table, "MMa4CTR", column, 30, "auc"] = text
        elif column.startswith("epoch = "):
            cells[table, "MMa4CTR", row[0].split(":")[0], int(column.split()[-1]), "auc"] = text
    return cells


def cells_of_section_6(section: str, header: list[str], row: list[str]) -> dict[tuple, str]:
    """Return (table, model, "", epochs, figure) -> text of the cells of one row."""
    if header[0] == "Epoch":
        named = {(f"{section} epochs", model, "", int(row[0]), "auc"): model for model in header[1:]}
    elif "@" in header[1]:
        split = {column: column.lower().split("@") for column in header[1:]}
        named = {(f"{section} performance", row[0], "", int(n), name): column for column, (name, n) in split.items()}
    else:
        names = zip(("train_seconds", "test_seconds", "parameters"), header[1:], strict=True)
        named = {(f"{section} computation", row[0], "", None, name): column for name, column in names}
    return {key: row[header.index(column)].replace(",", "") for key, column in named.items()}


def seed_cells() -> dict[tuple, str]:
    """Return (table, model, value of the setting, epochs, figure) -> the text of every cell of the description."""
    cells: dict[tuple, str] = {}
    for section, blocks in seed_tables().items():
        cells_of = cells_of_section_6 if section[0] == "6" else cells_of_sections_4_and_5
        for header, _, *rows in blocks:
            for row in rows:
                cells |= cells_of(section, header, row)
    return cells


@pytest.mark.skipif(not SEED.exists(), reason="the published description is not beside the repository")
def test_every_number_is_as_published(tables: pl.DataFrame) -> None:
    columns = tables.select(
        "table",
        "model",
        pl.col("setting").str.split("=").list.last(),
        "epochs",
        "figure",
        pl.col("printed").fill_null(""),
    )
    ours = {row[:5]: row[5] for row in columns.iter_rows()}
    assert len(ours) == len(tables)
    assert ours == seed_cells()
