"""The ranking test: what is drawn was never met, and the AUC is that of a loop over clicks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlp
from mma4ctr.evaluation import ranking
from mma4ctr.inputs.rows import load_fused
from mma4ctr.models import registry
from mma4ctr.runs import fit, folder
from mma4ctr.runs.ranking import scores_of
from mma4ctr.runs.ranking import test_clicks as shown_rows
from mma4ctr.runs.run import native
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from samples import own_runs
from small_problem import CPU

PAIRS = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30)


@given(PAIRS, st.integers(1, 6), st.integers(0, 100))
def test_what_is_drawn_was_never_met(pairs: set[tuple[int, int]], number: int, seed: int) -> None:
    met = np.array(sorted(user * 10 + item for user, item in pairs), dtype=np.int64)
    users, items = np.arange(5), np.arange(0, 10, 2)
    drawn = ranking.unmet(np.random.default_rng(seed), met, users, items, number, 10)
    for user, own in zip(users, drawn, strict=True):
        left = [item for item in items if (user, item) not in pairs]
        assert set(own.tolist()) <= set(left) if left else (own == -1).all()


def test_what_is_drawn_is_even() -> None:
    drawn = ranking.unmet(np.random.default_rng(0), np.array([2, 3]), np.zeros(4000, int), np.arange(6), 3, 6)
    counts = np.bincount(drawn.ravel(), minlength=6)
    assert counts[2] == counts[3] == 0 and (abs(np.delete(counts, [2, 3]) - 3000) < 5 * 3000**0.5).all()


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_the_auc_of_a_click_counts_ties_half(rows: list[list[int]]) -> None:
    scores = np.array(rows, dtype=float)
    expected = [np.mean([(own > one) + (own == one) / 2 for one in others]) for own, *others in rows]
    np.testing.assert_allclose(ranking.auc_of_clicks(scores[:, 0], scores[:, 1:]), expected)


@given(PAIRS, st.integers(1, 12), st.integers(0, 100))
def test_distinct_ones_are_unmet_and_all_where_there_are_few(
    pairs: set[tuple[int, int]], number: int, seed: int
) -> None:
    met = np.array(sorted(user * 10 + item for user, item in pairs), dtype=np.int64)
    users, items = np.arange(5), np.arange(0, 10, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "DENSE", seed % 2 * 4)  # both ways of drawing
        drawn = ranking.distinct_unmet(np.random.default_rng(seed), met, users, items, min(number, 5), 10)
    for user, own in zip(users, drawn, strict=True):
        left, there = {item for item in items if (user, item) not in pairs}, own[own >= 0].tolist()
        assert len(set(there)) == len(there) and set(there) <= left
        assert len(there) == min(number, len(left)) or (seed % 2 == 0 and (own == -1).all() and number > len(left))


def test_distinct_ones_are_even() -> None:
    for dense in (0, 4):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranking, "DENSE", dense)
            drawn = ranking.distinct_unmet(
                np.random.default_rng(0), np.array([2, 3]), np.zeros(4000, int), np.arange(6), 2, 6
            )
        counts = np.bincount(drawn.ravel(), minlength=6)
        assert counts[2] == counts[3] == 0 and (abs(np.delete(counts, [2, 3]) - 2000) < 5 * 2000**0.5).all()


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, None]), min_size=13, max_size=13), min_size=1, max_size=6))
def test_figures_of_ranks_are_those_of_a_loop(rows: list[list[int | None]]) -> None:
    rows = [[1 if row[0] is None else row[0], 0 if row[1] is None else row[1], *row[2:]] for row in rows]
    scores = np.array([[np.nan if one is None else one for one in row] for row in rows], dtype=float)
    found = ranking.figures_of_ranks(
        ranking.ranks_of_clicks(scores[:, 0], scores[:, 1:]), (~np.isnan(scores[:, 1:])).sum(1), k=3
    )
    expected: dict[str, list[float]] = {name: [] for name in found}
    for own, *others in rows:
        there = [one for one in others if one is not None]
        rank = 1.0
        for one in there:
            rank += 1 if one > own else 0.5 if one == own else 0
        gain = 1 / math.log2(rank + 1) if rank <= 3 else 0.0  # of one relevant item, whose ideal gain is 1 / log2(2)
        values = (np.mean([(own > one) + (own == one) / 2 for one in there]), gain, float(rank <= 3), 1 / rank)
        for name, value in zip(expected, values, strict=True):
            expected[name].append(value)
    assert found == pytest.approx({name: np.mean(values) for name, values in expected.items()})


@pytest.mark.parametrize("model", ["mma4ctr", "destine", "hyperctr"])
def test_a_run_is_tested_against_unmet_items(
    model: str, tiny: Settings, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    paths = own_runs(tiny, tmp_path)
    words = ["--paths", str(paths.file), "--model", model, "--protocol", "clean", "--epochs", "1", "--device", "cpu"]
    (run,) = mlp.main([*words, "--unmet", "20"])
    said = capsys.readouterr().out.splitlines()
    found = json.loads((folder.folder_of(paths, run) / "unmet_20.json").read_text())
    clicks = int(load_fused(paths, "wechat", "clean").part("test")[:, 2].sum())
    assert found["clicks"] == clicks and 0.3 < found["auc"] < 1
    assert said[-1].startswith("AUC=") and said[-2] == (
        f"  AUC {found['auc']:.4f} of {clicks} test clicks against 20 unmet items each"
    )
    predicted = folder.load_array(folder.folder_of(paths, run), "predictions")
    same = native(
        paths, "wechat", "vat_concat", "clean", Schedule(**{**registry.load(model).schedule, "epochs": 1}), "cpu", model
    )
    assert same.id == run
    inputs, network = fit.finished_model(same)
    rows = inputs.task.part("test")
    shown = np.column_stack([rows[:, 1], rows[::-1, 1]]).astype(np.int64)
    scores = scores_of(network, shown_rows(inputs, "clean", CPU), np.arange(len(rows)), shown)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores[:, 0])), predicted, atol=1e-6)  # its own item, as it was tested
    assert abs(scores[:, 0] - scores[:, 1]).max() > 1e-4
    assert mlp.main([*words, "--unmet", "20"]) == [run]
    assert capsys.readouterr().out.splitlines()[-2] == said[-2]
