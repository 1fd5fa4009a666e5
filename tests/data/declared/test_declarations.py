"""Declarations are read as they are meant, or refused by the key that is wrong."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from declared import LEAST, declared
from mma4ctr.catalogue import Task
from mma4ctr.cli import UserError
from mma4ctr.data.contract import Negatives
from mma4ctr.data.declared import reading
from mma4ctr.store.records import INTER, MULTIMODAL

TABLE = {"file": "items.csv", "id": "item"}
YAML = """
interactions: {files: [part_*.csv, more.csv]}
user: user_id
item: {column: item_id, type: text}
time: {column: timestamp, unit: ms}
session: session_id
context: [hour, tab]
labels: {click: is_click, like: rating >= 4}
min_interactions: 20
published: {source: a book, rows: 7}
modalities:
  visual: image_feat.npy
  genres: {file: items.csv, id: item_id, list: genres, split: "|", components: all}
"""


def test_a_whole_declaration(tmp_path: Path) -> None:
    (tmp_path / "films.yaml").write_text(YAML)
    (tmp_path / "README.md").write_text("not a declaration")
    (tmp_path / ".hidden.yaml").write_text("][")
    (found,) = reading.declarations(tmp_path).values()
    assert (found.name, found.key, found.folder) == ("films", "films_dataset_path", "dataset/films")
    assert found.tasks == (Task("films_click", "films", "click"), Task("films_like", "films", "like"))
    assert found.actions == ("click", "like") and found.modalities == ("visual", "genres")
    assert found.context == ("hour", "tab") and found.minimum == 20 and found.negatives is None and found.place == 200
    assert found.declaration.modalities["genres"].components == "all"
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found and vars(copy) == vars(found)


def test_no_folder_has_no_declarations(tmp_path: Path) -> None:
    assert reading.declarations(tmp_path / "none") == {}


def test_a_log_of_clicks() -> None:
    found = declared(labels=None, negatives={"ratio": 4})
    assert found.negatives == Negatives(4, 0.75, 0) and found.actions == ("click",)
    assert found.tasks == (Task("small", "small", "click"),) and found.minimum == 10


def test_short_forms_are_the_long_ones() -> None:
    long = declared(
        interactions={"files": ["log.csv"]}, user={"column": "user"}, item={"column": "item"},
        time={"column": "time", "unit": "s"}, context=["hour"], device={"column": "device"},
        modalities={"visual": {"file": "visual.npy"}, "words": {**TABLE, "text": ["title"]}},
    )  # fmt: skip
    modalities = {"visual": "visual.npy", "words": {**TABLE, "text": "title"}}
    assert declared(time="time", context="hour", device="device", modalities=modalities) == long


@pytest.mark.parametrize(("changed", "of_interactions", "of_modalities"), [
    ({"labels": {"like": "label > 0"}}, True, False),
    ({"interactions": "other.csv"}, True, False),
    ({"modalities": {"visual": "other.npy"}}, False, True),
    ({"item": {"column": "item", "type": "text"}}, True, True),
    ({"min_interactions": 3}, False, False),
    ({"published": {"source": "a book"}}, False, False),
])  # fmt: skip
def test_versions_change_with_what_a_step_depends_on(
    changed: dict[str, Any], of_interactions: bool, of_modalities: bool
) -> None:
    before, after = declared(), declared(**changed)
    assert (before.version_for(INTER) != after.version_for(INTER)) is of_interactions
    assert (before.version_for(MULTIMODAL) != after.version_for(MULTIMODAL)) is of_modalities
    assert before.version_for(INTER) == declared().version_for(INTER)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "colour: unknown key, expected one of interactions, user, item, modalities, folder, time"),
    ({"modalities": {"visual": {**TABLE, "columms": ["a"]}}},
     r"modalities.visual.columms: unknown key, expected one of format, .*; correct or remove the key"),
    ({"time": {"column": "time", "unit": "sec"}}, "time.unit: found 'sec', expected one of s, ms, us, ns, date, order"),
    ({"time": 7}, "time.column: found 7, expected text; correct the value, in quotes if it is text"),
    ({"user": True}, "user.column: found True, expected text"),
    ({"user": None}, "user: the key is missing"),
    ({"interactions": {"format": "csv"}}, "interactions.files: the key is missing, expected a list of texts; add it"),
    ({"interactions": {"files": []}}, "interactions.files: found .., expected at least one"),
    ({"interactions": {"files": "a.csv", "header": "user,item"}},
     "interactions.header: found 'user,item', expected a list"),
    ({"interactions": {"files": "a.csv", "header": ["a", "a"]}},
     "interactions.header: found .*, expected different names"),
    ({"interactions": {"files": "a.csv", "format": "xlsx"}},
     "interactions.format: found 'xlsx', expected one of csv, tsv"),
    ({"interactions": {"files": "a.csv", "separator": ""}}, "interactions.separator: found '', expected a name"),
    ({"interactions": {"files": "a.csv", "separator": '"'}},
     "interactions.separator: found '\"', expected text without"),
    ({"interactions": {"files": "a.csv", "types": {"user": "float"}}},
     "interactions.types.user: found 'float', expected"),
    ({"interactions": {"files": "a.csv", "where": "a >"}}, "interactions.where: 'a >' is no SQL expression"),
    ({"interactions": "../log.csv"}, r"interactions.files: found '../log.csv', expected a file below the folder"),
    ({"interactions": "/log.csv"}, r"interactions.files: found '/log.csv', expected a file below the folder"),
    ({"interactions": {"files": "a.csv", "types": {"x": "text"}}},
     "interactions.types: found 'x', expected a column that"),
    ({"item": "user"}, "item: found 'user', expected another column than that of user"),
    ({"device": "a", "session": "b"}, "session: found 'b', expected device or session"),
    ({"context": ["time"]}, "context: found 'time', expected a column once"),
    ({"context": ["a", "a"]}, "context: found 'a', expected a column once"),
    ({"context": ["like"]}, "context: found 'like', expected a column once"),
    ({"labels": None}, "labels: the key is missing, expected labels, or negatives"),
    ({"labels": {}}, "labels: the key is missing, expected labels, or negatives"),
    ({"labels": {"Like": "a"}}, "labels: found 'Like', expected names of small letters"),
    ({"labels": {"user": "a"}}, "labels: found 'user', expected names of small letters"),
    ({"labels": {"like": 1}}, "labels.like: found 1, expected text"),
    ({"labels": {"like": "rating >="}}, "labels.like: 'rating >=' is no SQL expression of one row .*unable to parse"),
    ({"labels": {"like": "1 = 1"}}, "labels.like: found '1 = 1', which has no column"),
    ({"labels": {"like": "rating > AVG(rating)"}}, "labels.like: .*AVG looks at more than one row"),
    ({"labels": {"like": "LAG(a) OVER (ORDER BY b) > 1"}}, "labels.like: .* looks at more than one row"),
    ({"labels": {"a": "x", "b": "y"}, "negatives": {"ratio": 1}}, "labels: found 'a, b', expected one at most"),
    ({"negatives": {"ratio": 0}}, "negatives.ratio: found 0, expected a whole number, 1 or more"),
    ({"negatives": {"ratio": 1.5}}, "negatives.ratio: found 1.5, expected a whole number"),
    ({"negatives": {"ratio": 1, "popularity_power": -1}}, "negatives.popularity_power: found -1.0, expected a number"),
    ({"negatives": {"ratio": 1, "seed": -1}}, "negatives.seed: found -1, expected"),
    ({"negatives": 4}, "negatives: found 4, expected keys and values"),
    ({"min_interactions": -1}, "min_interactions: found -1, expected"),
    ({"min_interactions": True}, "min_interactions: found True, expected a whole number"),
    ({"modalities": {}}, "modalities: found '', expected 1 to 5"),
    ({"modalities": {f"m{k}": "a.npy" for k in range(6)}}, "modalities: found .*, expected 1 to 5"),
    ({"modalities": {"a_b": "a.npy"}}, "modalities: found 'a_b', expected names of small letters and digits"),
    ({"modalities": {"cross": "a.npy"}}, "modalities: found 'cross', expected names .* but not cross and concat"),
    ({"modalities": {"visual": 7}}, "modalities.visual: found 7, expected the name of a file, or keys among format"),
    ({"modalities": ["a.npy"]}, "modalities: found .*, expected keys and values"),
    ({"modalities": {"visual": "items.csv"}},
     "modalities.visual.id: the key is missing, expected the column of 'items.csv'"),
    ({"modalities": {"visual": {"file": "a.npy", "id": "x"}}},
     "modalities.visual.id: found 'x', expected none for an array"),
    ({"modalities": {"visual": {"file": "a.npy", "text": "x"}}},
     "modalities.visual.text: found .*, expected none for an"),
    ({"modalities": {"visual": {**TABLE, "ids": "x.txt"}}}, "modalities.visual.ids: found 'x.txt', expected id"),
    ({"modalities": {"visual": {**TABLE, "text": "a", "list": "b"}}},
     "modalities.visual: found 'text, list', expected one"),
    ({"modalities": {"visual": {**TABLE, "columns": []}}},
     "modalities.visual.columns: found .., expected at least one"),
    ({"modalities": {"visual": {**TABLE, "text": "a", "hashed": 1}}}, "modalities.visual.hashed: found 1, expected"),
    ({"modalities": {"visual": {**TABLE, "vector": "a", "hashed": 9}}},
     "modalities.visual.hashed: found 9, expected none"),
    ({"modalities": {"visual": {**TABLE, "components": 0}}}, "modalities.visual.components: found 0, expected a share"),
    ({"modalities": {"visual": {**TABLE, "components": 1.5}}},
     "modalities.visual.components: found 1.5, expected a share"),
    ({"modalities": {"visual": {**TABLE, "components": "most"}}},
     "modalities.visual.components: found 'most', expected"),
    ({"modalities": {"visual": {**TABLE, "encoding": "cp1252"}}},
     "modalities.visual.encoding: .*, expected one of utf-8"),
    ({"published": {"users": 3}}, "published.source: the key is missing, expected text; add it"),
    ({"folder": ""}, "folder: found '', expected a name"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "said"), BAD)
def test_a_key_that_is_wrong_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"^path.json: datasets.small: {said}") as error:
        declared(**changed)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500 and ";" in str(error.value)


@pytest.mark.parametrize(("text", "said"), [
    ("", ": is empty, expected the keys"),
    ("- a\n- b\n", ": found .*, expected keys and values"),
    ("user: a\nitem: [b\n", ":3: is no valid YAML"),
    ("user: a\n\titem: b\n", ":2: is no valid YAML"),
    ("user: a\nitem: b\nuser: c\n", ":3: the key 'user' is there twice"),
    ("user: a\nlabels: {like: a,\n  like: b}\n", ":3: the key 'like' is there twice"),
    ("user: !!python/object/apply:os.getcwd []\n", ":1: is no valid YAML"),
    ("a: 1\n---\nb: 2\n", ":2: is no valid YAML"),
    ("user: 2020-13-45\n", ": is no valid YAML"),
    ("user: \x00\n", ": is no valid YAML"),
    ("a: &a [*a]\n", ": a: unknown key"),
    ("user: &a [*a]\n", ": user.column: found .*, expected text"),
    ("# " + "x" * 2**20, ": has 1,048,578 bytes, expected a declaration of at most 1,048,576"),
    ("[" * 100_000, ""),
])  # fmt: skip
def test_a_file_that_is_no_declaration_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "small.yaml"
    rest = (
        "" if "user" not in text or "twice" in said or "valid" in said else "interactions: a\nitem: b\nmodalities: {}\n"
    )
    file.write_text(text + rest)
    with pytest.raises(UserError, match=f"^{re.escape(str(file))}{said}") as error:
        reading.declarations(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "said"), [
    ("ml-100k.yaml", "'ml-100k' is no name of a data set, .*; rename it, such as ml_100k"),
    ("7.yaml", "'7' is no name of a data set"),
    ("films.yml", "would not be read, expected a name such as films.yaml; rename it"),
    ("films.YAML", "would not be read, expected a name such as films.yaml; rename it"),
])  # fmt: skip
def test_a_file_of_another_name_is_not_passed_over(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text(YAML)
    with pytest.raises(UserError, match=said):
        reading.declarations(tmp_path)


@pytest.mark.parametrize("content", [None, 7, "text", [LEAST]])
def test_what_is_no_mapping_is_no_declaration(content: object) -> None:
    with pytest.raises(UserError, match=r"path.json: datasets.x: found .*, expected an object"):
        reading.parse("x", content, "path.json: datasets.x")
