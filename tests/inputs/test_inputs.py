"""The input of the MLP: gathered batches equal the dense files.

Asserted on the tiny sample: a batch before scaling, widened to float64, equals the dense file's rows bit for bit;
scaled batches equal scikit-learn's MinMaxScaler. Another test has the dense file against rows joined one by one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler

from dense import dense_of, dense_part, everything
from mma4ctr.catalogue import MODALITIES, feature_named, features_among
from mma4ctr.data.registry import TASKS
from mma4ctr.features.build import load_items
from mma4ctr.inputs import gather
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from mma4ctr.training.batches import Batches, batches_of_parts
from small_problem import CPU, made_of

SOME_FEATURES = ("visual", "textual", "va_cross", "vat_cross", "at_concat", "vat_concat")
CASES = [(task, protocol, feature) for task in TASKS for protocol in PROTOCOLS for feature in SOME_FEATURES]
SINGLE = "single"


def test_a_feature_covers_the_items_that_have_what_it_needs(tiny: Settings) -> None:
    for dataset in ("wechat", "tiktok"):
        having = {
            name: set(reading.load(tiny, "modality_items", dataset=dataset, modality=name).tolist())
            for name in MODALITIES
        }
        every = set.intersection(*having.values())
        assert all(len(own) > len(every) > 0 for own in having.values())
        for feature in features_among(MODALITIES):
            row = feature_named(feature)
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
        assert batch.dtype == np.float32
        assert batch.astype(np.float64).tobytes() == expected[:, :-1].tobytes()
        assert clicks.tolist() == expected[:, -1].tolist()


@pytest.mark.parametrize(("task", "protocol", "feature"), CASES)
def test_scaled_batches_are_those_of_scikit_learn(tiny: Settings, task: str, protocol: str, feature: str) -> None:
    factors = gather.load(tiny, task, feature, protocol, {"content"})
    dense = dense_of(tiny, task, protocol, feature)
    wanted = {name: dense_part(factors, dense, name)[:, :-1] for name in PARTS}
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
