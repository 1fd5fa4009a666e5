"""A data set that is one file goes through every step; path.json and ``--dataset`` know of it by themselves."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import cross_matrix
import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
from bad_input import refusal
from load_path import load_path
from mma4ctr.data import datasets, registry
from mma4ctr.data.contract import DataSet
from mma4ctr.settings import DEFAULT_FILE, content_of
from mma4ctr.store import disk, reading

MODULE = '''
"""Shorts: a CSV of user,item,time,label, and a matrix of vectors whose row k belongs to item k."""

from types import MappingProxyType

import numpy as np
import polars as pl

from mma4ctr.catalogue import Task
from mma4ctr.data import raw_files
from mma4ctr.data.blocks import Modality
from mma4ctr.data.contract import DataSet
from mma4ctr.keys import Key, is_whole

COLUMNS = ("user", "item", "time", "label")


class Shorts(DataSet):
    """Short videos of nowhere."""

    name = "shorts"
    folder = "raw/shorts"
    tasks = (Task("shorts_liked", "shorts", "label"),)
    minimum = 10
    actions = ("label",)
    modalities = ("visual",)
    settings = MappingProxyType({"shorts_from": Key(0, "a time", is_whole)})

    def interaction_files(self, folder):
        return [folder / "log.csv"]

    def interactions(self, part, own):
        frame = raw_files.scan_integers(part, COLUMNS, COLUMNS, ("label",), separator=",", header=True)
        late = pl.col("time").is_null() | (pl.col("time") >= own["shorts_from"])
        return frame.filter(late).with_columns(device=pl.lit(0, pl.Int64))

    def feature_files(self, folder):
        file = folder / "vectors.npy"
        raw_files.require_file(file, self.key)
        return {"visual": [file]}

    def read_modalities(self, folder, kept, values, executor):
        yield Modality("visual", kept, np.load(folder / "vectors.npy")[kept])


DATASET = Shorts()
'''
STEPS = (preprocess_inter, preprocess_multimodal, get_user_embedding, cross_matrix, gen_matrix)
# User, item, time: 12 users who watch 30 times, later rows first, and come back to some of the 25 items.
ROWS = [(user, 3 * ((7 * user + 3 * k) % 25), 1000 - 30 * user - k) for user in range(12) for k in range(30)]


@pytest.fixture
def shorts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataSet]:
    """A data set of one file, known to every step while the test runs."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "shorts.py").write_text(MODULE)
    monkeypatch.setattr(datasets, "__path__", [*datasets.__path__, str(folder)])
    importlib.invalidate_caches()
    found = registry.discovered()
    monkeypatch.setitem(registry.DATASETS, "shorts", found["shorts"])
    for name, task in registry.tasks_in([found["shorts"]]).items():
        monkeypatch.setitem(registry.TASKS, name, task)
    yield found["shorts"]
    del sys.modules[f"{datasets.__name__}.shorts"], datasets.shorts


def write_logs(folder: Path) -> None:
    """Write `ROWS` with a label each, and the vectors of items, watched or not."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = [f"{user},{item},{time},{rng.integers(2)}" for user, item, time in ROWS]
    (folder / "log.csv").write_text("\n".join(["user,item,time,label", *lines, ""]))
    np.save(folder / "vectors.npy", rng.normal(size=(80, 6)).astype(np.float32))


def paths_file(folder: Path, **content: object) -> Path:
    file = folder / "path.json"
    file.write_text(json.dumps({"parent_folder": ".", **content}))
    return file


# ---- what is found


def test_what_is_shipped_is_found() -> None:
    assert list(registry.discovered()) == list(registry.DATASETS) == ["wechat", "tiktok"]
    assert list(registry.TASKS) == ["wechat", "tiktok_finish", "tiktok_like"]
    assert all(task.dataset == name for name, row in registry.DATASETS.items() for task in row.tasks)


def test_a_data_set_that_is_one_file_is_found_after_the_shipped_ones(shorts: DataSet) -> None:
    found = registry.discovered()
    assert list(found) == ["wechat", "tiktok", "shorts"]
    assert found["shorts"] is shorts
    assert list(registry.tasks_in(found.values())) == ["wechat", "tiktok_finish", "tiktok_like", "shorts_liked"]
    assert registry.chosen_tasks(load_path(), ["shorts_liked"]) == ["shorts_liked"]


# ---- every step


def test_it_goes_through_steps_1_to_6(shorts: DataSet, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    write_logs(tmp_path / "logs")
    file = paths_file(tmp_path, shorts_dataset_path="logs", min_interactions={"shorts": 30}, protocol="clean")
    to, settings = ["--paths", str(file)], load_path(file)
    assert settings.raw_folder("shorts") == tmp_path / "logs"
    for step in STEPS:
        step.main(to)  # the one data set whose logs are there
        assert not [line for line in capfd.readouterr().out.splitlines() if "wechat" in line or "tiktok" in line]
    rows = reading.load(settings, "rows", task="shorts_liked", protocol="clean")
    log = [list(map(int, line.split(","))) for line in (tmp_path / "logs" / "log.csv").read_text().split()[1:]]
    first: dict[tuple[int, int], int] = {}
    for user, item, _, label in sorted(log, key=lambda row: (row[0], row[2])):
        first.setdefault((user, item), label)
    items = reading.load(settings, "items", dataset="shorts")
    assert items.tolist() == list(range(0, 75, 3))
    assert [(user, 3 * item, label) for user, item, label in rows.tolist()] == [
        (*p, label) for p, label in first.items()
    ]
    assert len(rows) == 12 * 25
    vectors = reading.load(settings, "modality", dataset="shorts", modality="visual")
    assert vectors.tobytes() == np.load(tmp_path / "logs" / "vectors.npy")[items].tobytes()
    train = [*to, "--dataset", "shorts_liked", "--epochs", "2", "--batch_size", "64", "--device", "cpu"]
    (run,) = mlp.main(train)
    assert capfd.readouterr().out.splitlines()[-1].endswith(f"protocol=clean run={run}")
    for step in STEPS:
        step.main(to)
        assert "up to date" in capfd.readouterr().out
    assert "'va_cross': unknown, expected one of visual;" in refusal(capfd, mlp.main, [*train, "--feature", "va_cross"])


def test_a_key_of_its_own_is_what_its_records_depend_on(
    shorts: DataSet, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    write_logs(tmp_path / "raw" / "shorts")  # the default folder
    to = ["--paths", str(paths_file(tmp_path))]
    preprocess_inter.main(to)
    assert "raw: 360 rows" in capfd.readouterr().out
    paths_file(tmp_path, shorts_from=701)
    line = refusal(capfd, preprocess_multimodal.main, to)
    assert "built with shorts_from 0," in line and "says 701; rerun python preprocess_inter.py" in line
    preprocess_inter.main(to)
    assert "raw: 300 rows" in capfd.readouterr().out


def test_a_broken_row_is_refused_by_its_file(shorts: DataSet, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    write_logs(tmp_path / "raw" / "shorts")
    log = tmp_path / "raw" / "shorts" / "log.csv"
    to = ["--paths", str(paths_file(tmp_path)), "--dataset", "shorts"]
    for broken in ("1,2,3", "1,2,3,2", "1,2,3,1,4", "1,x,3,1", ""):
        lines = log.read_text().splitlines()
        lines[7] = broken
        log.write_text("\n".join([*lines, ""]))
        assert refusal(capfd, preprocess_inter.main, to).startswith(f"{log}: ")


# ---- the default of --dataset


def test_the_default_is_every_data_set_whose_logs_are_there(shorts: DataSet, tmp_path: Path) -> None:
    settings = load_path(paths_file(tmp_path))
    everything = ["wechat", "tiktok", "shorts"]
    assert registry.chosen(settings, None) == registry.chosen(settings, []) == everything
    for name in everything:
        settings.raw_folder(name).mkdir(parents=True)
    assert registry.chosen(settings, None) == everything  # empty folders are no logs
    assert registry.chosen_tasks(settings, None) == list(registry.tasks_of(settings, everything))
    (settings.raw_folder("shorts") / "log.csv").touch()
    assert registry.chosen(settings, None) == ["shorts"]
    assert registry.chosen_tasks(settings, None) == ["shorts_liked"]
    assert registry.chosen(settings, ["tiktok", "wechat"]) == ["tiktok", "wechat"]
    (settings.raw_folder("wechat") / "user_action.csv").touch()
    assert registry.chosen(settings, None) == ["wechat", "shorts"]
    assert registry.chosen_tasks(settings, None) == ["wechat", "shorts_liked"]


def test_logs_that_were_put_away_after_step_1_still_count(shorts: DataSet, tmp_path: Path) -> None:
    write_logs(tmp_path / "raw" / "shorts")
    file = paths_file(tmp_path)
    preprocess_inter.main(["--paths", str(file)])
    (tmp_path / "raw").rename(tmp_path / "away")
    assert registry.chosen(load_path(file), None) == ["shorts"]


# ---- path.json


@pytest.mark.parametrize("content", [
    {}, {"click_threshold": 0.3, "min_interactions": {"tiktok": 7, "shorts": 3}, "shorts_from": 5, "seed": 4},
    {"shorts_dataset_path": "/logs/shorts", "wechat_dataset_path": "w", "saved_path": "s", "protocol": "clean"},
])  # fmt: skip
def test_settings_travel_by_pickle_and_by_path_json(content: dict, shorts: DataSet, tmp_path: Path) -> None:
    settings = load_path(paths_file(tmp_path, **content))
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert list(copy.datasets)[:3] == ["wechat", "tiktok", "shorts"]
    assert copy.by_key() == settings.by_key()
    assert type(copy.datasets["shorts"]) is type(shorts)
    assert copy.dataset_of("shorts_liked") == "shorts"
    (tmp_path / "elsewhere").mkdir()
    written = tmp_path / "elsewhere" / "path.json"
    disk.write_json(written, content_of(settings))
    again = load_path(written)
    assert dataclasses.replace(again, file=settings.file) == settings
    assert content_of(again) == content_of(settings)
    assert settings.min_interactions["shorts"] == content.get("min_interactions", {}).get("shorts", 10)
    assert settings.value("shorts_from", "shorts") == content.get("shorts_from", 0)


def test_keys_of_an_unknown_data_set_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    for key, value in (("shorts_dataset_path", "logs"), ("shorts_from", 3), ("shorts", "logs")):
        file = paths_file(tmp_path, **{key: value})
        assert f"unknown key '{key}'" in refusal(capfd, preprocess_inter.main, ["--paths", str(file)])
    file = paths_file(tmp_path, min_interactions={"shorts": 3})
    assert "with the keys wechat, tiktok" in refusal(capfd, preprocess_inter.main, ["--paths", str(file)])


def test_values_that_its_keys_do_not_take_are_refused(
    shorts: DataSet, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    wrong = {"shorts_from": "soon", "shorts_dataset_path": 3, "shorts_path": "logs", "min_interactions": {"clips": 3}}
    for key, value in wrong.items():
        file = paths_file(tmp_path, **{key: value})
        said = "unknown key 'shorts_path'" if key == "shorts_path" else f"{key} is {value!r}, expected"
        assert said in refusal(capfd, preprocess_inter.main, ["--paths", str(file)])
    assert load_path(DEFAULT_FILE).raw_folder("shorts").parts[-2:] == ("raw", "shorts")
