"""Sums over seeds and paired differences against slow oracles; the tables of the report; the leak audit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import mlp
from load_path import load_path
from mma4ctr.evaluation import leak_audit, metrics
from mma4ctr.grid import pool as grid
from mma4ctr.grid.experiments import ADAPTIVE, EXPERIMENTS, VARIANTS, Point
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.report import performance_tables
from mma4ctr.report import tables as experiment_tables
from mma4ctr.report.tables import CONTRADICTED, DIFFERENT, TaskTables, published_cell
from mma4ctr.runs import comparison
from mma4ctr.runs import folder as runs
from mma4ctr.runs.find import Evaluation, Results
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts


def evaluation(folder: Path, name: str, places: np.ndarray, task_rows: np.ndarray, scores: np.ndarray) -> Evaluation:
    """Write what a run leaves for the rows at `places` of a task and return its evaluation."""
    own = folder / name
    test_rows = task_rows[places]
    figures = runs.save_predictions(own, scores, test_rows, seed=0)
    runs.save_array(own, "test_rows", test_rows)
    runs.save_array(own, "test_places", places)
    return Evaluation(name, own, 1, figures, rows=str(hash(places.tobytes())))


@pytest.fixture
def task_rows() -> np.ndarray:
    rng = np.random.default_rng(5)
    users = np.sort(rng.integers(0, 40, 600))
    return np.column_stack([users, rng.integers(0, 90, 600), rng.integers(0, 2, 600)]).astype(np.int32)


def scores_of(rng: np.random.Generator, clicks: np.ndarray, strength: float) -> np.ndarray:
    return (strength * clicks + rng.random(len(clicks))).astype(np.float32)


def draws(users: np.ndarray, number: int) -> list[np.ndarray]:
    """Return the rows of each bootstrap replicate, by drawing users one after another as the metrics module says."""
    distinct = np.unique(users)
    weights = metrics.user_weights(len(distinct), number, 0)
    return [
        np.concatenate([np.flatnonzero(users == user) for user, times in zip(distinct, column, strict=True)
                        for _ in range(int(times))])
        for column in weights.T
    ]  # fmt: skip


def test_a_mean_over_seeds_and_its_interval(tmp_path: Path, task_rows: np.ndarray) -> None:
    rng, places = np.random.default_rng(1), np.arange(200, 500)
    clicks = task_rows[places, 2]
    scores = [scores_of(rng, clicks, strength) for strength in (0.1, 0.3, 0.5)]
    found = comparison.summarise(
        [evaluation(tmp_path, str(seed), places, task_rows, score) for seed, score in enumerate(scores)]
    )
    aucs = [roc_auc_score(clicks, score) for score in scores]
    assert found.auc == pytest.approx(np.mean(aucs))
    assert found.spread == pytest.approx(np.std(aucs, ddof=1))
    assert (found.seeds, found.test_positives) == (3, clicks.sum())
    replicated = [
        np.mean([roc_auc_score(clicks[drawn], score[drawn]) for score in scores])
        for drawn in draws(task_rows[places, 0], metrics.REPLICATES)
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(replicated, [2.5, 97.5])))


def test_a_single_seed_has_no_spread(tmp_path: Path, task_rows: np.ndarray) -> None:
    places = np.arange(300)
    scores = scores_of(np.random.default_rng(0), task_rows[places, 2], 0.2)
    assert math.isnan(comparison.summarise([evaluation(tmp_path, "a", places, task_rows, scores)]).spread)


@settings(max_examples=4, deadline=None)
@given(first=st.integers(0, 100), last=st.integers(400, 600), seed=st.integers(0, 99))
def test_a_paired_difference(tmp_path_factory: pytest.TempPathFactory, first: int, last: int, seed: int) -> None:
    """On the rows that both settings were tested on, with the same users drawn for both."""
    folder, rng = tmp_path_factory.mktemp("paired"), np.random.default_rng(seed)
    task_rows = np.column_stack([np.sort(rng.integers(0, 30, 600)), np.zeros(600, int), rng.integers(0, 2, 600)])
    task_rows = task_rows.astype(np.int32)
    here, there = np.arange(first, 500), np.arange(50, last)
    ours = scores_of(rng, task_rows[here, 2], 0.5)
    theirs = scores_of(rng, task_rows[there, 2], 0.2)
    found = comparison.difference(
        [evaluation(folder, "a", here, task_rows, ours)], [evaluation(folder, "b", there, task_rows, theirs)]
    )
    both = [place for place in here.tolist() if place in there.tolist()]
    clicks, users = task_rows[both, 2], task_rows[both, 0]
    a = np.array([ours[here.tolist().index(place)] for place in both])
    b = np.array([theirs[there.tolist().index(place)] for place in both])
    assert found.auc == pytest.approx(roc_auc_score(clicks, a) - roc_auc_score(clicks, b))
    replicated = [roc_auc_score(clicks[drawn], a[drawn]) - roc_auc_score(clicks[drawn], b[drawn])
                  for drawn in draws(users, metrics.REPLICATES)[:400]]  # fmt: skip
    low, high = np.percentile(replicated, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)
    assert found.rows == (None if np.array_equal(here, there) else len(both))


def test_settings_are_called_different_only_where_the_interval_excludes_0(
    tmp_path: Path, task_rows: np.ndarray
) -> None:
    rng, places = np.random.default_rng(3), np.arange(600)
    clicks = task_rows[:, 2]
    scores = scores_of(rng, clicks, 0.1)
    base = [evaluation(tmp_path, "base", places, task_rows, scores)]
    near = [evaluation(tmp_path, "near", places, task_rows, scores + rng.normal(0, 0.01, 600).astype(np.float32))]
    far = [evaluation(tmp_path, "far", places, task_rows, scores_of(rng, clicks, 2.0))]
    assert not comparison.difference(near, base).is_one
    assert comparison.difference(far, base).is_one
    assert comparison.difference(base, far).is_one


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Settings:
    """The tiny sample with runs of its own folder: vat_concat with two seeds and a single modality, 10 epochs."""
    folder = tmp_path_factory.mktemp("trained")
    paths = load_path(tiny.file)
    file = folder / "path.json"
    paths = type(paths)(**{**vars(paths), "file": file, "saved_path": folder / "saved",
                           "torch_model_path": folder / "torch_model"})  # fmt: skip
    grid.write_settings(paths)
    wanted = [Point("wechat", VARIANTS[1], ADAPTIVE, seed, 10) for seed in range(2)]
    wanted += [Point("wechat", VARIANTS[1], EXPERIMENTS["single_modal"].rows["feature=visual"], 0, 10)]
    for job in grid.jobs_of(paths, wanted):
        mlp.main(job.arguments)
    return load_path(file)


def test_tables_show_what_has_run_beside_what_is_published(trained: Settings) -> None:
    tables = TaskTables(Results(trained), "wechat")
    assert tables.variants == [VARIANTS[1]]
    table = tables.experiment("single_modal")
    assert table.title == "5.1.4: Single modality"
    row = next(row for row in table.rows if row[0].text == "feature=visual" and row[1].text == "10")
    assert row[2].text == "0.9472"
    assert row[3].text == ""  # the difference is that of average pooling, which has not run
    found = Results(trained).find(Point("wechat", VARIANTS[1], EXPERIMENTS["single_modal"].rows[row[0].text], 0, 10))
    assert row[4].text == f"{found.figures['auc']:.4f}"
    assert any(line.startswith("Δ ") for line in row[4].details)
    assert [row[0].text for row in table.rows[-3:]] == ["user_rate", "item_rate", "user_item_rate"]
    assert all(row[4].text for row in table.rows[-3:])
    long = next(row for row in table.rows if row[0].text == "feature=visual" and row[1].text == "30")
    assert (long[2].text, long[4].text) == ("0.9466", "")


def test_the_spread_over_seeds_is_shown(trained: Settings) -> None:
    table = performance_tables.performance(TaskTables(Results(trained), "wechat"), "performance")
    (ours,) = (row[3] for row in table.rows if row[0].text == "MMa4CTR" and row[1].text == "10")
    assert any("over 2 seeds" in line for line in ours.details)
    baselines = [row for row in table.rows if row[0].text == "BPR"]
    assert [row[2].text for row in baselines] == ["0.7365", "0.7713", "0.7763", "0.7755"]
    assert all(row[3].text == "" for row in baselines)
    blank = next(row for row in table.rows if row[0].text == "GCSAN" and row[1].text == "50")
    assert blank[2].text == ""


def test_a_task_without_runs_has_no_columns_of_its_own(trained: Settings) -> None:
    tables = TaskTables(Results(trained), "tiktok_finish")
    assert tables.variants == []
    table = tables.experiment("epochs")
    assert "no published table" in table.title
    assert len(table.columns) == 4


def test_contradicting_published_figures_are_both_shown() -> None:
    cell = published_cell("6.1 performance", "", 10, "BPR", "auc")
    assert (cell.text, cell.mark) == ("0.7365", CONTRADICTED)
    assert cell.details == ("table 6.1 epochs: 0.5113",)
    assert published_cell("5.1.4", "feature=visual", 10, "MMa4CTR", "auc").mark == ""
    assert DIFFERENT != CONTRADICTED


def test_every_published_auc_of_mma4ctr_stands_in_a_table() -> None:
    """No row of published.csv is lost because its setting is written otherwise in the table of experiments."""
    shown = {
        (experiment.number(task), name, epochs)
        for task in ("wechat", "tiktok_like")
        for experiment in EXPERIMENTS.values()
        for name in experiment.rows
        for epochs in experiment.epochs
    }
    printed = {key[:3] for key in experiment_tables.all_published_cells() if key[3] == "MMa4CTR" and key[4] == "auc"}
    assert printed == shown


@pytest.mark.parametrize("protocol", ["published", "clean"])
def test_the_audit_against_rows_counted_one_by_one(tiny: Settings, protocol: str) -> None:
    task_rows = artifacts.load(tiny, "rows", task="wechat", protocol=protocol)
    ids, fused = (artifacts.load(tiny, name, dataset="wechat") for name in ("items", "fused_items"))
    covered = np.isin(ids[task_rows[:, 1]], fused)
    test = PROTOCOLS[protocol].split(task_rows[:, 0], covered, tiny.seed)["test"]
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
    found = leak_audit.audit(tiny, "wechat", protocol)
    assert found.auc == pytest.approx(roc_auc_score(task_rows[test, 2], rate))


def test_shuffled_labels_leak_under_the_published_protocol_alone(tiny: Settings) -> None:
    published, clean = (leak_audit.audit(tiny, "wechat", protocol) for protocol in ("published", "clean"))
    standard_error = clean.spread / math.sqrt(leak_audit.DRAWS)
    assert abs(clean.shuffled - 0.5) < 4 * standard_error
    assert published.shuffled > 0.5 + 5 * standard_error
