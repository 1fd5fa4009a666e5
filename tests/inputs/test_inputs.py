"""The input of the MLP: gathered batches equal the dense files.

Asserted on the tiny sample: the dense file equals rows joined one by one; a batch before scaling, widened to float64,
equals the dense file's rows bit for bit, the user part being the embedding of the row's user; scaled batches equal
scikit-learn's MinMaxScaler.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler

from dense import dense_of, dense_part, everything
from mma4ctr.catalogue import FEATURES, MODALITIES
from mma4ctr.data.registry import TASKS
from mma4ctr.features.build import load_items
from mma4ctr.features.fusion import script_of
from mma4ctr.inputs import gather
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.training.batches import Batches, batches_of_parts
from small_problem import CPU, made_of

SOME_FEATURES = ("visual", "textual", "va_cross", "vat_cross", "at_concat", "vat_concat")
CASES = [(task, protocol, feature) for task in TASKS for protocol in PROTOCOLS for feature in SOME_FEATURES]
SINGLE, CROSS, CONCAT = "single", "cross", "concat"


def users_of_dense(paths: Settings, task: str, protocol: str, feature: str, user_ids: np.ndarray) -> np.ndarray:
    """Look up each row's user embedding by the user's id, modality by modality."""
    ids = reading.load(paths, "users", dataset=TASKS[task].dataset)[:, 0].tolist()
    keys = {"task": task, "protocol": protocol, "reduction": paths.user_reduction}
    tables = [
        reading.load(paths, "user_embedding", modality=name, length=paths.user_embedding_length, **keys)
        for name in FEATURES[feature].modalities
    ]
    vector_of = {id_: [x for table in tables for x in table[row].tolist()] for row, id_ in enumerate(ids)}
    return np.array([vector_of[int(id_)] for id_ in user_ids])


def item_vectors(paths: Settings, dataset: str, feature: str) -> dict[int, list[float]]:
    """Return each item's features by its id, put together from the files of steps 2 and 4."""
    fusion, modalities = FEATURES[feature].fusion, FEATURES[feature].modalities
    if fusion == SINGLE:
        ids = reading.load(paths, "modality_items", dataset=dataset, modality=feature)
        tables = [reading.load(paths, "modality", dataset=dataset, modality=feature)]
    else:
        ids = reading.load(paths, "fused_items", dataset=dataset)
        tables = [reading.load(paths, "fused_modality", dataset=dataset, modality=name) for name in modalities]
    if fusion == CROSS:
        tables = [reading.load(paths, "table", dataset=dataset, feature=feature, script=script_of(feature))]
    return {id_: [x for table in tables for x in table[row].tolist()] for row, id_ in enumerate(ids.tolist())}


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_the_dense_file_joins_user_item_and_click_row_by_row(
    tiny: Settings, task: str, protocol: str, feature: str
) -> None:
    dataset = TASKS[task].dataset
    users = reading.load(tiny, "users", dataset=dataset)[:, 0].tolist()
    items = reading.load(tiny, "items", dataset=dataset).tolist()
    vectors = item_vectors(tiny, dataset, feature)
    expected = [
        [float(users[user]), *vectors[items[item]], float(click)]
        for user, item, click in reading.load(tiny, "rows", task=task, protocol=protocol).tolist()
        if items[item] in vectors
    ]
    dense = dense_of(tiny, task, protocol, feature)
    assert dense.dtype == np.float64
    assert dense.tobytes() == np.array(expected).tobytes()


def test_a_feature_covers_the_items_that_have_what_it_needs(tiny: Settings) -> None:
    for dataset in ("wechat", "tiktok"):
        having = {
            name: set(reading.load(tiny, "modality_items", dataset=dataset, modality=name).tolist())
            for name in MODALITIES
        }
        every = set.intersection(*having.values())
        assert all(len(own) > len(every) > 0 for own in having.values())
        for feature, row in FEATURES.items():
            ids, _ = load_items(tiny, dataset, feature)
            assert set(ids.tolist()) == (having[feature] if row.fusion == SINGLE else every)


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_a_batch_before_scaling_is_the_dense_file_to_the_bit(
    tiny: Settings, task: str, protocol: str, feature: str
) -> None:
    factors = gather.load(tiny, task, feature, protocol, {"content"})
    dense = dense_of(tiny, task, protocol, feature)
    assert sum(map(len, factors.task.parts.values())) == len(dense)
    for name in PARTS:
        expected = dense_part(factors, dense, name)
        batch, clicks = everything(Batches(factors, name, CPU), 500)
        user_columns = batch.shape[1] - (dense.shape[1] - 2)
        assert batch.dtype == np.float32
        assert batch[:, user_columns:].astype(np.float64).tobytes() == expected[:, 1:-1].tobytes()
        assert clicks.tolist() == expected[:, -1].tolist()
        users = users_of_dense(tiny, task, protocol, feature, expected[:, 0])
        assert batch[:, :user_columns].astype(np.float64).tobytes() == users.tobytes()


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_scaled_batches_are_those_of_scikit_learn(tiny: Settings, task: str, protocol: str, feature: str) -> None:
    factors = gather.load(tiny, task, feature, protocol, {"content"})
    dense = dense_of(tiny, task, protocol, feature)
    wanted = {}
    for name in PARTS:
        rows = dense_part(factors, dense, name)
        wanted[name] = np.hstack([users_of_dense(tiny, task, protocol, feature, rows[:, 0]), rows[:, 1:-1]])
    batches = batches_of_parts(factors, protocol, CPU)
    for name in PARTS:
        scaler = MinMaxScaler().fit(wanted[name if protocol == "published" else "training"])
        np.testing.assert_allclose(everything(batches[name], 500)[0], scaler.transform(wanted[name]), atol=1e-6)


def test_clean_test_rows_are_not_clipped() -> None:
    users = np.zeros((1, 2), dtype=np.float32)
    items = np.array([[0, 5], [2, 5], [6, 9], [-2, 1]], dtype=np.float32)
    rows = np.array([[0, 0, 1], [0, 1, 0], [0, 2, 1], [0, 3, 0]], dtype=np.int32)
    parts = {"training": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3, 2])}
    factors = made_of(users, items, rows, parts)
    clean = batches_of_parts(factors, "clean", CPU)
    # The second item column has no range among training rows: it is shifted, not stretched.
    assert everything(clean["training"], 9)[0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]
    assert everything(clean["validation"], 9)[0].tolist() == [[0, 0, 3, 4]]
    assert everything(clean["test"], 9)[0].tolist() == [[0, 0, -1, -4], [0, 0, 3, 4]]
    published = batches_of_parts(factors, "published", CPU)
    assert everything(published["test"], 9)[0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


def test_batches_come_in_the_order_asked_for(tiny: Settings) -> None:
    factors = gather.load(tiny, "wechat", "va_cross", "clean", {"content"})
    batches = batches_of_parts(factors, "clean", CPU)["validation"]
    whole, clicks = everything(batches, len(batches))
    order = np.random.default_rng(0).permutation(len(batches))
    shuffled = everything(batches, 64, torch.from_numpy(order))
    assert shuffled[0].tobytes() == whole[order].tobytes()
    assert shuffled[1].tobytes() == clicks[order].tobytes()
