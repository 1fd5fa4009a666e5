"""Other models of the package, and RecBole's, beside MMa4CTR: finished runs are all that the report knows of them.

Their folders are made from runs of MMa4CTR, so that RecBole is not needed.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import mlp
from mma4ctr import models
from mma4ctr.grid.results import Results
from mma4ctr.models import registry
from mma4ctr.report import same_rows
from mma4ctr.report.cells import DIFFERENT, OTHERWISE
from mma4ctr.report.computation import computation_table
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.tables import performance_table
from mma4ctr.runs import folder as runs
from mma4ctr.runs import tested
from mma4ctr.runs.run import COMP, MLP, code_of
from mma4ctr.settings import Settings
from samples import own_runs

NAMES = ("lonely", "mean", "stale")
CLEAN, PUBLISHED = "ours (sample): clean, pca", "ours (sample): published, pca"
BPR = {"baseline": "BPR", "negatives": "sampled", "laid_over": []}


def pretend(paths: Settings, original: str, name: str, config: dict, metrics: dict) -> None:
    """Copy the folder of a run as one of another model, whose predictions are others."""
    copy = runs.folder_of(paths, name)
    shutil.copytree(runs.folder_of(paths, original), copy)
    for file, changes in (("config", config), ("metrics", {"run": name, **metrics})):
        content = {**json.loads((copy / f"{file}.json").read_bytes()), **changes}
        if file == "config":
            content["model"] = metrics.get("baseline", content["model"])
            content["code"] = code_of(COMP if "baseline" in metrics else MLP, content["protocol"], content["model"])
            if "baseline" in metrics:  # RecBole's runs know of no user embeddings
                content = {key: content[key] for key in content.keys() - {"reduction", "user_embedding_length"}}
        (copy / f"{file}.json").write_text(json.dumps(content))
    shuffled = np.random.default_rng(0).permutation(np.load(copy / "predictions.npy"))
    rows = np.load(copy / "test_rows.npy")
    figures = runs.save_predictions(copy, shuffled, rows, 0)
    pretended = json.loads((copy / "metrics.json").read_bytes())
    pretended.pop("checksum")
    runs.save_metrics(copy, {**pretended, **figures})


@pytest.fixture(scope="module", autouse=True)
def made_up_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models that the package is told to have while these tests run."""
    folder = tmp_path_factory.mktemp("models")
    for name in NAMES:
        text = "from mma4ctr.models.contract import Model\n\n\nclass MadeUp(Model):\n    pass\n"
        (folder / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "__path__", [*models.__path__, str(folder)])
        yield
    registry.load.cache_clear()
    for name in NAMES:
        sys.modules.pop(f"{models.__name__}.{name}", None)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, tiny: Settings, made_up_models: None) -> Settings:
    """The tiny sample with MMa4CTR under both protocols, a model ``mean`` of the package and BPR."""
    own = own_runs(tiny, tmp_path_factory.mktemp("other_models"))
    to = ["--paths", str(own.file), "--dataset", "wechat", "--epochs", "10", "--device", "cpu"]
    (clean,) = mlp.main([*to, "--protocol", "clean"])
    (published,) = mlp.main([*to, "--protocol", "published"])
    (visual,) = mlp.main([*to, "--protocol", "clean", "--feature", "visual"])
    model = {"model": "mean"}
    for seed in (0, 1):
        pretend(own, clean, f"mean{seed}", {**model, "seed": seed}, {**model, "seed": seed})
    pretend(own, clean, "wide", {**model, "options": {"width": 8}}, model)
    pretend(own, visual, "single", {"model": "lonely"}, {"model": "lonely"})
    pretend(own, published, "leaky", model, model)
    stale = {"built_on": {"preprocess_inter.py": "another"}}
    pretend(own, clean, "stale", {"model": "stale", **stale}, {"model": "stale"})
    options = {"options": {}, "tested": [10]}
    pretend(own, clean, "bpr", options, BPR)
    pretend(own, published, "watched", options, BPR)
    return own


@pytest.fixture
def task_runs(paths: Settings) -> TaskRuns:
    return TaskRuns(Results(paths), "wechat")


def columns_of(table: Table, row: tuple[Cell, ...]) -> dict[str, Cell]:
    return dict(zip(table.columns, row, strict=True))


def test_only_runs_of_mma4ctr_are_taken_for_its_own(paths: Settings) -> None:
    results = Results(paths)
    found = [run.metrics["run"] for group in results.by_key.values() for run in group]
    assert len(found) == 3
    assert not {"mean0", "mean1", "wide", "single", "bpr"} & set(found)


def test_seeds_stand_together_and_settings_apart(task_runs: TaskRuns) -> None:
    """Native models come first, the runs with the fewest settings of their own before the others; stale ones never."""
    found = [(one.name, one.native, one.protocol, one.remarks, len(one.runs)) for one in task_runs.others]
    assert found == [
        ("lonely", True, "clean", (), 1), ("mean", True, "clean", (), 2), ("mean", True, "clean", ("width=8",), 1),
        ("mean", True, "published", (), 1), ("BPR", False, "clean", (), 1), ("BPR@watched", False, "published", (), 1),
    ]  # fmt: skip
    mean = task_runs.others[1]
    assert mean.epochs == [10]
    assert mean.mean(10, "auc") == np.mean([one.figures["auc"] for one in mean.evaluations(10)])
    assert mean.mean(10, "unheard of") is None
    assert mean.evaluations(3) == []


def test_runs_of_another_version_of_a_model_are_not_shown(paths: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {one.model for one in tested.natives(Results(paths), "wechat")}
    monkeypatch.setattr(registry.load("mean"), "version", 2)
    assert shown - {one.model for one in tested.natives(Results(paths), "wechat")} == {"mean"}


def test_they_stand_between_mma4ctr_and_the_baselines(task_runs: TaskRuns) -> None:
    table = performance_table(task_runs, "performance")
    names = list(dict.fromkeys(row[0].text for row in table.rows))
    assert names[:4] == ["MMa4CTR", "lonely", "mean", "BPR"]
    rows = {row[0].text: columns_of(table, row) for row in table.rows if row[1].text == "10"}
    (default, _) = (one for one in task_runs.others if one.model == "mean" and one.protocol == "clean")
    clean = rows["mean"][f"AUC, {CLEAN}"]
    assert clean.text == f"{default.mean(10, 'auc'):.4f}"
    assert "over 2 seeds" in clean.details[1]
    assert rows["mean"][f"AUC, {PUBLISHED}"].text  # its own rows, not another task
    assert not any("@watched" in line for line in rows["mean"][f"AUC, {PUBLISHED}"].details)
    assert rows["mean"]["AUC, published"].text == ""
    assert rows["BPR"][f"AUC, {PUBLISHED}"].details[-1] == "@watched"
    assert rows["BPR"][f"AUC, {PUBLISHED}"].mark == rows["BPR"][f"LogLoss, {PUBLISHED}"].mark == OTHERWISE
    assert rows["mean"][f"AUC, {PUBLISHED}"].mark in ("", DIFFERENT)


def test_they_are_compared_with_mma4ctr_on_the_same_rows(task_runs: TaskRuns) -> None:
    same, watched = same_rows.tables(task_runs)
    names = [(row[0].text, row[0].details, row[1].text) for row in same.rows]
    assert names == [
        ("MMa4CTR (pca)", (), "10"), ("mean", (), "10"), ("mean", ("width=8",), "10"), ("BPR", (), "10"),
        ("user_rate", (), ""), ("item_rate", (), ""), ("user_item_rate", (), ""),
    ]  # fmt: skip
    assert "Δ is the difference from MMa4CTR (pca) after 10 epochs" in same.note
    compared = [any(line.startswith("Δ ") for line in row[2].details) for row in same.rows]
    assert compared == [False, True, True, True, False, False, False]
    assert same.rows[0][2].details[1] == "1 seed" and not any("seed" in line for line in same.rows[-1][2].details)
    assert all(table.title.startswith("wechat: ") for table in (same, watched))
    assert all(row[5].text and "rows" in row[5].details[0] for row in same.rows)
    assert [row[0].text for row in watched.rows] == ["BPR@watched"]
    assert watched.rows[0][2].text == "0.7365"


def test_seconds_have_a_row_for_each_protocol(task_runs: TaskRuns) -> None:
    table = computation_table(task_runs)
    names = [row[0].text for row in table.rows]
    assert names[:6] == ["MMa4CTR", "lonely", "mean", "mean", "BPR", "BPR@watched"]
    ours, mean = (columns_of(table, table.rows[k]) for k in (0, 2))
    assert ours["training (s), ours (sample)"].details == ("1.00 × MMa4CTR",)
    assert mean["training (s), ours (sample)"].details == ()  # not timed beside MMa4CTR
    assert mean["epochs, ours (sample)"].text == "10"


def test_the_commands_are_recboles_alone(paths: Settings) -> None:
    start = ["--dataset", "wechat", "--setting"]
    end = ["--models", "BPR", "--epochs", "10"]
    assert sorted(tested.commands(Results(paths))) == [[*start, "clean", *end], [*start, "published", *end]]
