"""The baselines in the report, beside published figures and on the same rows as MMa4CTR; and new baselines."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from samples import own_runs

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import comp, models
from mma4ctr.grid.experiments import ADAPTIVE, VARIANTS, Point
from mma4ctr.grid.plan import jobs_of
from mma4ctr.grid.results import Results
from mma4ctr.inputs.rows import load_fused
from mma4ctr.report import same_rows
from mma4ctr.report.cells import signed
from mma4ctr.report.computation import computation_table
from mma4ctr.report.findings import beyond_rates
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.standings import standings
from mma4ctr.report.tables import performance_table
from mma4ctr.runs import folder as runs
from mma4ctr.runs import tested
from mma4ctr.settings import Settings
from mma4ctr.store import disk

DEMO = str(models.FOLDER / "demo.yaml")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Settings:
    """The tiny sample with a folder of its own for runs."""
    return own_runs(tiny, tmp_path_factory.mktemp("baseline_report"))


def test_the_report_has_both_settings_apart(paths: Settings) -> None:
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", "BPR", "--epochs", "1", "2",
                 "--seeds", "2", "--config", DEMO]  # fmt: skip
    comp.main(arguments)
    task_runs = TaskRuns(Results(paths), "wechat")
    clean, watched = same_rows.tables(task_runs)
    assert [(one.name, one.sees_content) for one in standings(task_runs, "clean")] == [("BPR", False)]
    assert "BPR, the best that sees none, " in " ".join(beyond_rates(task_runs))
    (row,) = (row for row in clean.rows if row[0].text == "BPR" and row[1].text == "2")
    assert any("over 2 seeds" in line for line in row[2].details)
    assert all(cell.text for cell in row[2:])
    assert [row[0].text for row in clean.rows[-3:]] == ["user_rate", "item_rate", "user_item_rate"]
    assert "NOT comparable" in watched.note
    assert {row[0].text for row in watched.rows} >= {"BPR@watched"}
    assert same_rows.tables(TaskRuns(Results(paths), "tiktok_finish")) == []


@pytest.fixture(scope="module")
def compared(paths: Settings) -> Settings:
    """The same, with MMa4CTR under both protocols and BPR in both settings, the clean one with two seeds."""
    wanted = [Point("wechat", VARIANTS[k], ADAPTIVE, 0, 10) for k in (1, 3)]  # PCA, as the tiny sample has it
    for job in jobs_of(wanted):
        job.do(paths)
    to = ["--paths", str(paths.file), "--dataset", "wechat", "--models", "BPR"]
    comp.main([*to, "--setting", "clean", "--epochs", "10", "--seeds", "2"])
    comp.main([*to, "--setting", "clean", "--epochs", "10", "20"])  # seed 0 again, for longer
    comp.main([*to, "--setting", "published", "--epochs", "10"])
    return paths


def columns_of(table: Table, row: tuple[Cell, ...]) -> dict[str, Cell]:
    """Return the cells of a row by the heads of their columns."""
    return dict(zip(table.columns, row, strict=True))


@pytest.mark.parametrize("name", ["performance", "performance_by_epoch"])
def test_our_baselines_stand_beside_the_published_ones(name: str, compared: Settings) -> None:
    task_runs = TaskRuns(Results(compared), "wechat")
    table = performance_table(task_runs, name)
    (row,) = (columns_of(table, row) for row in table.rows if (row[0].text, row[1].text) == ("BPR", "10"))
    assert row["AUC, published"].text == {"performance": "0.7365", "performance_by_epoch": "0.5113"}[name]
    own = {one.protocol: one for one in task_runs.others if one.model == "BPR" and not one.remarks}
    clean = row["AUC, ours (sample): clean, pca"]
    assert clean.text == f"{np.mean([run.history[9]['test_auc'] for run in own['clean'].tested(10)]):.4f}"
    assert "over 2 seeds" in clean.details[1]  # the longer run of seed 0 does not count again
    watched = row["AUC, ours (sample): published, pca"]
    assert watched.text == f"{own['published'].runs[0].history[9]['test_auc']:.4f}"
    assert "@watched" in watched.details
    (later,) = (columns_of(table, row) for row in table.rows if (row[0].text, row[1].text) == ("BPR", "20"))
    assert later["AUC, ours (sample): clean, pca"].text and not later["AUC, ours (sample): published, pca"].text


def test_seconds_and_parameters_stand_beside_the_published_ones(compared: Settings) -> None:
    task_runs = TaskRuns(Results(compared), "wechat")
    table = computation_table(task_runs)
    ours, clean, watched = (
        next(columns_of(table, row) for row in table.rows if row[0].text == name)
        for name in ("MMa4CTR", "BPR", "BPR@watched")
    )
    assert (clean["training (s), published"].text, clean["parameters, published"].text) == ("54.77", "7,460,224")
    assert clean["training (s), published"].details == (f"{54.77 / 180.78:.2f} × MMa4CTR",)
    assert (ours["training (s), ours (sample)"].details, ours["parameters, published"].text) == (
        ("1.00 × MMa4CTR",), "29,225"
    )  # fmt: skip
    own = next(one for one in task_runs.others if one.name == "BPR" and not one.remarks).longest.metrics
    relative = own["train_seconds"] / 20 / own["mma4ctr"]["epoch_seconds"]
    assert clean["training (s), ours (sample)"].details == (f"{relative:.2f} × MMa4CTR",)
    assert clean["epochs, ours (sample)"].text == "20"
    assert watched["parameters, ours (sample)"].value > clean["parameters, ours (sample)"].value > 64 * 200
    names = {row[0].text.removesuffix("@watched") for row in table.rows}
    assert names >= {"MMa4CTR", *models.MODELS}  # those that have not run have their published figures alone


def test_baselines_are_compared_with_mma4ctr_on_the_same_rows(compared: Settings) -> None:
    table, _ = same_rows.tables(TaskRuns(Results(compared), "wechat"))
    assert "Δ is the difference from MMa4CTR (pca) after 10 epochs" in table.note
    (ours,) = (row[2] for row in table.rows if row[0].text == "MMa4CTR (pca)")
    (row,) = (row for row in table.rows
              if row[0].text == "BPR" and row[1].text == "20" and not row[0].details)  # fmt: skip
    (line,) = (line for line in row[2].details if line.startswith("Δ "))
    assert line.startswith(f"Δ {signed(row[2].value - ours.value)} [")
    assert not any(line.startswith("Δ ") for line in ours.details)
    training, test = (load_fused(compared, "wechat", "clean").part(name).tolist() for name in ("training", "test"))
    known = [{row[column] for row in training} for column in (0, 1)]
    seen = sum(user in known[0] and item in known[1] for user, item, _ in test)
    items = len({item for _, item, _ in test} - known[1])
    counted = (f"{seen:,} of {len(test):,} rows", f"0 users, {items:,} items unseen")
    assert {row[5].details for row in table.rows} == {counted}


def test_the_commands_of_the_report_give_the_runs_again(compared: Settings) -> None:
    """Every command is understood and finds its runs finished; together they are all runs."""
    results = Results(compared)
    there = {content["run"] for content in results.metrics if content.get("baseline") in models.MODELS}
    commands = [words for words in tested.commands(results) if set(words) & set(models.MODELS)]
    given = [run for words in commands for run in comp.main(["--paths", str(compared.file), *words])]
    assert there <= set(given)
    assert {content["run"] for content in Results(compared).metrics} == {content["run"] for content in results.metrics}


OWN_CLASS = """
import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType


class Popularity(GeneralRecommender):
    input_type = InputType.POINTWISE

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.item = torch.nn.Embedding(self.n_items, 1)
        torch.nn.init.zeros_(self.item.weight)

    def calculate_loss(self, interaction):
        return torch.nn.functional.binary_cross_entropy(self.predict(interaction), interaction["label"])

    def predict(self, interaction):
        return torch.sigmoid(self.item(interaction["item_id"])).squeeze(1)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder of YAML files, to which baselines can be added."""
    copy = tmp_path / "baseline"
    copy.mkdir()
    for file in models.FOLDER.glob("*.yaml"):
        shutil.copy(file, copy)
    monkeypatch.setattr(models, "FOLDER", copy)
    return copy


def arguments_for(paths: Settings, model: str) -> list[str]:
    return ["--paths", str(paths.file), "--dataset", "wechat", "--models", model, "--epochs", "2",
            "--setting", "clean", "--config", DEMO]  # fmt: skip


def test_a_new_baseline_is_one_yaml_file(paths: Settings, folder: Path) -> None:
    declared = "baseline: {sequential: true, training: clicks, negatives: false}\n"
    (folder / "SASRec.yaml").write_text(declared + "n_layers: 1\nn_heads: 1\nhidden_size: 16\ninner_size: 32\n")
    (run,) = comp.main(arguments_for(paths, "SASRec"))
    found = runs.read_metrics(paths, run)
    assert found["baseline"] == "SASRec"
    options_used = disk.read_json(runs.folder_of(paths, run) / "config.json", disk.Known("comp.py"))["options"]
    assert options_used["hidden_size"] == 16 and "baseline" not in options_used
    table = same_rows.tables(TaskRuns(Results(paths), "wechat"))[0]
    assert "SASRec" in [row[0].text for row in table.rows]


def test_a_new_baseline_is_one_class(
    paths: Settings, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "my_models.py").write_text(OWN_CLASS)
    monkeypatch.syspath_prepend(tmp_path)
    declared = "baseline: {sequential: false, training: training, negatives: false, implementation: 'my_models:%s'}\n"
    (folder / "Popularity.yaml").write_text(declared % "Popularity")
    (run,) = comp.main(arguments_for(paths, "Popularity"))
    found = runs.read_metrics(paths, run)
    rates = runs.read_metrics(paths, found["label_rates"]["item_rate"])
    assert found["auc"] > 0.5 and abs(found["auc"] - rates["auc"]) < 0.1
    (folder / "Popularity.yaml").write_text(declared % "Unpopularity")  # another class is another run
    with pytest.raises(SystemExit) as stopped:
        comp.main(arguments_for(paths, "Popularity"))
    assert stopped.value.code == 2
    assert "my_models:Unpopularity: cannot be imported" in capsys.readouterr().err


@pytest.mark.parametrize("declared", ["yes", "{sequential: true}", "{sequential: 1, training: clicks, negatives: 0}",
                                      "{sequential: true, training: all, negatives: false}",
                                      "{sequential: true, training: clicks, negatives: true, speed: 3}"])  # fmt: skip
def test_a_wrong_declaration_ends_in_one_line(
    declared: str, paths: Settings, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "SASRec.yaml").write_text(f"baseline: {declared}\n")
    with pytest.raises(SystemExit) as stopped:
        comp.main(["--paths", str(paths.file)])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "SASRec.yaml: found baseline:" in line and "expected sequential and negatives" in line
