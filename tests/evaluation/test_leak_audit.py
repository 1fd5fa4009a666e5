"""The leak audit against rows counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mma4ctr.evaluation import leak_audit
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading
from samples import with_changes


@pytest.mark.parametrize(("protocol", "order"), [("published", "seeded"), ("published", "length"), ("clean", None)])
def test_the_audit_against_rows_counted_one_by_one(tiny: Settings, protocol: str, order: str | None) -> None:
    assert order in leak_audit.orders_of(protocol)
    settings = with_changes(tiny, user_order=order or tiny.user_order)
    task_rows = reading.load(tiny, "rows", task="wechat", protocol=protocol)
    ids, fused = (reading.load(tiny, name, dataset="wechat") for name in ("items", "fused_items"))
    covered = np.isin(ids[task_rows[:, 1]], fused)
    test = PROTOCOLS[protocol].split(task_rows[:, 0], covered, tiny.seed, settings.user_order)["test"]
    seen = range(len(task_rows))
    if protocol == "clean":
        seen = []
        for user in np.unique(task_rows[:, 0]):
            own = np.flatnonzero(task_rows[:, 0] == user)
            seen += own[: len(own) - 2 * (len(own) // 10)].tolist()
    clicks, number = {}, {}
    for place in seen:
        user = int(task_rows[place, 0])
        clicks[user] = clicks.get(user, 0) + int(task_rows[place, 2])
        number[user] = number.get(user, 0) + 1
    rate = [clicks[user] / number[user] for user in task_rows[test, 0].tolist()]
    found = leak_audit.audit(settings, "wechat", protocol)
    assert found.test_users == len(set(task_rows[test, 0].tolist()))
    assert found.auc == pytest.approx(roc_auc_score(task_rows[test, 2], rate))


def test_more_and_shorter_users_are_tested_on_in_the_order_of_lengths(tiny: Settings) -> None:
    """The fewer rows of a user there are, the more of the click rate is the label of a test row."""
    seeded, by_length = (
        leak_audit.audit(with_changes(tiny, user_order=order), "wechat", "published") for order in ("seeded", "length")
    )
    assert by_length.test_users > seeded.test_users
    assert by_length.shuffled > seeded.shuffled


def test_shuffled_labels_leak_under_the_published_protocol_alone(tiny: Settings) -> None:
    published, clean = (leak_audit.audit(tiny, "wechat", protocol) for protocol in ("published", "clean"))
    standard_error = clean.spread / math.sqrt(leak_audit.DRAWS)
    assert abs(clean.shuffled - 0.5) < 4 * standard_error
    assert published.shuffled > 0.5 + 5 * standard_error
