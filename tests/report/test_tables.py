"""The tables of the report: what has run beside what is published."""

from __future__ import annotations

import pytest

from load_path import load_path
from mma4ctr.grid.experiments import ADAPTIVE, EXPERIMENTS, VARIANTS, Point
from mma4ctr.grid.plan import jobs_of
from mma4ctr.grid.results import Results
from mma4ctr.published import tables as published
from mma4ctr.report.cells import CONTRADICTED, DIFFERENT, published_cell
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.tables import experiment_table, performance_table
from mma4ctr.settings import Settings
from samples import own_runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Settings:
    """The tiny sample with runs of its own folder: vat_concat with two seeds and a single modality, 10 epochs."""
    paths = own_runs(tiny, tmp_path_factory.mktemp("trained"))
    wanted = [Point("wechat", VARIANTS[1], ADAPTIVE, seed, 10) for seed in range(2)]
    wanted += [Point("wechat", VARIANTS[1], EXPERIMENTS["single_modal"].rows["feature=visual"], 0, 10)]
    for job in jobs_of(wanted):
        job.do(paths)
    return load_path(paths.file)


def test_tables_show_what_has_run_beside_what_is_published(trained: Settings) -> None:
    task_runs = TaskRuns(Results(trained), "wechat")
    assert task_runs.variants == [VARIANTS[1]]
    table = experiment_table(task_runs, "single_modal")
    assert table.title == "wechat, 5.1.4: Single modality"
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
    table = performance_table(TaskRuns(Results(trained), "wechat"), "performance")
    (ours,) = (row[3] for row in table.rows if row[0].text == "MMa4CTR" and row[1].text == "10")
    assert any("over 2 seeds" in line for line in ours.details)
    baselines = [row for row in table.rows if row[0].text == "BPR"]
    assert [row[2].text for row in baselines] == ["0.7365", "0.7713", "0.7763", "0.7755"]
    assert all(row[3].text == "" for row in baselines)
    blank = next(row for row in table.rows if row[0].text == "GCSAN" and row[1].text == "50")
    assert blank[2].text == ""


def test_a_task_without_runs_has_no_columns_of_its_own(trained: Settings) -> None:
    task_runs = TaskRuns(Results(trained), "tiktok_finish")
    assert task_runs.variants == []
    table = experiment_table(task_runs, "epochs")
    assert "no published table" in table.title
    assert len(table.columns) == 4


def test_contradicting_published_figures_are_both_shown() -> None:
    cell = published_cell("6.1 performance", "", 10, "BPR", "auc")
    assert (cell.text, cell.mark) == ("0.7365", CONTRADICTED)
    assert cell.details == ("table 6.1 epochs: 0.5113",)
    assert published_cell("5.1.4", "feature=visual", 10, "MMa4CTR", "auc").mark == ""
    assert DIFFERENT != CONTRADICTED


def test_every_published_auc_of_mma4ctr_stands_in_a_table() -> None:
    """No row of tables.csv is lost because its setting is written otherwise in the table of experiments."""
    shown = {
        (experiment.number(subsection), name, epochs)
        for subsection in ("1", "2")
        for experiment in EXPERIMENTS.values()
        for name in experiment.rows
        for epochs in experiment.epochs
    }
    printed = {key[:3] for key in published.printed() if key[3] == "MMa4CTR" and key[4] == "auc"}
    assert printed == shown
