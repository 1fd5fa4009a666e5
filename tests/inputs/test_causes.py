"""A part without both classes is refused with its real cause, and min_interactions named only where that helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from load_path import load_path
from mma4ctr.cli import UserError
from mma4ctr.inputs import rows
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings


def task_rows(clicks: list[int], per_user: int, protocol: str, covered: np.ndarray | None = None) -> TaskRows:
    users = np.arange(len(clicks)) // per_user
    made = np.column_stack([users, np.arange(len(clicks)), clicks]).astype(np.int32)
    everything = np.ones(len(made), dtype=bool) if covered is None else covered
    return TaskRows(made, PROTOCOLS[protocol].split(made[:, 0], everything, 0, "seeded"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "path.json").write_text('{"click_threshold": 0.9}')
    return load_path(tmp_path / "path.json")


NONE = np.zeros(200, dtype=bool)
ALTERNATING = [0, 1] * 100
CASES = {
    "no clicks": ("wechat", [0] * 200, 20, "clean", None, "no row of the log is a click with click_threshold 0.9"),
    "no likes": ("tiktok_like", [0] * 200, 20, "published", None, "no row of the log is a click; use a log"),
    "only clicks": ("tiktok_like", [1] * 200, 20, "clean", None, "every row of the log is a click"),
    "nothing covered": ("wechat", ALTERNATING, 20, "clean", NONE, "no row's item has what vat_concat needs"),
    "one class covered": (
        "wechat", ALTERNATING, 20, "published", np.arange(200) % 2 == 1, "of the 100 rows whose item has what",
    ),
    "short users": ("wechat", ALTERNATING, 8, "clean", None, "the most active user has 8 rows, and the clean protocol"),
    "too few": ("wechat", [0] * 199 + [1], 20, "published", None, "200 rows of 10 users are too few; keep more users"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_real_cause_is_named(case: str, settings: Settings) -> None:
    task, clicks, per_user, protocol, covered, why = CASES[case]
    found = task_rows(clicks, per_user, protocol, covered)
    with pytest.raises(UserError, match=why) as told:
        rows.require_both_classes(settings, task, protocol, "vat_concat", found)
    assert str(told.value).startswith(f"{task}, vat_concat, {protocol}: the ")
    assert ("min_interactions" in str(told.value)) == (case == "too few")


def test_parts_with_both_classes_pass(settings: Settings) -> None:
    for protocol in PROTOCOLS:
        found = task_rows([0, 1, 1, 0, 0, 1, 0] * 100, 35, protocol)
        rows.require_both_classes(settings, "wechat", protocol, "vat_concat", found)
