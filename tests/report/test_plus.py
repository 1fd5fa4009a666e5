"""The package's own model in the report: set against every other, and each of its parts against the whole."""

from __future__ import annotations

import numpy as np
import pytest

import mlp
from mma4ctr.grid.results import Results
from mma4ctr.report import plus
from mma4ctr.report.leaderboard import name_of, sources_of
from mma4ctr.report.model import Table
from mma4ctr.report.sources import TaskRuns
from mma4ctr.runs import comparison
from mma4ctr.settings import Settings
from samples import own_runs

ABLATIONS = {"without factors of clicks": "factors=false", "without rates": "rates=false"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> TaskRuns:
    """The small size, two ablations of it, another model and MMa4CTR, each trained for an epoch."""
    own = own_runs(tiny, tmp_path_factory.mktemp("plus"))
    to = ["--paths", str(own.file), "--dataset", "wechat", "--protocol", "clean", "--device", "cpu", "--epochs"]
    small = ["--model", "mma4ctr_plus_small"]
    for asked in ([], *(["--set", option] for option in ABLATIONS.values())):
        mlp.main([*to, "1", *small, *asked])
    mlp.main([*to, "1", "--model", "dnn"])
    mlp.main([*to, "10"])
    return TaskRuns(Results(own), "wechat")


def row_of(table: Table, label: str) -> dict:
    return next(dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0].text == label)


def test_every_model_is_set_against_it(runs: TaskRuns) -> None:
    against, _ = plus.tables(runs)
    assert against.title == "wechat: every model set against mma4ctr_plus_small"
    names = [row[0].text for row in against.rows]
    assert sorted(names[:2]) == ["MMa4CTR (pca)", "dnn"]
    assert names[2:] == ["user_rate", "item_rate", "user_item_rate"]
    own = plus.of_model(runs, "mma4ctr_plus_small")
    other = next(one for one in runs.others if one.model == "dnn")
    expected = comparison.difference(other.evaluations(1), own.evaluations(1))
    row = row_of(against, "dnn")
    assert row["Δ AUC"].value == pytest.approx(expected.auc)
    assert row["Δ GAUC"].value == pytest.approx(
        other.evaluations(1)[0].figures["gauc"] - own.evaluations(1)[0].figures["gauc"], abs=1e-9
    )
    assert row["Δ AUC"].details[0].startswith(row["Δ AUC"].text)


def test_ablations_stand_in_a_table_of_their_own(runs: TaskRuns) -> None:
    _, parts = plus.tables(runs)
    assert [row[0].text for row in parts.rows] == ["the whole model", *ABLATIONS]
    whole, without = row_of(parts, "the whole model"), row_of(parts, "without rates")
    assert not whole["Δ AUC"].text and without["Δ AUC"].value == pytest.approx(
        without["AUC"].value - whole["AUC"].value
    )
    few = plus.rare(runs)
    rows = runs.others[0].evaluations(1)[0].test_rows
    assert whole["AUC, rare items"].details == (f"{few['rare items'](rows).sum():,} rows",)
    assert not {one.name for one in sources_of(runs)} & set(ABLATIONS)
    assert [one.name for one in runs.others].count("mma4ctr_plus_small") == 1


def test_who_is_rare_is_told_by_training_rows(runs: TaskRuns) -> None:
    few = plus.rare(runs)
    unknown = np.array([[10_000, 10_000, 1]])
    assert few["rare items"](unknown).all() and few["new users"](unknown).all()


def test_without_it_there_is_no_table(tiny: Settings, tmp_path) -> None:
    assert plus.tables(TaskRuns(Results(own_runs(tiny, tmp_path)), "wechat")) == []


def test_what_causal_embeddings_change(tiny: Settings, tmp_path) -> None:
    own = own_runs(tiny, tmp_path)
    to = ["--paths", str(own.file), "--dataset", "wechat", "--protocol", "clean", "--device", "cpu", "--epochs", "10"]
    for history in ("whole", "causal"):
        mlp.main([*to, "--user_history", history])
    task = TaskRuns(Results(own), "wechat")
    assert [one.reduction for one in task.variants] == ["pca"]  # published tables have no column of it
    (table,) = plus.tables(task)
    (row,) = table.rows
    whole, causal = (dict(zip(table.columns, row, strict=True))[f"AUC, {name}"].value for name in ("whole", "causal"))
    assert row[4].value == pytest.approx(causal - whole) and causal != whole
    assert [name_of(one) for one in sources_of(task)][:2] == ["MMa4CTR, all", "MMa4CTR, all, causal"]
