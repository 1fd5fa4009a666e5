"""The null check in small: labels that depend on nothing, users all alike, about 60 rows each.

Asserted: trained and tested under the clean protocol, AUC is a half within four standard errors; under the published
one it is well above, close to what a user's click rate over all rows scores, because the user embedding carries the
labels of test rows. A leak in the clean protocol would lift its AUC by as much.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mma4ctr.features import user_embedding
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.schedule import Schedule
from mma4ctr.training import engine
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.trainer import Trainer
from small_problem import made_of, new_model

USERS, ROWS_EACH, ITEMS, COLUMNS, LENGTH = 1_500, 60, 400, 12, 6
SCHEDULE = Schedule(
    epochs=4, learning_rate=0.005, batch_size=1024, loss="bce", seed=0, lr_change=True, interruption=False,
    patience=None,
)  # fmt: skip


def rows_without_signal(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, 3) user, item and click, one in ten clicked whatever it is, and random item features."""
    rng = np.random.default_rng(seed)
    number = USERS * ROWS_EACH
    made = np.column_stack([
        np.repeat(np.arange(USERS), ROWS_EACH), rng.integers(0, ITEMS, number), rng.random(number) < 0.1
    ])  # fmt: skip
    return made.astype(np.int32), rng.normal(size=(ITEMS, COLUMNS)).astype(np.float32)


@functools.cache
def scores(seed: int, protocol: str) -> dict[str, float]:
    """Train on one protocol and return AUC, its standard error without signal, and the AUC of the user's rate."""
    made, items = rows_without_signal(seed)
    kept = made[PROTOCOLS[protocol].embedding_rows(made[:, 0])]
    difference = user_embedding.clicked_minus_unclicked(kept, np.arange(ITEMS), items, USERS)
    users = user_embedding.finish(difference, np.zeros(USERS, dtype=np.int64), "pca", LENGTH)
    parts = PROTOCOLS[protocol].split(made[:, 0], np.ones(len(made), dtype=bool), seed)
    factors = made_of(users, items, made, parts)
    batches = batches_of_parts(factors, protocol, torch.device("cpu"))
    mlp = Trainer(new_model(factors.sizes.content), batches, SCHEDULE).run()
    test = made[parts["test"]]
    rate = np.bincount(made[:, 0], weights=made[:, 2]) / ROWS_EACH
    n1 = int(test[:, 2].sum())
    n0 = len(test) - n1
    return {
        "auc": roc_auc_score(test[:, 2], engine.probabilities_of(mlp, batches["test"])),
        "rate": roc_auc_score(test[:, 2], rate[test[:, 0]]),
        "se": math.sqrt((n1 + n0 + 1) / (12 * n1 * n0)),
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_finds_nothing_where_there_is_nothing(seed: int) -> None:
    found = scores(seed, "clean")
    assert abs(found["auc"] - 0.5) <= 4 * found["se"]


@pytest.mark.parametrize("seed", [0, 1])
def test_published_scores_what_the_labels_of_test_rows_give_away(seed: int) -> None:
    found = scores(seed, "published")
    assert found["auc"] >= 0.5 + 5 * found["se"]
    assert abs(found["auc"] - found["rate"]) <= 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_a_leak_could_not_hide_within_the_clean_bound(seed: int) -> None:
    """What the user's rate over all rows scores on the clean test rows lies outside of the bound."""
    found = scores(seed, "clean")
    assert found["rate"] > 0.5 + 6 * found["se"]
