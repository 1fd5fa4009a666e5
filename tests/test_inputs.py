"""The input of the MLP: gathered batches equal the dense files, and its width is the published one.

Asserted on the tiny sample: the dense file equals rows joined one by one; a batch before scaling, widened to float64,
equals the dense file's rows bit for bit, the user part being the embedding of the row's user; scaled batches equal
scikit-learn's MinMaxScaler. Asserted on tables of the full data's width: in_features of every feature, length 0,
hidden widths, parameter counts, and the feature lengths that follow from the data.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from conftest import with_changes
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler

import cross_matrix
import gen_matrix
import get_user_embedding
from load_path import load_path
from mma4ctr import inputs
from mma4ctr.catalogue import FEATURES, MODALITIES, hidden_widths
from mma4ctr.cli import UserError
from mma4ctr.data.datasets import wechat
from mma4ctr.data.registry import TASKS
from mma4ctr.executor import LocalExecutor
from mma4ctr.features import item_tables, matrices
from mma4ctr.models.mma4ctr import MLP, number_of_parameters
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

CPU = torch.device("cpu")
SOME_FEATURES = ("visual", "textual", "va_cross", "vat_cross", "at_concat", "vat_concat")
CASES = [(task, protocol, feature) for task in TASKS for protocol in PROTOCOLS for feature in SOME_FEATURES]
SINGLE, CROSS, CONCAT = "single", "cross", "concat"


def dense_of(paths: Settings, task: str, protocol: str, feature: str) -> np.ndarray:
    """Return the published layout [user id | item features | click] of one feature."""
    name = "single_dense" if FEATURES[feature].fusion == SINGLE else "fused_dense"
    return np.load(artifacts.path(paths, name, task=task, protocol=protocol, feature=feature))


def place_in_dense(factors: inputs.Factors) -> dict[int, int]:
    """Return which row of the dense file each covered row of the task is."""
    covered = [place for place, item in enumerate(factors.rows[:, 1].tolist()) if item >= 0]
    return {place: k for k, place in enumerate(covered)}


def dense_part(factors: inputs.Factors, dense: np.ndarray, name: str) -> np.ndarray:
    """Return the rows of the dense file that belong to one part."""
    place = place_in_dense(factors)
    return dense[[place[one] for one in factors.parts[name].tolist()]]


def users_of_dense(paths: Settings, task: str, protocol: str, feature: str, user_ids: np.ndarray) -> np.ndarray:
    """Look up each row's user embedding by the user's id, modality by modality."""
    ids = artifacts.load(paths, "users", dataset=TASKS[task].dataset)[:, 0].tolist()
    keys = {"task": task, "protocol": protocol, "reduction": paths.user_reduction}
    tables = [
        artifacts.load(paths, "user_embedding", modality=name, length=paths.user_embedding_length, **keys)
        for name in FEATURES[feature].modalities
    ]
    vector_of = {id_: [x for table in tables for x in table[row].tolist()] for row, id_ in enumerate(ids)}
    return np.array([vector_of[int(id_)] for id_ in user_ids])


def everything(batches: inputs.Batches, size: int, order: torch.Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return all batches one below another: input and clicks. A batch's memory is used again by the next."""
    pieces = [(batch.numpy().copy(), clicks.numpy().copy()) for batch, clicks in batches.batches(size, order)]
    assert all(len(batch) == len(clicks) == size for batch, clicks in pieces[:-1])
    return np.concatenate([batch for batch, _ in pieces]), np.concatenate([clicks for _, clicks in pieces])


def item_vectors(paths: Settings, dataset: str, feature: str) -> dict[int, list[float]]:
    """Return each item's features by its id, put together from the files of steps 2 and 4."""
    fusion, modalities = FEATURES[feature].fusion, FEATURES[feature].modalities
    if fusion == SINGLE:
        ids = artifacts.load(paths, "modality_items", dataset=dataset, modality=feature)
        tables = [artifacts.load(paths, "modality", dataset=dataset, modality=feature)]
    else:
        ids = artifacts.load(paths, "fused_items", dataset=dataset)
        tables = [artifacts.load(paths, "fused_modality", dataset=dataset, modality=name) for name in modalities]
    if fusion == CROSS:
        tables = [artifacts.load(paths, "fused_table", dataset=dataset, feature=feature)]
    return {id_: [x for table in tables for x in table[row].tolist()] for row, id_ in enumerate(ids.tolist())}


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_the_dense_file_joins_user_item_and_click_row_by_row(
    tiny: Settings, task: str, protocol: str, feature: str
) -> None:
    dataset = TASKS[task].dataset
    users = artifacts.load(tiny, "users", dataset=dataset)[:, 0].tolist()
    items = artifacts.load(tiny, "items", dataset=dataset).tolist()
    vectors = item_vectors(tiny, dataset, feature)
    expected = [
        [float(users[user]), *vectors[items[item]], float(click)]
        for user, item, click in artifacts.load(tiny, "rows", task=task, protocol=protocol).tolist()
        if items[item] in vectors
    ]
    dense = dense_of(tiny, task, protocol, feature)
    assert dense.dtype == np.float64
    assert dense.tobytes() == np.array(expected).tobytes()


def test_a_feature_covers_the_items_that_have_what_it_needs(tiny: Settings) -> None:
    for dataset in ("wechat", "tiktok"):
        having = {
            name: set(artifacts.load(tiny, "modality_items", dataset=dataset, modality=name).tolist())
            for name in MODALITIES
        }
        every = set.intersection(*having.values())
        assert all(len(own) > len(every) > 0 for own in having.values())
        for feature, row in FEATURES.items():
            ids, _ = item_tables.load_items(tiny, dataset, feature)
            assert set(ids.tolist()) == (having[feature] if row.fusion == SINGLE else every)


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_a_batch_before_scaling_is_the_dense_file_to_the_bit(
    tiny: Settings, task: str, protocol: str, feature: str
) -> None:
    factors = inputs.load_factors(tiny, task, feature, protocol)
    dense = dense_of(tiny, task, protocol, feature)
    assert sum(map(len, factors.parts.values())) == len(dense)
    for name in PARTS:
        expected = dense_part(factors, dense, name)
        batch, clicks = everything(inputs.Batches(factors, factors.parts[name], CPU), 500)
        user_columns = batch.shape[1] - (dense.shape[1] - 2)
        assert batch.dtype == np.float32
        assert batch[:, user_columns:].astype(np.float64).tobytes() == expected[:, 1:-1].tobytes()
        assert clicks.tolist() == expected[:, -1].tolist()
        users = users_of_dense(tiny, task, protocol, feature, expected[:, 0])
        assert batch[:, :user_columns].astype(np.float64).tobytes() == users.tobytes()


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_scaled_batches_are_those_of_scikit_learn(tiny: Settings, task: str, protocol: str, feature: str) -> None:
    factors = inputs.load_factors(tiny, task, feature, protocol)
    dense = dense_of(tiny, task, protocol, feature)
    wanted = {}
    for name in PARTS:
        rows = dense_part(factors, dense, name)
        wanted[name] = np.hstack([users_of_dense(tiny, task, protocol, feature, rows[:, 0]), rows[:, 1:-1]])
    batches = inputs.batches_of_parts(factors, protocol, CPU)
    for name in PARTS:
        scaler = MinMaxScaler().fit(wanted[name if protocol == "published" else "training"])
        np.testing.assert_allclose(everything(batches[name], 500)[0], scaler.transform(wanted[name]), atol=1e-6)


def test_clean_test_rows_are_not_clipped() -> None:
    users = np.zeros((1, 2), dtype=np.float32)
    items = np.array([[0, 5], [2, 5], [6, 9], [-2, 1]], dtype=np.float32)
    rows = np.array([[0, 0, 1], [0, 1, 0], [0, 2, 1], [0, 3, 0]], dtype=np.int32)
    parts = {"training": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3, 2])}
    factors = inputs.Factors(users, items, rows, parts)
    clean = inputs.batches_of_parts(factors, "clean", CPU)
    # The second item column has no range among training rows: it is shifted, not stretched.
    assert everything(clean["training"], 9)[0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]
    assert everything(clean["validation"], 9)[0].tolist() == [[0, 0, 3, 4]]
    assert everything(clean["test"], 9)[0].tolist() == [[0, 0, -1, -4], [0, 0, 3, 4]]
    published = inputs.batches_of_parts(factors, "published", CPU)
    assert everything(published["test"], 9)[0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


def test_batches_come_in_the_order_asked_for(tiny: Settings) -> None:
    factors = inputs.load_factors(tiny, "wechat", "va_cross", "clean")
    batches = inputs.batches_of_parts(factors, "clean", CPU)["validation"]
    whole, clicks = everything(batches, len(batches))
    order = np.random.default_rng(0).permutation(len(batches))
    shuffled = everything(batches, 64, torch.from_numpy(order))
    assert shuffled[0].tobytes() == whole[order].tobytes()
    assert shuffled[1].tobytes() == clicks[order].tobytes()


# ------------------------------------------------------------------ the full data's width

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
        artifacts.save(paths, "users", users, dataset=dataset)
        artifacts.save(paths, "items", items, dataset=dataset)
        for protocol in PROTOCOLS:
            artifacts.save(paths, "rows", pairs.astype(np.int32), task=TASK_OF[dataset], protocol=protocol)
        for number, (modality, width) in enumerate(widths.items()):
            has = np.arange(300) % 10 != number
            matrix = rng.normal(size=(has.sum(), width)).astype(np.float32)
            artifacts.save(paths, "modality_items", items[has], dataset=dataset, modality=modality)
            artifacts.save(paths, "modality", matrix, dataset=dataset, modality=modality)
        cross_matrix.write(paths, dataset, MODALITIES)
        gen_matrix.write(paths, dataset, MODALITIES)
        for protocol in PROTOCOLS:
            get_user_embedding.write(paths, TASK_OF[dataset], protocol, MODALITIES)
    return paths


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dataset", FULL)
def test_in_features_of_every_feature(wide: Settings, dataset: str, protocol: str) -> None:
    _, in_features, _ = FULL[dataset]
    found = {name: inputs.load_factors(wide, TASK_OF[dataset], name, protocol).in_features for name in FEATURES}
    assert found == in_features


@pytest.mark.parametrize("dataset", FULL)
def test_length_0_takes_the_bare_user_id(wide: Settings, dataset: str) -> None:
    _, _, in_features = FULL[dataset]
    paths = with_changes(wide, user_embedding_length=0)
    factors = inputs.load_factors(paths, TASK_OF[dataset], "vat_concat", "clean")
    assert factors.in_features == in_features
    assert factors.users.ravel().tolist() == artifacts.load(paths, "users", dataset=dataset)[:, 0].tolist()
    for feature in set(FEATURES) - {"vat_concat"}:
        with pytest.raises(UserError, match="user_embedding_length is 0"):
            inputs.load_factors(paths, TASK_OF[dataset], feature, "clean")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("feature", ["visual", "vat_concat", "va_cross"])
def test_reduced_features_are_gathered_from_the_same_table_as_the_dense_file(
    wide: Settings, feature: str, protocol: str
) -> None:
    dense = np.load(matrices.write_dense(wide, "wechat", feature, protocol))
    factors = inputs.load_factors(wide, "wechat", feature, protocol)
    for name in PARTS:
        batch, _ = everything(inputs.Batches(factors, factors.parts[name], CPU), 100)
        assert batch[:, -128:].astype(np.float64).tobytes() == dense_part(factors, dense, name)[:, 1:-1].tobytes()


def test_a_part_with_a_single_class_is_refused(wide: Settings, tmp_path: Path) -> None:
    paths = with_changes(wide, graph_path=tmp_path)
    for name in ("users", "items"):
        artifacts.save(paths, name, artifacts.load(wide, name, dataset="tiktok"), dataset="tiktok")
    rows = artifacts.load(wide, "rows", task="tiktok_like", protocol="clean")
    rows[18::20, 2] = rows[19::20, 2] = 0  # of 20 rows a user, the last two are test rows
    artifacts.save(paths, "rows", rows, task="tiktok_like", protocol="clean")
    with pytest.raises(UserError, match=r"the test part has \d+ rows and 0 clicks"):
        inputs.load_factors(paths, "tiktok_like", "vat_concat", "clean")


@pytest.mark.parametrize(("in_features", "parameters"), [(194, 29_225), (169, 26_025)])
def test_parameters(in_features: int, parameters: int) -> None:
    model = MLP(in_features)
    widths = (in_features, 128, 32, 4, 1)
    assert number_of_parameters(model) == parameters
    assert sum((narrow + 1) * wide for narrow, wide in itertools.pairwise(widths)) == parameters
    assert model(torch.zeros(7, in_features)).shape == (7,)


def test_hidden_widths_of_every_input() -> None:
    published = {
        (256, 64, 16, 4): range(201, 501), (128, 32, 4): range(101, 201), (64, 16, 4): range(61, 101),
        (32, 16, 4): range(31, 61), (16, 4): range(11, 31), (8, 4): range(5, 11),
    }  # fmt: skip
    expected = {inputs_: widths for widths, own in published.items() for inputs_ in own}
    assert {inputs_: hidden_widths(inputs_) for inputs_ in range(5, 501)} == expected


@pytest.mark.parametrize("in_features", [0, 1, 4, 501, 1000])
def test_other_widths_are_refused(in_features: int) -> None:
    with pytest.raises(UserError, match=f"in_features is {in_features}"):
        MLP(in_features)


@pytest.fixture(scope="module")
def feed_info(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a feed_info.csv with the full data's 17,500 singers and 25,159 songs."""
    folder, rng = tmp_path_factory.mktemp("feed_info"), np.random.default_rng(0)
    number = 25_159
    words = rng.integers(0, 9, (number, 6)) * [1, 1, 3, 1, 9, 1]
    texts = [" ".join(map(str, row)) for row in words.tolist()]
    feeds = np.arange(number)
    columns = dict.fromkeys(wechat.INFO_COLUMNS, pl.Series([None] * number, dtype=pl.String))
    columns |= {
        "feedid": feeds, "description": texts, "ocr": texts, "asr_char": texts,
        "bgm_song_id": feeds, "bgm_singer_id": feeds % 17_500,
        "machine_keyword_list": [f"{feed % 100};{feed % 7}" for feed in feeds.tolist()],
        "manual_tag_list": [str(feed % 5) for feed in feeds.tolist()],
    }  # fmt: skip
    pl.DataFrame(columns).write_csv(folder / "feed_info.csv")
    return folder


def test_wechat_feature_lengths_follow_from_the_data(feed_info: Path) -> None:
    read = {
        found.modality: found.matrix
        for found in wechat.read_modalities(feed_info, np.zeros(0, np.int64), 0, LocalExecutor())
    }
    texts = pl.read_csv(feed_info / "feed_info.csv")["ocr"].to_list()
    padded = np.array([[float(word) for word in text.split()] for text in texts])
    kept = PCA(0.9, svd_solver="full").fit(padded).n_components_
    assert 1 < kept < 6
    lengths = {modality: matrix.shape[1] for modality, matrix in read.items()}
    assert lengths == {"visual": kept, "acoustic": kept + 11 + 12, "textual": kept + 16 + 14}
    keywords, tags = read["textual"][:, kept : kept + 16], read["textual"][:, kept + 16 :]
    assert keywords[:, :2].tolist() == [[feed % 100, feed % 7] for feed in range(len(texts))]
    assert tags[:, 0].tolist() == [feed % 5 for feed in range(len(texts))]
    assert not keywords[:, 2:].any()
    assert not tags[:, 1:].any()


def test_full_wechat_lengths_of_songs_and_singers() -> None:
    for distinct, length in ((17_500, 11), (25_159, 12)):
        ids = pl.Series([str(id_) for id_ in range(distinct)])
        table = wechat.untrained_embedding(ids, 0, 1)
        assert table.shape == (distinct, length)
        assert np.array_equal(table, wechat.untrained_embedding(ids, 0, 1))
        assert not np.array_equal(table, wechat.untrained_embedding(ids, 1, 1))


@pytest.mark.parametrize("items", [2, 5, 40])
@pytest.mark.parametrize("dataset", FULL)
def test_few_items_give_fewer_columns_and_no_crash(tmp_path: Path, dataset: str, items: int) -> None:
    (tmp_path / "path.json").write_text(json.dumps({"parent_folder": "."}))
    paths, rng = load_path(tmp_path / "path.json"), np.random.default_rng(0)
    for modality, width in FULL[dataset][0].items():
        keys = {"dataset": dataset, "modality": modality}
        artifacts.save(paths, "modality_items", np.arange(items), **keys)
        artifacts.save(paths, "modality", rng.normal(size=(items, width)).astype(np.float32), **keys)
    cross_matrix.write(paths, dataset, MODALITIES)
    gen_matrix.write(paths, dataset, MODALITIES)
    for feature in FEATURES:
        ids, table = item_tables.load_items(paths, dataset, feature)
        assert len(ids) == len(table) == items
        assert 0 < table.shape[1] <= 128
        assert np.isfinite(table).all()
