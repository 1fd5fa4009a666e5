"""path.json: what loads, what it becomes, and what is refused, by key."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

import load_path as load_path_script
import mlp
import preprocess_inter
from bad_input import STEPS, listing, refusal
from load_path import load_path
from mma4ctr.data.registry import DATASETS
from mma4ctr.settings import DEFAULT_FILE, Settings, keys_of

PUBLISHED = (
    *("parent_folder", "dataset_path", "wechat_dataset_path", "tiktok_dataset_path", "graph_path", "modal_path"),
    *("matrix_path", "feed_embedding", "torch_model_path", "user_embedding_path", "saved_path", "temp_path"),
)
SWITCHES = (
    "datasets",
    *("protocol", "user_order", "user_embedding_length", "user_reduction", "user_history", "min_interactions"),
    *("click_threshold", "seed"),
)
KEYS = keys_of(DATASETS)


def folders_of(paths: Settings) -> dict[str, Path]:
    """Return the folders that data sets of code and steps have; declared data sets have further ones."""
    return {key: value for key, value in paths.by_key().items() if isinstance(value, Path) and key in PUBLISHED}


def write(folder: Path, **content: object) -> Path:
    file = folder / "path.json"
    file.write_text(json.dumps(content))
    return file


def test_a_file_with_the_published_keys_alone_loads(tmp_path: Path) -> None:
    paths = load_path(write(tmp_path, **{key: f"some/{key}" for key in PUBLISHED}))
    parent = tmp_path / "some" / "parent_folder"
    assert paths.parent_folder == parent
    assert all(paths.by_key()[key] == parent / "some" / key for key in PUBLISHED[1:])
    assert (paths.protocol, paths.user_embedding_length, paths.user_reduction) == ("published", 21, "pca")
    assert (paths.own["click_threshold"], paths.seed, paths.user_order) == (0.5, 0, "seeded")
    assert {name: paths.min_interactions[name] for name in DATASETS} == {"wechat": 100, "tiktok": 4000}


def test_the_keys_are_the_published_ones_and_the_switches(tmp_path: Path) -> None:
    assert set(folders_of(load_path(write(tmp_path)))) == set(PUBLISHED)
    assert set(KEYS) == {*PUBLISHED, *SWITCHES}


def test_the_defaults_are_the_shipped_file(tmp_path: Path) -> None:
    shipped = json.loads(DEFAULT_FILE.read_text())
    assert set(shipped) == set(KEYS)
    defaults, given = load_path(write(tmp_path)), load_path(write(tmp_path, **shipped))
    assert defaults == given
    assert load_path().declarations == DEFAULT_FILE.parent / "datasets"
    assert load_path().parent_folder == DEFAULT_FILE.parent / shipped["parent_folder"]


def test_folders_are_relative_to_parent_folder_and_that_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", parent_folder="../b", graph_path="graph", saved_path="/elsewhere/saved")
    monkeypatch.chdir(tmp_path)
    for file in ("a/path.json", str(tmp_path / "a" / "path.json")):
        paths = load_path(file)
        assert paths.parent_folder == tmp_path / "b"
        assert paths.graph_path == tmp_path / "b" / "graph"
        assert paths.saved_path == Path("/elsewhere/saved")
        assert paths.torch_model_path == tmp_path / "b" / "torch_model"
    absolute = load_path(write(tmp_path, parent_folder="/data"))
    assert absolute.matrix_path == Path("/data/matrix")


def test_the_object_is_frozen_and_typed(tmp_path: Path) -> None:
    paths = load_path(write(tmp_path, click_threshold=1, min_interactions={"tiktok": 7}))
    assert isinstance(paths, Settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        paths.seed = 1
    for table in (paths.min_interactions, paths.raw_folders, paths.own, paths.datasets):
        with pytest.raises(TypeError):
            table["tiktok"] = 1
        with pytest.raises(TypeError):
            table.update(tiktok=1)
        with pytest.raises(TypeError):
            table.clear()
    assert all(isinstance(paths.by_key()[key], Path) for key in PUBLISHED)
    assert type(paths.own["click_threshold"]) is float
    assert {name: paths.min_interactions[name] for name in DATASETS} == {"wechat": 100, "tiktok": 7}


def test_a_byte_order_mark_is_taken(tmp_path: Path) -> None:
    (tmp_path / "path.json").write_bytes(b'\xef\xbb\xbf{"seed": 3}')
    assert load_path(tmp_path / "path.json").seed == 3


def test_it_prints_every_key(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "data").mkdir()
    load_path_script.main(["--paths", str(write(tmp_path, seed=5))])
    lines = capsys.readouterr().out.splitlines()
    assert [key for line in lines if (key := line.split()[0]) in KEYS] == list(KEYS)
    assert f"{tmp_path / 'data'} (exists)" in lines[1]
    assert lines[-1].split() == ["seed", "5"]


SETTINGS = {
    "unknown key": ('{"matrix_pat": "matrix"}', "unknown key 'matrix_pat'"),
    "folder is a number": ('{"matrix_path": 3}', "matrix_path is 3, expected a folder"),
    "folder is empty": ('{"matrix_path": ""}', "matrix_path is '', expected a folder"),
    "folder with a zero byte": ('{"matrix_path": "a\\u0000"}', "matrix_path is .*, expected a folder"),
    "length is text": ('{"user_embedding_length": "21"}', "user_embedding_length is '21', expected a whole number"),
    "length is negative": ('{"user_embedding_length": -1}', "user_embedding_length is -1"),
    "length is huge": ('{"user_embedding_length": 1000000000}', "from 0 to 499"),
    "length is true": ('{"user_embedding_length": true}', "user_embedding_length is True"),
    "protocol": ('{"protocol": "dirty"}', "protocol is 'dirty', expected one of published, clean"),
    "protocol is a list": ('{"protocol": ["clean"]}', "expected one of published, clean"),
    "user order": ('{"user_order": "longest"}', "user_order is 'longest', expected one of seeded, length"),
    "reduction": ('{"user_reduction": null}', "user_reduction is None, expected one of pca, average_pooling"),
    "seed": ('{"seed": 1.5}', "seed is 1.5, expected a whole number"),
    "threshold": ('{"click_threshold": 0}', "click_threshold is 0, expected a number above 0"),
    "minimum": ('{"min_interactions": 100}', "min_interactions is 100, expected an object"),
    "minimum of another": ('{"min_interactions": {"netflix": 1}}', "keys wechat, tiktok"),
    "not JSON": ('{\n  "seed": 0\n  "protocol": "clean"\n}', "path.json:3: not valid JSON"),
    "not an object": ("[]", "found \\[\\], expected an object"),
    "empty": ("", "path.json:1: not valid JSON"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_bad_path_json_is_refused_by_key(case: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    content, said = SETTINGS[case]
    file = tmp_path / "path.json"
    file.write_text(content)
    for script in (*STEPS.values(), mlp, load_path_script):
        line = refusal(capfd, script.main, ["--paths", str(file)])
        assert line.startswith(str(file)), line
        assert re.search(said, line), line
    assert listing(tmp_path) == {"path.json"}


def test_a_missing_path_json(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    line = refusal(capfd, preprocess_inter.main, ["--paths", str(tmp_path / "no.json")])
    assert (
        line == f"{tmp_path / 'no.json'}: cannot be read (No such file or directory); give an existing file to --paths"
    )
