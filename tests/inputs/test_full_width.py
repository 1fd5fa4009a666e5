"""The width of the input on tables of the full data's width is the published one.

Asserted: in_features of every feature, length 0, and that few items give fewer columns.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dense import dense_part, everything
from load_path import load_path
from mma4ctr.catalogue import MODALITIES, features_among
from mma4ctr.cli import UserError
from mma4ctr.features import build, build_users
from mma4ctr.features import dense as dense_files
from mma4ctr.inputs import gather
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading, records
from mma4ctr.store.building import Build, Built
from mma4ctr.store.records import Keys
from mma4ctr.training.batches import Batches
from samples import with_changes
from small_problem import CPU

# Widths of the modalities on the full data, and in_features of each feature with 21 + 1 user columns a modality.
FULL = {
    "wechat": (
        {"visual": 192, "acoustic": 242, "textual": 73},
        {
            "visual": 150, "acoustic": 150, "textual": 95, "va_concat": 172, "vt_concat": 172, "at_concat": 172,
            "va_cross": 172, "vt_cross": 117, "at_cross": 117, "vat_cross": 139, "vat_concat": 194,
        },
        129,
    ),
    "tiktok": (
        {"visual": 71, "acoustic": 10, "textual": 22},
        {
            "visual": 93, "acoustic": 32, "textual": 44, "va_concat": 125, "vt_concat": 137, "at_concat": 76,
            "va_cross": 54, "vt_cross": 66, "at_cross": 54, "vat_cross": 76, "vat_concat": 169,
        },
        104,
    ),
}  # fmt: skip
TASK_OF = {"wechat": "wechat", "tiktok": "tiktok_like"}


def leave(paths: Settings, script: str, dataset: str, built: Built, keys: Keys | None = None) -> None:
    """Leave the record of files that were written without their step."""
    Build(paths, script, dataset, keys, expected=(), built_on={}).commit(built)


def write_features(paths: Settings, dataset: str) -> None:
    """Do what steps 4 and 5 do."""
    for script in ("cross_matrix.py", "gen_matrix.py"):
        leave(paths, script, dataset, build.write_matrices(paths, dataset, script, MODALITIES))


def write_modalities(paths: Settings, dataset: str, matrices: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Do what step 2 does, for given items and matrices by modality."""
    written = [
        artifacts.save(paths, name, array, dataset=dataset, modality=modality)
        for modality, arrays in matrices.items()
        for name, array in zip(("modality_items", "modality"), arrays, strict=True)
    ]
    leave(paths, records.MULTIMODAL, dataset, Built(written, {}, MODALITIES))


def write_rows(paths: Settings, dataset: str, users: np.ndarray, items: np.ndarray, rows: np.ndarray) -> None:
    """Do what step 1 does, for given rows of both protocols."""
    written = [artifacts.save(paths, "users", users, dataset=dataset)]
    written.append(artifacts.save(paths, "items", items, dataset=dataset))
    task = TASK_OF[dataset]
    written += [artifacts.save(paths, "rows", rows.astype(np.int32), task=task, protocol=name) for name in PROTOCOLS]
    leave(paths, records.INTER, dataset, Built(written, {}, [task]))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Random modalities of the full data's width for 300 items and 50 users, put through steps 3, 4 and 5."""
    file = tmp_path_factory.mktemp("wide") / "path.json"
    file.write_text(json.dumps({"parent_folder": ".", "protocol": "clean"}))
    paths, rng = load_path(file), np.random.default_rng(0)
    for dataset, (widths, _, _) in FULL.items():
        items = np.arange(300) * 3
        users = np.column_stack([np.arange(50) * 11 + 5, rng.integers(1, 3, 50)])
        pairs = np.column_stack([np.repeat(np.arange(50), 20), rng.integers(0, 300, 1000), rng.integers(0, 2, 1000)])
        write_rows(paths, dataset, users, items, pairs)
        has = {modality: np.arange(300) % 10 != number for number, modality in enumerate(widths)}
        write_modalities(paths, dataset, {
            modality: (items[has[modality]], rng.normal(size=(has[modality].sum(), width)).astype(np.float32))
            for modality, width in widths.items()
        })  # fmt: skip
        write_features(paths, dataset)
        for protocol in PROTOCOLS:
            keys = records.embedding_keys(paths, TASK_OF[dataset], protocol)
            built = build_users.write_user_embeddings(paths, TASK_OF[dataset], protocol, MODALITIES)
            leave(paths, build_users.EMBEDDING, dataset, built, keys)
    return paths


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dataset", FULL)
def test_in_features_of_every_feature(wide: Settings, dataset: str, protocol: str) -> None:
    _, in_features, _ = FULL[dataset]
    features = features_among(MODALITIES)
    found = {name: gather.load(wide, TASK_OF[dataset], name, protocol, {"content"}).sizes.content for name in features}
    assert found == in_features


@pytest.mark.parametrize("dataset", FULL)
def test_length_0_takes_the_bare_user_id(wide: Settings, dataset: str) -> None:
    _, _, in_features = FULL[dataset]
    paths = with_changes(wide, user_embedding_length=0)
    factors = gather.load(paths, TASK_OF[dataset], "vat_concat", "clean", {"content"})
    assert factors.sizes.content == in_features
    ids = reading.load(paths, "users", dataset=dataset)[:, 0]
    np.testing.assert_allclose(factors.content.users.ravel(), (ids - ids.min()) / np.ptp(ids), rtol=1e-6)
    for feature in set(features_among(MODALITIES)) - {"vat_concat"}:
        with pytest.raises(UserError, match="user_embedding_length is 0"):
            gather.load(paths, TASK_OF[dataset], feature, "clean", {"content"})


@pytest.mark.parametrize("dataset", FULL)
def test_a_dense_file_has_a_column_more_than_the_input(wide: Settings, dataset: str) -> None:
    _, in_features, without = FULL[dataset]
    for feature, width in in_features.items():
        file = dense_files.write(wide, TASK_OF[dataset], feature, "clean", "embeddings")
        assert np.load(file, mmap_mode="r").shape[1] == width + 1
    bare = with_changes(wide, user_embedding_length=0)
    file = dense_files.write(bare, TASK_OF[dataset], "vat_concat", "clean", "embeddings")
    assert np.load(file, mmap_mode="r").shape[1] == without + 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("feature", ["visual", "vat_concat", "va_cross"])
def test_reduced_features_are_gathered_from_the_same_table_as_the_dense_file(
    wide: Settings, feature: str, protocol: str
) -> None:
    dense = np.load(dense_files.write(wide, "wechat", feature, protocol, "embeddings"))
    factors = gather.load(wide, "wechat", feature, protocol, {"content"})
    for name in PARTS:
        batch, _ = everything(Batches(factors, name, CPU), 100)
        assert batch.astype(np.float64).tobytes() == dense_part(factors, dense, name)[:, :-1].tobytes()


def test_a_part_with_a_single_class_is_refused(wide: Settings, tmp_path: Path) -> None:
    paths = with_changes(wide, graph_path=tmp_path)
    rows = reading.load(wide, "rows", task="tiktok_like", protocol="clean")
    rows[18::20, 2] = rows[19::20, 2] = 0  # of 20 rows a user, the last two are test rows
    write_rows(paths, "tiktok", *(reading.load(wide, name, dataset="tiktok") for name in ("users", "items")), rows)
    with pytest.raises(UserError, match=r"the test part has \d+ rows and 0 clicks"):
        gather.load(paths, "tiktok_like", "vat_concat", "clean", {"content"})


@pytest.mark.parametrize("items", [2, 5, 40])
@pytest.mark.parametrize("dataset", FULL)
def test_few_items_give_fewer_columns_and_no_crash(tmp_path: Path, dataset: str, items: int) -> None:
    (tmp_path / "path.json").write_text(json.dumps({"parent_folder": "."}))
    paths, rng = load_path(tmp_path / "path.json"), np.random.default_rng(0)
    write_modalities(paths, dataset, {
        modality: (np.arange(items), rng.normal(size=(items, width)).astype(np.float32))
        for modality, width in FULL[dataset][0].items()
    })  # fmt: skip
    write_features(paths, dataset)
    for feature in features_among(MODALITIES):
        ids, table = build.load_items(paths, dataset, feature)
        assert len(ids) == len(table) == items
        assert 0 < table.shape[1] <= 128
        assert np.isfinite(table).all()
