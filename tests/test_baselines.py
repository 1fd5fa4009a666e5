"""The baselines: what their files hold, against rows counted one by one, and that all eight train and are tested."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import own_runs
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import adapter, comp, interactions, models
from mma4ctr import inputs
from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.protocol import PARTS
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SHORT = 5  # the longest history: the models train fast


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Settings:
    """The tiny sample with a folder of its own for runs."""
    return own_runs(tiny, tmp_path_factory.mktemp("baselines"))


@pytest.fixture(scope="module")
def task(tiny: Settings) -> interactions.Task:
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


def test_the_rows_are_those_of_mma4ctr(tiny: Settings, task: interactions.Task) -> None:
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


@pytest.mark.parametrize("model", models.MODELS)
def test_each_model_trains_and_is_tested(
    model: str, paths: Settings, task: interactions.Task, options: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its AUC is RecBole's own on labelled rows, and nothing is left in the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", model, "--epochs", "1",
                 "--setting", "clean", "--config", str(options)]  # fmt: skip
    (run,) = comp.main(arguments)
    assert not list((tmp_path / "work").iterdir())
    assert not torch.is_anomaly_enabled()  # it would make every later training of the process take twice as long
    found = runs.read_metrics(paths, run)
    predictions = runs.load_array(runs.folder_of(paths, run) / "predictions_1.npy")
    test = task.part("test")
    assert found["auc"] == metrics.auc(test[:, 2], predictions)
    assert found["rows_seen"] <= len(test)
    assert {"user_rate", "item_rate", "user_item_rate"} == set(found["label_rates"])
    built_on = {step: records.require(paths, step, "wechat").id for step in ("preprocess_inter.py", "cross_matrix.py")}
    again = comp.Run(paths, "wechat", model, models.MODELS[model], "clean", (1,), 0, "sampled",
                     models.options_of(model, "wechat", [str(options)]), built_on)  # fmt: skip
    assert again.id == run
    made = comp.prepare_clean(again, task)
    made.train_epoch(0)
    assert np.array_equal(made.scores("test"), predictions)  # the same seed gives the same scores
    with adapter.quiet():
        own = made.trainer.evaluate(made.loaders["test"], load_best_model=False, show_progress=False)
    assert own["auc"] == pytest.approx(found["auc"], abs=5e-6)


@pytest.mark.parametrize("model", ["BPR", "FPMC"])
def test_the_published_setting_runs_apart(model: str, paths: Settings, options: Path) -> None:
    arguments = ["--paths", str(paths.file), "--dataset", "wechat", "--models", model, "--epochs", "1",
                 "--setting", "published", "--config", str(options)]  # fmt: skip
    (run,) = comp.main(arguments)
    found = runs.read_metrics(paths, run)
    assert (found["feature"], found["protocol"]) == (f"{model}@watched", "published")
    watched = artifacts.path(paths, "watched_inter", dataset="wechat")
    rows = len(watched.read_text().splitlines()) - 1
    assert 0 < found["test_positives"] < rows / 5


def test_observed_negatives_are_what_the_user_did_not_click() -> None:
    shown = np.array([[1, 5], [1, 6], [2, 7]])
    sampler = adapter.ObservedNegatives(shown, items=9, seed=0)
    drawn = sampler.sample_by_user_ids(np.array([1, 2, 3] * 50), np.zeros(150, dtype=int), 2).numpy().reshape(2, -1, 3)
    assert set(drawn[:, :, 0].ravel()) == {5, 6}
    assert set(drawn[:, :, 1].ravel()) == {7}
    assert set(drawn[:, :, 2].ravel()) <= set(range(1, 9)) and len(set(drawn[:, :, 2].ravel())) > 3


@pytest.mark.parametrize("model", [name for name, kind in models.MODELS.items() if kind.negatives])
def test_pairwise_models_are_given_observed_negatives_if_asked(
    model: str, paths: Settings, few: interactions.Task, options: Path
) -> None:
    run = dataclasses.replace(run_of(paths, model, options), built_on={"rows": "few"}, negatives="observed")
    made = comp.prepare_clean(run, few)
    rows = few.part("training").tolist()
    tested = {item for part in ("validation", "test") for _, item, _ in few.part(part).tolist()}
    known = tested | {item for _, item, click in rows if click}
    shown = {(user, item) for user, item, click in rows if not click and item in known}
    assert len(shown) < len({(user, item) for user, item, click in rows if not click})
    read = made.training._dataset
    for batch in made.training:
        pairs = (read.id2token(field, batch[name].numpy()).astype(int)
                 for field, name in (("user_id", "user_id"), ("item_id", "neg_item_id")))  # fmt: skip
        assert set(zip(*pairs, strict=True)) <= shown
    assert np.isfinite(made.train_epoch(0))


@given(rows=st.integers(2, 3_000), batch_size=st.integers(4, 512))
def test_no_last_batch_is_much_smaller_than_the_others(rows: int, batch_size: int) -> None:
    least = max(2, min(adapter.LEAST_ROWS, batch_size // 4))
    right = [size for size in range(least + 1, min(rows, batch_size) + 1) if rows % size == 0 or rows % size >= least]
    assert adapter.without_small_rest(rows, batch_size) == max(right, default=batch_size)


def batch_rows(made: adapter.Baseline) -> list[int]:
    """Return how many rows each training batch has."""
    return [len(batch) for batch in made.training.batch_sampler]


def run_of(paths: Settings, model: str, options: Path, setting: str = "clean", **changes: object) -> comp.Run:
    """Return the run of a model on wechat for an epoch, with some of its options changed."""
    steps = ("preprocess_inter.py", "cross_matrix.py") if setting == "clean" else ("preprocess_inter.py",)
    built_on = {step: records.require(paths, step, "wechat").id for step in steps}
    chosen = {**models.options_of(model, "wechat", [str(options)]), **changes}
    kind = models.MODELS[model]
    return comp.Run(paths, "wechat", model, kind, setting, (1,), 0, "sampled", chosen, built_on, (options.name,))


@pytest.fixture(scope="module")
def few(task: interactions.Task) -> interactions.Task:
    """The rows of a few users, the first of whom never clicked in training."""
    users = np.unique(task.rows[:, 0])[:25]
    parts = {name: places[np.isin(task.rows[places, 0], users)] for name, places in task.parts.items()}
    rows = task.rows.copy()
    rows[(rows[:, 0] == users[0]) & np.isin(np.arange(len(rows)), parts["training"]), 2] = 0
    return interactions.Task(rows, parts)


def places_before_a_click(task: interactions.Task) -> set[int]:
    """Return the places of rows whose user has clicked in no training row before."""
    training, clicked, found = set(task.parts["training"].tolist()), set(), set()
    for place, (user, _, click) in enumerate(task.rows.tolist()):
        if user not in clicked:
            found.add(place)
        if click and place in training:
            clicked.add(user)
    return found


SEQUENTIAL = [name for name, kind in models.MODELS.items() if kind.sequential]


@pytest.mark.parametrize("model", SEQUENTIAL)
def test_rows_without_a_history_are_trained_and_scored(
    model: str, paths: Settings, few: interactions.Task, options: Path
) -> None:
    """The first click of every user is among them; none is dropped, and each holds the begin token alone."""
    run = dataclasses.replace(run_of(paths, model, options, train_batch_size=256), built_on={"rows": "few"})
    made = comp.prepare_clean(run, few)
    training = few.parts["training"]
    if models.MODELS[model].training == "clicks":
        training = training[few.rows[training, 2] == 1]
    read = made.training._dataset.inter_feat
    begin = made.training._dataset.token2id("item_id", interactions.BEGIN)

    def empty(places: np.ndarray) -> list[bool]:
        return [place in unclicked for place in places.tolist()]

    unclicked = places_before_a_click(few)
    for feature, places in ((read, training), (made.parts["test"].inter_feat, few.parts["test"])):
        assert (feature["item_id_list"][:, 0] == begin).tolist() == empty(places)
        assert feature["item_length"][feature["item_id_list"][:, 0] == begin].tolist() == [1] * sum(empty(places))
    first = [np.flatnonzero(few.rows[training, 0] == user)[0] for user in np.unique(few.rows[training, 0])]
    assert all(empty(training[first]))
    before = made.model.item_embedding.weight[begin].clone() if hasattr(made.model, "item_embedding") else None
    made.train_epoch(0)
    if before is not None:
        assert not np.array_equal(before.detach(), made.model.item_embedding.weight[begin].detach())
    scores = made.scores("test")[empty(few.parts["test"])]
    assert len(scores) and np.isfinite(scores).all()


@pytest.mark.parametrize("model", models.MODELS)
def test_what_each_model_is_trained_on(model: str, paths: Settings, few: interactions.Task, options: Path) -> None:
    """Pairwise models see clicks alone and sample negatives; DIN and DIEN every labelled row and nothing else."""
    run = dataclasses.replace(run_of(paths, model, options), built_on={"rows": "few"})
    made = comp.prepare_clean(run, few)
    rows = few.part("training")
    clicks = rows[rows[:, 2] == 1]
    expected = rows if model in ("DIN", "DIEN") else clicks
    read = made.training._dataset
    tokens = [read.id2token(field, read.inter_feat[field].numpy()) for field in ("user_id", "item_id")]
    assert np.array_equal(np.column_stack(tokens).astype(int), expected[:, :2])
    assert read.inter_feat["label"].tolist() == expected[:, 2].tolist()
    sampled = made.config["train_neg_sample_args"]["distribution"]
    assert sampled == ("uniform" if model in ("BPR", "FPMC", "NGCF", "LightGCN") else "none")
    assert made.config["checkpoint_dir"] == str(runs.folder_of(paths, run.id))  # a folder for each run


@pytest.mark.parametrize(("most", "longest"), [(SHORT, SHORT), (50, 50), (1_000, 60)])
def test_recbole_is_told_the_length_of_the_longest_history(
    most: int, longest: int, paths: Settings, options: Path
) -> None:
    """One user has clicked 60 items before the last row; the most recent ones are kept."""
    items = np.arange(64)
    rows = np.column_stack([np.zeros(64, int), items, items < 60]).astype(np.int32)
    parts = {"training": np.arange(62), "validation": np.array([62]), "test": np.array([63])}
    run = run_of(paths, "FPMC", options, MAX_ITEM_LIST_LENGTH=most)
    made = comp.prepare_clean(dataclasses.replace(run, built_on={"rows": "60"}), interactions.Task(rows, parts))
    test = made.parts["test"]
    assert made.config["MAX_ITEM_LIST_LENGTH"] == longest
    history = test.inter_feat["item_id_list"][0]
    assert test.id2token("item_id", history.numpy()).tolist() == [str(item) for item in range(60 - longest, 60)]


@pytest.mark.parametrize("setting", comp.SETTINGS)
@pytest.mark.parametrize("model", ["DIN", "BERT4Rec"])
def test_no_batch_of_a_single_row(model: str, setting: str, paths: Settings, options: Path) -> None:
    """Such a batch stops both models; here one would be left over."""
    task = interactions.load(paths, "wechat")
    prepare = {"clean": lambda run: comp.prepare_clean(run, task), "published": comp.prepare_published}[setting]
    rows = prepare(run_of(paths, model, options, setting)).training.sample_size
    of_one = 2 if model == "DIN" and setting == "published" else 1  # rows of a batch that go with a positive row
    made = prepare(run_of(paths, model, options, setting, train_batch_size=of_one * ((rows - 1) // 2)))
    assert made.training.step in (rows - 1, (rows - 1) // 2, (rows - 1) // 3)
    assert sum(batch_rows(made)) == rows
    assert min(batch_rows(made)) > 1


def test_rows_other_than_written_are_refused(paths: Settings, few: interactions.Task, options: Path) -> None:
    run = dataclasses.replace(run_of(paths, "BPR", options), built_on={"rows": "tampered"})
    there = set(paths.saved_path.glob("baselines/*/*.test.inter"))
    comp.prepare_clean(run, few)
    (file,) = (file for file in paths.saved_path.glob("baselines/*/*.test.inter") if file not in there)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    with pytest.raises(UserError, match="other test rows than were written"):
        comp.prepare_clean(run, few)
