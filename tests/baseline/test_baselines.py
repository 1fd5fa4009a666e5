"""The baselines: what their files hold, against rows counted one by one, and that all eight train and are tested."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.inputs import gather
from samples import own_runs

pytest.importorskip("recbole", reason="RecBole is not installed; make test installs it")

from baseline import adapter, comp, interactions, models
from mma4ctr.evaluation import metrics
from mma4ctr.inputs.histories import earlier
from mma4ctr.inputs.rows import TaskRows, load_fused
from mma4ctr.protocol import PARTS
from mma4ctr.runs import folder as runs
from mma4ctr.runs.run import Run
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import records

SHORT = 5  # the longest history: the models train fast


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> Settings:
    """The tiny sample with a folder of its own for runs."""
    return own_runs(tiny, tmp_path_factory.mktemp("baselines"))


@pytest.fixture(scope="module")
def task(tiny: Settings) -> TaskRows:
    return load_fused(tiny, "wechat", "clean")


@pytest.fixture
def options(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(
        f"MAX_ITEM_LIST_LENGTH: {SHORT}\ntrain_batch_size: 1024\nmodels: {{BERT4Rec: {{train_batch_size: 512}}}}\n"
    )
    return file


def history_one_by_one(task: TaskRows, place: int, most: int) -> list[int]:
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
    task = TaskRows(ordered, parts)
    history = earlier(task, 1, most)
    items, bounds = history.items, history.bounds
    found = [items[first:end].tolist() for first, end in bounds]
    assert found == [history_one_by_one(task, place, most) for place in range(len(ordered))]
    text = interactions.as_text(items, bounds).to_list()
    assert text == [" ".join(map(str, history)) or interactions.BEGIN for history in found]


def test_the_rows_are_those_of_mma4ctr(tiny: Settings, task: TaskRows) -> None:
    factors = gather.load(tiny, "wechat", "vat_concat", "clean", {"content"})
    for name in PARTS:
        assert np.array_equal(task.parts[name], factors.task.parts[name])
        assert np.array_equal(task.part(name), factors.task.part(name))


def test_pairwise_models_are_given_clicks_alone(tmp_path: Path, task: TaskRows) -> None:
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
    model: str, paths: Settings, task: TaskRows, options: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    predictions = runs.load_array(runs.folder_of(paths, run), "predictions_1")
    test = task.part("test")
    assert found["auc"] == metrics.auc(test[:, 2], predictions)
    assert found["rows_seen"] <= len(test)
    assert {"user_rate", "item_rate", "user_item_rate"} == set(found["label_rates"])
    again = run_of(paths, model, options)
    assert again.id == run
    made = prepared(again, task)
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
    (watched,) = paths.saved_path.glob("baselines/wechat_watched_*/*.inter")
    rows = len(watched.read_text().splitlines()) - 1
    assert 0 < found["test_positives"] < rows / 5


@pytest.mark.parametrize("model", [name for name, kind in models.MODELS.items() if kind.negatives])
def test_pairwise_models_are_given_observed_negatives_if_asked(
    model: str, paths: Settings, few: TaskRows, options: Path
) -> None:
    run = run_of(paths, model, options)
    observed = {**run.further, "negatives": "observed"}
    made = prepared(dataclasses.replace(run, built_on={"rows": "few"}, further=observed), few)
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


def batch_rows(made: adapter.Baseline) -> list[int]:
    """Return how many rows each training batch has."""
    return [len(batch) for batch in made.training.batch_sampler]


def run_of(paths: Settings, model: str, options: Path, setting: str = "clean", **changes: object) -> Run:
    """Return the run of a model on wechat for an epoch, with some of its options changed."""
    steps = ("preprocess_inter.py", "cross_matrix.py") if setting == "clean" else ("preprocess_inter.py",)
    built_on = {step: records.require(paths, step, "wechat").id for step in steps}
    chosen = {**models.options_of(model, "wechat", [str(options)]), **changes}
    schedule = Schedule(epochs=1, learning_rate=chosen["learning_rate"], batch_size=chosen["train_batch_size"], seed=0)
    further = {"tested": [1], "negatives": "sampled" if models.MODELS[model].negatives else None}
    feature = model if setting == "clean" else f"{model}@watched"
    return Run(paths, "wechat", feature, setting, schedule, built_on, model, chosen, None, comp.COMP,
               reads_users=False, further=further)  # fmt: skip


def prepared(run: Run, task: TaskRows) -> adapter.Baseline:
    """Return the model of a run, ready to be trained on the rows of a task."""
    return comp.prepare_clean(run, models.MODELS[run.model], task)


@pytest.fixture(scope="module")
def few(task: TaskRows) -> TaskRows:
    """The rows of a few users, the first of whom never clicked in training."""
    users = np.unique(task.rows[:, 0])[:25]
    parts = {name: places[np.isin(task.rows[places, 0], users)] for name, places in task.parts.items()}
    rows = task.rows.copy()
    rows[(rows[:, 0] == users[0]) & np.isin(np.arange(len(rows)), parts["training"]), 2] = 0
    return TaskRows(rows, parts)


def places_before_a_click(task: TaskRows) -> set[int]:
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
    model: str, paths: Settings, few: TaskRows, options: Path
) -> None:
    """The first click of every user is among them; none is dropped, and each holds the begin token alone."""
    run = dataclasses.replace(run_of(paths, model, options, train_batch_size=256), built_on={"rows": "few"})
    made = prepared(run, few)
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
def test_what_each_model_is_trained_on(model: str, paths: Settings, few: TaskRows, options: Path) -> None:
    """Pairwise models see clicks alone and sample negatives; DIN and DIEN every labelled row and nothing else."""
    run = dataclasses.replace(run_of(paths, model, options), built_on={"rows": "few"})
    made = prepared(run, few)
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
    made = prepared(dataclasses.replace(run, built_on={"rows": "60"}), TaskRows(rows, parts))
    test = made.parts["test"]
    assert made.config["MAX_ITEM_LIST_LENGTH"] == longest
    history = test.inter_feat["item_id_list"][0]
    assert test.id2token("item_id", history.numpy()).tolist() == [str(item) for item in range(60 - longest, 60)]


@pytest.mark.parametrize("setting", comp.SETTINGS)
@pytest.mark.parametrize("model", ["DIN", "BERT4Rec"])
def test_no_batch_of_a_single_row(model: str, setting: str, paths: Settings, options: Path) -> None:
    """Such a batch stops both models; here one would be left over."""
    task = load_fused(paths, "wechat", "clean")
    kind = models.MODELS[model]
    prepare = {
        "clean": lambda run: prepared(run, task), "published": lambda run: comp.prepare_published(run, kind)
    }[setting]  # fmt: skip
    rows = prepare(run_of(paths, model, options, setting)).training.sample_size
    of_one = 2 if model == "DIN" and setting == "published" else 1  # rows of a batch that go with a positive row
    made = prepare(run_of(paths, model, options, setting, train_batch_size=of_one * ((rows - 1) // 2)))
    assert made.training.step in (rows - 1, (rows - 1) // 2, (rows - 1) // 3)
    assert sum(batch_rows(made)) == rows
    assert min(batch_rows(made)) > 1


def test_rows_other_than_written_are_written_anew(paths: Settings, few: TaskRows, options: Path) -> None:
    run = dataclasses.replace(run_of(paths, "BPR", options), built_on={"rows": "tampered"})
    there = set(paths.saved_path.glob("baselines/*/*.test.inter"))
    prepared(run, few)
    (file,) = (file for file in paths.saved_path.glob("baselines/*/*.test.inter") if file not in there)
    written = file.read_text()
    lines = written.splitlines()
    file.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    prepared(run, few)
    assert file.read_text() == written
