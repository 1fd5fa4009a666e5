"""Settings as an object: it travels to other processes, is written as a path.json again, and tells data sets apart."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

from mma4ctr.data.registry import DATASETS, load_settings
from mma4ctr.settings import content_of, keys_of


def write(folder: Path, content: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "path.json").write_text(json.dumps(content))
    return folder / "path.json"


def test_it_travels_and_is_written_again(tmp_path: Path) -> None:
    given = {"click_threshold": 0.3, "min_interactions": {"tiktok": 7}, "tiktok_dataset_path": "there"}
    settings = load_settings(write(tmp_path / "a", given))
    travelled = pickle.loads(pickle.dumps(settings))
    assert travelled == settings
    assert {name: type(travelled.datasets[name]) for name in DATASETS} == {
        name: type(dataset) for name, dataset in DATASETS.items()
    }
    changed = dataclasses.replace(settings, seed=3)
    again = load_settings(write(tmp_path / "b", content_of(changed)))
    assert again == dataclasses.replace(changed, file=again.file)
    assert again != dataclasses.replace(settings, file=again.file)


def test_a_value_is_that_of_a_data_set(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, {"click_threshold": 0.3, "min_interactions": {"tiktok": 7}, "seed": 5}))
    assert settings.value("min_interactions", "tiktok") == 7
    assert settings.value("min_interactions", "wechat") == 100
    assert settings.value("click_threshold", "wechat") == 0.3
    assert settings.value("seed", "tiktok") == 5
    assert {task: settings.dataset_of(task) for task in ("wechat", "tiktok_finish", "tiktok_like")} == {
        "wechat": "wechat", "tiktok_finish": "tiktok", "tiktok_like": "tiktok",
    }  # fmt: skip


def test_every_data_set_has_a_folder_and_a_minimum(tmp_path: Path) -> None:
    keys = keys_of({**DATASETS, "netflix": DATASETS["tiktok"]})
    assert keys["netflix_dataset_path"].default == DATASETS["tiktok"].folder
    assert keys["min_interactions"].read({"netflix": 1}) == {"wechat": 100, "tiktok": 4000, "netflix": 1}


def test_another_embedding_has_a_folder_of_its_own(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, {}))
    assert settings.with_embedding("pca", 21) is settings
    own, folder = settings.with_embedding("average_pooling", 5), settings.saved_path / "settings" / "average_pooling_5"
    assert (own.user_reduction, own.user_embedding_length) == ("average_pooling", 5)
    assert (own.file, own.user_embedding_path) == (folder / "path.json", folder / "user_all_embeddings")
    assert own.matrix_path == settings.matrix_path
