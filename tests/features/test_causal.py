"""Causal user embeddings equal a row-by-row oracle, and no row's knows its own click, a later one or another user's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cross_matrix
import get_user_embedding
import mlp
from mma4ctr.features import build_users, newcomers, user_embedding
from mma4ctr.features.build import load_items
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.runs import folder
from mma4ctr.settings import EMBEDDINGS, Settings, content_of
from mma4ctr.store import disk, reading
from samples import own_runs, with_changes

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 7), st.integers(0, 1), st.booleans()), min_size=1, max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[0]))
PLACES = np.array([2, -1, 0, 1, 5, -1, 3, 4])  # two items have no content


def items_of(seed: int, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, columns)).astype(np.float32)


@given(given_rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_a_row_sees_the_mean_of_the_rows_before_it(given_rows: list, seed: int) -> None:
    rows, counts = np.array(given_rows)[:, :3], np.array(given_rows)[:, 3].astype(bool)
    items = items_of(seed)
    found = user_embedding.before_each_row(rows, counts, PLACES, items)
    assert found.dtype == np.float32
    for number, (user, _, _) in enumerate(rows.tolist()):
        total, met = np.zeros(3), 0
        for (other, item, click), is_seen in zip(rows[:number].tolist(), counts[:number].tolist(), strict=True):
            if other == user and is_seen and PLACES[item] >= 0:
                total += (2 * click - 1) * items[PLACES[item]].astype(np.float64)
                met += 1
        np.testing.assert_allclose(found[number], total / max(met, 1), atol=1e-6)


@given(given_rows=ROWS, place=st.integers(0, 59), seed=st.integers(0, 2**32 - 1))
def test_a_click_changes_later_rows_of_its_user_and_nothing_else(given_rows: list, place: int, seed: int) -> None:
    rows, counts = np.array(given_rows)[:, :3], np.array(given_rows)[:, 3].astype(bool)
    place %= len(rows)
    before = user_embedding.before_each_row(rows, counts, PLACES, items_of(seed))
    rows[place, 2] = 1 - rows[place, 2]
    after = user_embedding.before_each_row(rows, counts, PLACES, items_of(seed))
    changed = np.flatnonzero((before != after).any(1))
    of_user = rows[:, 0] == rows[place, 0]
    later = np.arange(len(rows)) > place
    is_seen = counts[place] and PLACES[rows[place, 1]] >= 0
    assert changed.tolist() == np.flatnonzero(of_user & later & is_seen).tolist()


@given(columns=st.integers(1, 9), length=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_items_are_reduced_by_a_truncated_svd(columns: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = (rng.normal(size=(40, columns)) * 0.5 ** np.arange(columns) + 1).astype(np.float32)
    found = user_embedding.by_svd(items, length)
    left, values, _ = np.linalg.svd(items.astype(np.float64), full_matrices=False)
    kept = min(length, columns)
    assert found.shape == (40, length)
    assert not found[:, kept:].any()
    for one, other in zip(found.T, (left * values).T[:kept], strict=False):
        assert min(np.abs(one - other).max(), np.abs(one + other).max()) < 1e-3


@pytest.fixture(scope="module", params=["pca", "average_pooling"])
def causal(request: pytest.FixtureRequest, tiny: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings with causal embeddings, which step 3 has built for both protocols."""
    made = tmp_path_factory.mktemp("causal")
    paths = with_changes(
        tiny, file=made / "path.json", user_history="causal", user_reduction=request.param, user_embedding_length=4,
        user_embedding_path=made / "embeddings", saved_path=made / "saved", torch_model_path=made / "models",
    )  # fmt: skip
    disk.write_json(paths.file, content_of(paths))
    for protocol in PROTOCOLS:
        get_user_embedding.main(["--paths", str(paths.file), "--dataset", "wechat", "--protocol", protocol])
    return paths


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_the_last_row_leaves_is_the_embedding_of_its_user(causal: Settings, protocol: str) -> None:
    users = reading.load(causal, "users", dataset="wechat")
    rows = reading.load(causal, "rows", task="wechat", protocol=protocol)
    table = build_users.load_user_embeddings(causal, "wechat", "va_concat", protocol)
    of_rows = build_users.user_embeddings_of_rows(causal, "wechat", "va_concat", protocol)
    assert of_rows.shape == (len(rows), table.shape[1]) and table.shape == (len(users), 10)
    first = np.searchsorted(rows[:, 0], np.arange(len(users)))
    assert not of_rows[first][:, :4].any()  # nothing before it
    assert np.array_equal(of_rows[:, 4], users[rows[:, 0], 1].astype(np.float32))
    last = np.searchsorted(rows[:, 0], np.arange(len(users)), side="right") - 1
    if protocol == "clean":  # a last row that trains nothing sees all rows that train
        tested = ~PROTOCOLS["clean"].embedding_rows(rows[:, 0])[last]
        assert tested.any()
        np.testing.assert_allclose(of_rows[last[tested]], table[tested], atol=1e-5)
    nobody = newcomers.user_without_rows(causal, "wechat", "va_concat", protocol)
    assert nobody.shape == (10,) and not nobody[:4].any() and nobody[4] in users[:, 1]


def test_a_dense_matrix_has_the_embedding_of_each_row(causal: Settings, tmp_path: Path) -> None:
    own = with_changes(causal, file=tmp_path / "path.json", matrix_path=tmp_path / "matrix")
    disk.write_json(own.file, content_of(own))
    cross_matrix.main(["--paths", str(own.file), "--dataset", "wechat", "--protocol", "clean", "--dense"])
    (file,) = (tmp_path / "matrix").glob("wechat_va_cross_clean_*causal_4_dense.npy")
    ids, items = load_items(own, "wechat", "va_cross")
    rows = reading.load(own, "rows", task="wechat", protocol="clean")
    known = reading.load(own, "items", dataset="wechat")[rows[:, 1]]
    covered = np.isin(known, ids)
    of_rows = build_users.user_embeddings_of_rows(own, "wechat", "va_cross", "clean")
    expected = np.column_stack([of_rows, items[np.searchsorted(ids, known.clip(max=ids[-1]))], rows[:, 2]])[covered]
    assert np.array_equal(np.load(file), expected.astype(np.float64))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_causal_is_one_option_of_a_run(tiny: Settings, tmp_path: Path, protocol: str) -> None:
    own = own_runs(tiny, tmp_path)
    asked = ("--paths", str(own.file), "--epochs", "1", "--batch_size", "1024", "--protocol", protocol)
    step_3 = ("--paths", str(own.file), "--dataset", "wechat", "--protocol", protocol, "--user_history", "causal")
    get_user_embedding.main(step_3)
    built = {file: file.stat().st_mtime_ns for file in own.saved_path.rglob("user_all_embeddings/*.npy")}
    assert len(built) == 6  # two for each modality
    (whole,), (causal,) = (mlp.main([*asked, *more]) for more in ((), ("--user_history", "causal")))
    assert built == {file: file.stat().st_mtime_ns for file in own.saved_path.rglob("user_all_embeddings/*.npy")}
    metrics = {run: folder.read_metrics(own, run) for run in (whole, causal)}
    assert [metrics[run]["reduction"] for run in (whole, causal)] == ["pca", "pca_causal"]
    assert metrics[whole]["in_features"] == metrics[causal]["in_features"]
    assert metrics[whole]["auc"] != metrics[causal]["auc"]
    assert mlp.main([*asked, "--user_history", "causal"]) == [causal]


def test_settings_of_a_name_are_found_again(tiny: Settings) -> None:
    for name, (reduction, history) in EMBEDDINGS.items():
        own = tiny.with_embedding(name, 3)
        assert (own.user_embedding, own.user_reduction, own.user_history) == (name, reduction, history)
    assert len(EMBEDDINGS) == 4
