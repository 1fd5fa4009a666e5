"""The baselines: what their files hold, against rows counted one by one, and that all eight train and are tested."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import adapter, comp, interactions
from load_path import Paths
from mma4ctr import artifacts, baseline_tables, grid, inputs, metrics, records, runs
from mma4ctr.experiment_tables import TaskTables
from mma4ctr.results import Results
from mma4ctr.tables import PARTS

SHORT = 5  # the longest history: the models train fast


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, tiny: Paths) -> Paths:
    """The tiny sample with a folder of its own for runs."""
    folder = tmp_path_factory.mktemp("baselines")
    own = dataclasses.replace(tiny, file=folder / "path.json", saved_path=folder / "saved")
    grid.write_settings(own)
    return own


@pytest.fixture(scope="module")
def task(tiny: Paths) -> interactions.Task:
    return interactions.load(tiny, "wechat")


@pytest.fixture
def options(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(
        f"MAX_ITEM_LIST_LENGTH: {SHORT}\ntrain_batch_size: 1024\nmodels: {{BERT4Rec: {{train_batch_size: 512}}}}\n"
    )
    return file


def history_one_by_one(task: interactions.Task, place: int, most: int) -> list[int]:
    """Return the items that the user of a row clicked in training rows before it, the most recent ones."""
    user, training = task.rows[place, 0], set(task.parts["training"].tolist())
    before = [int(task.rows[k, 1]) for k in range(place)
              if k in training and task.rows[k, 0] == user and task.rows[k, 2] == 1]  # fmt: skip
    return before[-most:]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=40),
    cuts=st.lists(st.sampled_from(PARTS), min_size=40, max_size=40),
    most=st.integers(1, 4),
)
def test_histories_against_rows_one_by_one(rows: list, cuts: list, most: int) -> None:
    ordered = np.array(sorted(rows, key=lambda row: row[0]), dtype=np.int32)
    parts = {name: np.array([k for k in range(len(ordered)) if cuts[k] == name], dtype=np.int64) for name in PARTS}
    task = interactions.Task(ordered, parts)
    items, bounds = interactions.histories(task, most)
    found = [items[first:end].tolist() for first, end in bounds]
    assert found == [history_one_by_one(task, place, most) for place in range(len(ordered))]
    text = interactions.as_text(items, bounds).to_list()
    assert text == [" ".join(map(str, history)) or interactions.BEGIN for history in found]


def test_the_rows_are_those_of_mma4ctr(tiny: Paths, task: interactions.Task) -> None:
    factors = inputs.load_factors(tiny, "wechat", "vat_concat", "clean")
    for name in PARTS:
        assert np.array_equal(task.parts[name], factors.parts[name])
        assert np.array_equal(task.part(name)[:, [0, 2]], factors.rows[factors.parts[name]][:, [0, 2]])


def test_pairwise_models_are_given_clicks_alone(tmp_path: Path, task: interactions.Task) -> None:
    longest = interactions.write(tmp_path / "files", task, SHORT)
    assert longest == SHORT
    for name, expected in (("clicks", {"1"}), ("training", {"0", "1"})):
        with open(tmp_path / "files" / f"files.{name}.inter", newline="") as stream:
            lines = list(csv.DictReader(stream, delimiter="\t"))
        assert {line["label:float"] for line in lines} == expected
        assert all(1 <= len(line["item_id_list:token_seq"].split()) <= longest for line in lines)
    assert len(lines) == len(task.parts["training"])


@pytest.mark.parametrize("model", comp.MODELS)
def test_each_model_trains_and_is_tested(
    model: str, paths: Paths, task: interactions.Task, options: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its AUC is RecBole's own on labelled rows, and nothing is left in the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", model, "--epochs", "1",
                 "--setting", "clean", "--config", str(options)]  # fmt: skip
    (run,) = comp.main(arguments)
    assert not list((tmp_path / "work").iterdir())
    found = runs.read_metrics(paths, run)
    predictions = runs.load_array(runs.folder_of(paths, run) / "predictions_1.npy")
    test = task.part("test")
    assert found["auc"] == metrics.auc(test[:, 2], predictions)
    assert found["rows_seen"] <= len(test)
    assert {"user_rate", "item_rate", "user_item_rate"} == set(found["label_rates"])
    built_on = {step: records.require(paths, step, "wechat").id for step in ("preprocess_inter.py", "cross_matrix.py")}
    again = comp.Run(paths, "wechat", model, "clean", (1,), 0, "sampled",
                     comp.options_of(model, "wechat", [str(options)]), built_on)  # fmt: skip
    assert again.id == run
    made = comp.prepare_clean(again, task)
    made.train_epoch(0)
    assert np.array_equal(made.scores("test"), predictions)  # the same seed gives the same scores
    with adapter.quiet():
        own = made.trainer.evaluate(made.loaders["test"], load_best_model=False, show_progress=False)
    assert own["auc"] == pytest.approx(found["auc"], abs=5e-6)


@pytest.mark.parametrize("model", ["BPR", "FPMC"])
def test_the_published_setting_runs_apart(model: str, paths: Paths, options: Path) -> None:
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", model, "--epochs", "1",
                 "--setting", "published", "--config", str(options)]  # fmt: skip
    (run,) = comp.main(arguments)
    found = runs.read_metrics(paths, run)
    assert (found["feature"], found["protocol"]) == (f"{model}@watched", "published")
    watched = artifacts.path(paths, "watched_inter", dataset="wechat")
    rows = len(watched.read_text().splitlines()) - 1
    assert 0 < found["test_positives"] < rows / 5


def test_the_report_has_both_settings_apart(paths: Paths, options: Path) -> None:
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", "BPR", "--epochs", "1", "2",
                 "--seeds", "2", "--config", str(options)]  # fmt: skip
    comp.main(arguments)
    shown = baseline_tables.section(TaskTables(Results(paths), "wechat"))
    clean, watched = shown.tables
    (row,) = (row for row in clean.rows if row[0].text == "BPR" and row[1].text == "2")
    assert any("over 2 seeds" in line for line in row[2].details)
    assert all(cell.text for cell in (row[3], row[4], row[5], row[6], row[8], row[9]))
    assert [row[0].text for row in clean.rows[-3:]] == ["user_rate", "item_rate", "user_item_rate"]
    assert "NOT comparable" in watched.note
    assert {row[0].text for row in watched.rows} >= {"BPR"}
    assert baseline_tables.section(TaskTables(Results(paths), "tiktok_finish")) is None


def test_observed_negatives_are_what_the_user_did_not_click() -> None:
    shown = np.array([[1, 5], [1, 6], [2, 7]])
    sampler = adapter.ObservedNegatives(shown, items=9, seed=0)
    drawn = sampler.sample_by_user_ids(np.array([1, 2, 3] * 50), np.zeros(150, dtype=int), 2).numpy().reshape(2, -1, 3)
    assert set(drawn[:, :, 0].ravel()) == {5, 6}
    assert set(drawn[:, :, 1].ravel()) == {7}
    assert set(drawn[:, :, 2].ravel()) <= set(range(1, 9)) and len(set(drawn[:, :, 2].ravel())) > 3


@given(rows=st.integers(2, 500), batch_size=st.integers(2, 64))
def test_no_batch_has_a_single_row(rows: int, batch_size: int) -> None:
    size = adapter.without_single_row(rows, batch_size)
    assert size <= batch_size
    assert rows % size != 1 or rows == 2 or size == 2
