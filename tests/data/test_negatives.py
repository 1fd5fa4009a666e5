"""Rows that are drawn for a log of clicks: never met, each once, by popularity, and nothing else tells them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.metrics import roc_auc_score

from frame_log import FrameLog, built
from mma4ctr.cli import UserError
from mma4ctr.data import kept_log, negatives
from mma4ctr.data.contract import Negatives
from mma4ctr.data.gathering import gathered
from mma4ctr.data.kept_log import KeptLog
from mma4ctr.store import reading, records

PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=60)


def log_of(users: list[int], items: list[int]) -> KeptLog:
    """Return a log of clicks; rows of a user stand in the order given, and `hour` is a context of theirs."""
    frame = pl.DataFrame({"user": users, "item": items}, schema={"user": pl.Int64, "item": pl.Int64})
    frame = frame.with_columns(hour=pl.int_range(pl.len()), time=pl.lit(0, pl.Int64), device=pl.lit(0, pl.Int64))
    counts = frame["user"].value_counts(name="len").sort("user")
    return gathered([frame], counts, frame["item"].unique().sort(), [], ["hour"])


def drawn(log: KeptLog, asked: Negatives) -> np.ndarray:
    """Return the rows (n, 4): user, item, click, hour."""
    found = negatives.with_negatives(log, asked, ("hour",)).columns
    return np.column_stack([found[name] for name in ("user", "item", "click", "hour")])


@pytest.mark.parametrize("rounds", [0, 1, 24])
@settings(max_examples=40)
@given(pairs=PAIRS, ratio=st.integers(1, 5), power=st.sampled_from([0.0, 0.75, 3.0]), seed=st.integers(0, 9))
def test_every_click_has_its_own_rows_of_items_never_met(
    rounds: int, pairs: list[tuple[int, int]], ratio: int, power: float, seed: int
) -> None:
    log, asked = log_of(*(list(column) for column in zip(*pairs, strict=True))), Negatives(ratio, power, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negatives, "ROUNDS", rounds)
        patch.setattr(negatives, "CELLS", 13)
        made = negatives.with_negatives(log, asked, ("hour",))
        rows = drawn(log, asked).tolist()
        for bucket in (1, 40):
            patch.setattr(kept_log, "BUCKET_ROWS", bucket)
            patch.setattr(negatives, "BUCKET_ROWS", bucket)
            assert drawn(log, asked).tolist() == rows  # whoever is drawn for beside
    met, times = defaultdict(set), {}
    for user, item, hour in zip(*(log.columns[name].tolist() for name in ("user", "item", "hour")), strict=True):
        if item not in met[user]:
            times[user, hour] = item
        met[user].add(item)
    clicks = [(user, hour, item) for user, item, click, hour in rows if click]
    assert clicks == [(user, hour, times[user, hour]) for user, hour in times]  # the first of each pair, in order
    assert len({(user, item) for user, item, *_ in rows}) == len(rows)
    missing = 0
    for user, own in met.items():
        others = [row for row in rows if row[0] == user and not row[2]]
        assert not {item for _, item, *_ in others} & own
        wanted = min(ratio * len(own), len(log.items) - len(own))
        assert len(others) == wanted
        missing += ratio * len(own) - wanted
        of_click = Counter(hour for *_, hour in others)
        each = [of_click[hour] for one, hour in times if one == user]
        assert max(each) - min(each) <= 1  # spread evenly, where there are too few
    assert made.missing == missing
    together = Counter((user, hour) for user, _, _, hour in rows)
    assert [(user, hour) for user, _, _, hour in rows] == [key for key in times for _ in range(together[key])]


@pytest.mark.parametrize("rounds", [0, 24])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_popularity(rounds: int, power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negatives, "ROUNDS", rounds)
    rng = np.random.default_rng(1)
    popular = np.repeat(np.arange(12), rng.integers(1, 90, 12))
    # One item each, of user k; the users that are looked at have met the item 12 alone, which nobody else has.
    users = [*range(len(popular)), *range(1000, 5000)]
    log = log_of(users, [*popular, *[12] * 4000])
    rows = drawn(log, Negatives(1, power, 7))
    found = rows[(rows[:, 2] == 0) & (rows[:, 0] >= len(popular)), 1]
    counts = np.bincount(found, minlength=12)
    weights = np.bincount(popular, minlength=12) ** power
    assert counts.sum() == 4000
    assert chisquare(counts, 4000 * weights / weights.sum()).pvalue > 1e-4


def test_another_seed_draws_others_and_the_same_seed_the_same() -> None:
    rng = np.random.default_rng(0)
    log = log_of(np.sort(rng.integers(0, 20, 300)).tolist(), rng.integers(0, 90, 300).tolist())
    first, again, other = (drawn(log, Negatives(2, 0.75, seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_neither_place_nor_activity_nor_time_tells_the_label() -> None:
    rng = np.random.default_rng(0)
    users = np.sort((60 * rng.random(12_000) ** 2).astype(int))
    log = log_of(users.tolist(), rng.integers(0, 40_000, len(users)).tolist())
    rows = drawn(log, Negatives(4, 0.75, 0))
    clicks = rows[:, 2]
    place = np.arange(len(rows)) - np.searchsorted(rows[:, 0], rows[:, 0])
    signals = {"activity": np.bincount(rows[:, 0])[rows[:, 0]], "place": place, "place in a group": place % 5,
               "hour": rows[:, 3], "hour within the user": rows[:, 3] - np.searchsorted(rows[:, 0], rows[:, 0]),
               "the row before": np.concatenate([[0], clicks[:-1]]) * (place % 5 == 0)}  # fmt: skip
    for name, signal in signals.items():
        assert abs(roc_auc_score(clicks, signal) - 0.5) < 0.012, name
    # Nor does the order of ids: what is drawn is not sorted by item within a user.
    others = rows[clicks == 0]
    number = np.arange(len(others)) - np.searchsorted(others[:, 0], others[:, 0])
    assert abs(np.corrcoef(others[:, 1], number)[0, 1]) < 0.03


def frame_of(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"user": rng.integers(0, 8, 200), "item": rng.integers(0, 40, 200), "hour": np.arange(200) % 24,
                         "time": rng.integers(0, 9, 200)})  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*could not be drawn")
def test_step_1_says_that_rows_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    reader = FrameLog(negatives=Negatives(2, 0.5, 3), context=("hour",))
    with pytest.warns(UserWarning, match="2 drawn for each row"):
        paths = built(tmp_path, frame_of(0), reader)
    assert "negatives: 2 drawn for each row, among items that the user never met" in capsys.readouterr().out
    record = records.read(paths, records.INTER, "log", {})
    assert any("the log has no rows without a click: 2 drawn for each row" in said for said in record.warnings)
    made = [reading.load(paths, "rows", task="log_click", protocol=name) for name in ("published", "clean")]
    assert np.array_equal(*made)
    clicks = len(frame_of(0).unique(["user", "item"]))
    assert made[0][:, 2].sum() == clicks
    missing = int(any("could not be drawn" in said for said in record.warnings))
    assert len(made[0]) == 3 * clicks or missing
    context = reading.load(paths, "context", task="log_click", protocol="clean")
    assert context.shape == (len(made[0]), 1)


@pytest.mark.filterwarnings("ignore:the log has no rows")
def test_a_user_that_has_met_nearly_everything_gets_fewer_rows_and_a_warning(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [*[1] * 9, 2], "item": [*range(9), 9]})
    with pytest.warns(UserWarning, match="17 rows could not be drawn"):
        paths = built(tmp_path, frame, FrameLog(negatives=Negatives(2)))
    rows = reading.load(paths, "rows", task="log_click", protocol="clean")
    assert sorted(map(tuple, rows[rows[:, 2] == 0].tolist()))[0] == (0, 9, 0)
    assert len(rows) == 10 + 1 + 2


def test_a_log_that_has_rows_without_a_click_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 2], "item": [1, 1], "click": [1, 0]})
    with pytest.raises(UserError, match="click is 1 in 1 of 2 rows of the log, expected every row to be a click"):
        built(tmp_path, frame, FrameLog(negatives=Negatives(2)))
    assert not list(tmp_path.rglob("*.npy"))
