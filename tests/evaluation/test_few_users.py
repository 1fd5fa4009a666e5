"""Below a stated number of test users with both classes there is no interval, no sign of a difference and no audit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mma4ctr.evaluation import bootstrap, metrics, remarks
from mma4ctr.report.cells import DIFFERENT, DOUBTFUL, NO_INTERVAL, auc_cell, compared_cell
from mma4ctr.runs import comparison
from mma4ctr.runs import folder as runs
from mma4ctr.runs.finished import Evaluation

FEW, ENOUGH = bootstrap.FEWEST_USERS - 1, bootstrap.FEWEST_USERS


def rows_of(both: int, single: int) -> np.ndarray:
    """Return rows of users with both classes and of users with one."""
    users = np.repeat(np.arange(both + single), 6)
    clicks = np.where(users < both, np.arange(len(users)) % 2, users % 2)
    return np.column_stack([users, np.arange(len(users)), clicks]).astype(np.int32)


@pytest.mark.parametrize(("both", "single"), [(0, 9), (1, 9), (2, 0), (FEW, 9), (ENOUGH, 0), (30, 5)])
def test_an_interval_needs_enough_users(both: int, single: int) -> None:
    rows = rows_of(both, single)
    assert bootstrap.users_with_both_classes(rows[:, 0], rows[:, 2]) == both
    scores = np.random.default_rng(0).random(len(rows)).astype(np.float32)
    figures, replicates = metrics.evaluate(rows[:, 0], rows[:, 2], scores, 0)
    assert math.isfinite(figures["auc"])
    assert math.isnan(figures["auc_low"]) == math.isnan(figures["auc_high"]) == (both < ENOUGH)
    assert np.isnan(replicates).all() == (both < ENOUGH)
    assert math.isnan(figures["gauc"]) == (both == 0)


def evaluation(folder: Path, name: str, rows: np.ndarray, strength: float) -> Evaluation:
    scores = (strength * rows[:, 2] + np.random.default_rng(1).random(len(rows))).astype(np.float32)
    figures = runs.save_predictions(folder / name, scores, rows, 0)
    runs.save_array(folder / name, "test_rows", rows)
    runs.save_array(folder / name, "test_places", np.arange(len(rows)))
    runs.save_metrics(folder / name, {"run": name, **figures})
    return Evaluation(name, folder / name, 1, figures, rows=str(len(rows)), remarks=(remarks.CONSTANT,))


@pytest.mark.parametrize("both", [2, 40])
def test_no_difference_is_told_between_runs_on_few_users(tmp_path: Path, both: int) -> None:
    rows = rows_of(both, 3)
    good, bad = evaluation(tmp_path, "good", rows, 3.0), evaluation(tmp_path, "bad", rows, 0.0)
    found = comparison.difference([good], [bad])
    assert found.auc > 0 and found.is_one == (both == 40)
    cell = compared_cell([good], [bad])
    assert cell.mark == DOUBTFUL + (DIFFERENT if both == 40 else "")
    assert any("Δ not told: fewer than" in line for line in cell.details) == (both == 2)
    assert (auc_cell([good]).details[:2] == ("no interval", NO_INTERVAL)) == (both == 2)
    assert f"BEWARE: {remarks.CONSTANT}" in auc_cell([good]).details
    assert "nan" not in " ".join([cell.text, *cell.details])


def test_runs_on_other_rows_are_compared_on_enough_common_users_only(tmp_path: Path) -> None:
    rows = rows_of(40, 0)
    whole = evaluation(tmp_path, "whole", rows, 3.0)
    part = evaluation(tmp_path, "part", rows[: 6 * FEW], 0.0)
    found = comparison.difference([whole], [part])
    assert found.rows == 6 * FEW and not found.is_one and math.isnan(found.low)


def test_an_auc_without_an_interval_stands_alone_in_the_demo() -> None:
    (figure,) = (one for one in metrics.FIGURES if one.name == "auc")
    assert figure.in_demo({"auc": 0.5, "auc_low": None, "auc_high": None}) == "0.5000"
    assert figure.in_demo({"auc": 0.5, "auc_low": 0.4, "auc_high": 0.6}) == "0.5000 [0.4000, 0.6000]"


def test_remarks() -> None:
    constant, other = np.full(5, 0.3, dtype=np.float32), np.array([0.1, 0.2], dtype=np.float32)
    assert remarks.of_predictions(constant) == [remarks.CONSTANT]
    assert remarks.of_predictions(other) == remarks.of_predictions(other[:1]) == []
    assert remarks.of_history([{"valid_auc": 0.5}, {"valid_auc": 0.4}]) == [remarks.NEVER_ABOVE_HALF]
    assert remarks.of_history([{"valid_auc": 0.4}, {"valid_auc": 0.6}]) == remarks.of_history([{}]) == []
