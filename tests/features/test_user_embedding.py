"""User embeddings equal a user-by-user oracle, in both reductions and from the rows of both protocols.

Asserted: clicked minus unclicked over scaled items, items without the modality left out; PCA over users (up to sign,
against scikit-learn) and sliding means; zero columns where the input is narrower; the device as the last column; every
column min-max scaled over users; users without rows; and which device a user gets.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from mma4ctr.data.kept_log import main_devices
from mma4ctr.features import user_embedding
from mma4ctr.features.build_users import user_embeddings
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from samples import with_changes

SEEDS = st.integers(0, 2**32 - 1)


def scaled(values: list[float]) -> list[float]:
    """Min-max scale one column; a constant one becomes 0."""
    lowest, highest = min(values), max(values)
    return [(value - lowest) / (highest - lowest) if highest > lowest else 0.0 for value in values]


def scaled_columns(matrix: np.ndarray) -> np.ndarray:
    """Min-max scale each column."""
    return np.array([scaled(column.tolist()) for column in matrix.T.astype(np.float64)]).T


def difference_of_one_user(user: int, task_rows: list, places: list, items: np.ndarray) -> list[float]:
    """Go through all rows: add a clicked item, subtract an unclicked one, divide by the number of both."""
    total, number = [0.0] * items.shape[1], 0
    for row_user, item, click in task_rows:
        if row_user == user and places[item] >= 0:
            vector = items[places[item]].tolist()
            total = [sum_ + value if click else sum_ - value for sum_, value in zip(total, vector, strict=True)]
            number += 1
    return [sum_ / number for sum_ in total] if number else total


def pooled(vector: list[float], length: int) -> list[float]:
    """Slide a window over one vector and take the means."""
    vector = vector + [0.0] * (length - len(vector))
    window = len(vector) - length + 1
    return [sum(vector[start : start + window]) / window for start in range(length)]


def by_sklearn(matrix: np.ndarray, length: int) -> np.ndarray:
    """Return the first principal components over users, zero columns where there are fewer."""
    count = min(length, *matrix.shape)
    reduced = np.zeros((len(matrix), length))
    reduced[:, :count] = PCA(count, svd_solver="full").fit_transform(matrix)
    return reduced


def assert_equal_up_to_sign(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare scaled columns: a component of the other sign is scaled to 1 minus the values."""
    assert found.shape == expected.shape
    for one, other in zip(found.T, expected.T, strict=True):
        distance = min(np.abs(one - other).max(), np.abs(1 - one - other).max())
        assert distance < 1e-5, distance


@given(
    task_rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.integers(0, 1)), max_size=60),
    has=st.lists(st.booleans(), min_size=8, max_size=8).filter(any),
    columns=st.integers(1, 40),  # more than are widened at a time
    seed=SEEDS,
)
def test_clicked_minus_unclicked(task_rows: list, has: list[bool], columns: int, seed: int) -> None:
    number = iter(range(8))
    places = [next(number) if there else -1 for there in has]
    items = np.random.default_rng(seed).normal(size=(sum(has), columns)).astype(np.float32)
    items[:, 0] = 3  # a constant column counts for nothing
    found = user_embedding.clicked_minus_unclicked(
        np.array(task_rows, dtype=np.int32).reshape(-1, 3), np.array(places), items, 6
    )
    oracle = scaled_columns(items)
    expected = [difference_of_one_user(user, task_rows, places, oracle) for user in range(6)]
    assert found.shape == (6, columns)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not found[5].any()  # nobody's rows, so zeros


@given(users=st.integers(1, 12), columns=st.integers(1, 12), length=st.integers(1, 14), seed=SEEDS)
def test_finish_by_average_pooling(users: int, columns: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    embedding, devices = rng.normal(size=(users, columns)), rng.integers(0, 3, users)
    found = user_embedding.finish(embedding, devices, "average_pooling", length)
    rows_of_users = [
        [*pooled(vector, length), float(device)]
        for vector, device in zip(embedding.tolist(), devices.tolist(), strict=True)
    ]
    assert found.dtype == np.float32
    assert found.shape == (users, length + 1)
    np.testing.assert_allclose(found, scaled_columns(np.array(rows_of_users)), atol=1e-6)


@given(users=st.integers(2, 30), columns=st.integers(1, 12), length=st.integers(1, 14), seed=SEEDS)
def test_finish_by_pca(users: int, columns: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Variances far enough apart for the components to be told apart.
    embedding, devices = rng.normal(size=(users, columns)) * 0.5 ** np.arange(columns), rng.integers(0, 3, users)
    found = user_embedding.finish(embedding, devices, "pca", length)
    count = min(length, columns, users - 1)  # centred, n users differ in n - 1 directions
    assert found.dtype == np.float32
    assert found.shape == (users, length + 1)
    assert_equal_up_to_sign(found[:, :count], scaled_columns(by_sklearn(embedding, length)[:, :count]))
    assert not found[:, count:length].any()
    np.testing.assert_allclose(found[:, length], scaled(devices.tolist()), atol=1e-6)


def test_pca_leaves_zeros_where_users_differ_in_fewer_directions() -> None:
    """Rounding noise in directions without variance must not be scaled up to [0, 1]."""
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 30))
    found = user_embedding.finish(embedding, np.zeros(300, dtype=np.int64), "pca", 21)
    assert (np.ptp(found[:, :5], axis=0) == 1).all()
    assert not found[:, 5:].any()


@pytest.mark.parametrize("reduction", ["pca", "average_pooling"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_step_3_makes_embeddings_from_the_rows_of_the_protocol(
    tiny: Settings, tmp_path: Path, protocol: str, reduction: str
) -> None:
    length, task = 7, "tiktok_like"
    changes = {"user_embedding_path": tmp_path, "user_embedding_length": length, "user_reduction": reduction}
    paths = with_changes(tiny, **changes)
    user_embeddings(paths, "tiktok", protocol, force=False)
    keys = {"task": task, "modality": "acoustic", "protocol": protocol, "reduction": reduction, "length": length}
    found = reading.load(paths, "user_embedding", **keys)

    users = reading.load(paths, "users", dataset="tiktok")
    item_ids = reading.load(paths, "items", dataset="tiktok").tolist()
    ids = reading.load(paths, "modality_items", dataset="tiktok", modality="acoustic").tolist()
    items = scaled_columns(reading.load(paths, "modality", dataset="tiktok", modality="acoustic"))
    task_rows = reading.load(paths, "rows", task=task, protocol=protocol)
    place_of = {id_: place for place, id_ in enumerate(ids)}
    places = [place_of.get(id_, -1) for id_ in item_ids]
    by_user = [task_rows[task_rows[:, 0] == user].tolist() for user in range(len(users))]
    if protocol == "clean":  # without the last two tenths, which are for validation and test
        by_user = [own[: len(own) - 2 * (len(own) // 10)] for own in by_user]
    difference = np.array([difference_of_one_user(u, own, places, items) for u, own in enumerate(by_user)])
    if reduction == "pca":
        assert_equal_up_to_sign(found[:, :length], scaled_columns(by_sklearn(difference, length)))
    else:
        averages = np.array([pooled(vector, length) for vector in difference.tolist()])
        np.testing.assert_allclose(found[:, :length], scaled_columns(averages), atol=1e-5)
    np.testing.assert_allclose(found[:, length], scaled(users[:, 1].tolist()), atol=1e-6)


@given(
    seen=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60).map(
        lambda pairs: sorted(pairs, key=lambda pair: pair[0])
    )
)
def test_the_most_frequent_device_counts_ties_to_the_smallest(seen: list[tuple[int, int]]) -> None:
    users, devices = zip(*seen, strict=True)
    found = main_devices(np.array(users), np.array(devices))
    expected = []
    for user in sorted(set(users)):
        counts = Counter(device for one, device in seen if one == user)
        expected.append(min(counts, key=lambda device, counts=counts: (-counts[device], device)))
    assert found.tolist() == expected
