"""What a finished run left is read by nobody once it is not what the run wrote; a checkpoint belongs to one run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import mlp
import viewer
from bad_input import refusal
from mma4ctr.evaluation import metrics
from mma4ctr.runs import finished
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.training.checkpoints import Checkpoint
from samples import own_runs

TRAIN = ("--dataset", "wechat", "--epochs", "2", "--device", "cpu")


@pytest.fixture
def paths(tmp_path: Path, tiny: Settings) -> Settings:
    """The tiny sample with a folder of runs of its own."""
    return own_runs(tiny, tmp_path)


def train(paths: Settings, *options: str) -> str:
    (run,) = mlp.main(["--paths", str(paths.file), *TRAIN, *options])
    return run


def edited(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    """Return what changes the metrics of a run and leaves their checksum."""

    def damage(file: Path) -> None:
        file.write_text(json.dumps(change(json.loads(file.read_text()))))

    return damage


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


METRICS = {
    "empty": lambda file: file.write_text(""),
    "no figures": lambda file: file.write_text("{}"),
    "null": lambda file: file.write_text("null"),
    "a list": lambda file: file.write_text("[1, 2]"),
    "null figures": edited(lambda found: {**found, "auc": None}),
    "another figure": edited(lambda found: {**found, "auc": 0.9876}),
    "another id": edited(lambda found: {**found, "run": "0123456789ab"}),
    "without a checksum": edited(lambda found: {name: found[name] for name in found if name != "checksum"}),
    "a bit": flipped,
}


@pytest.mark.parametrize("damage", METRICS)
def test_damaged_metrics_are_refused_by_every_reader(
    damage: str, paths: Settings, capfd: pytest.CaptureFixture
) -> None:
    run = train(paths)
    file = runs.folder_of(paths, run) / runs.METRICS
    METRICS[damage](file)
    for main, words in ((mlp.main, TRAIN), (viewer.main, ("--dataset", "wechat"))):
        line = refusal(capfd, main, ["--paths", str(paths.file), *words])
        assert line.startswith(f"{file}: ")
        assert f"after removing the folder {file.parent}" in line
    shutil.rmtree(file.parent)
    assert train(paths) == run


def test_the_metrics_of_another_run_are_refused(paths: Settings, capfd: pytest.CaptureFixture) -> None:
    one, two = train(paths), train(paths, "--seed", "1")
    shutil.copy(runs.folder_of(paths, one) / runs.METRICS, runs.folder_of(paths, two) / runs.METRICS)
    line = refusal(capfd, mlp.main, ["--paths", str(paths.file), *TRAIN, "--seed", "1"])
    assert line.startswith(f"{runs.folder_of(paths, two) / runs.METRICS}: is damaged, of another run")


def test_every_other_file_of_a_run_is_checked_when_it_is_read(paths: Settings) -> None:
    one, two = (finished.load(paths, runs.read_metrics(paths, train(paths, "--seed", seed))) for seed in "01")
    readers: dict[str, Callable[[], object]] = {
        "predictions.npy": lambda: one.last.predictions,
        "auc_replicates.npy": lambda: finished.load(paths, one.metrics).last.replicates,
        "test_rows.npy": lambda: one.last.test_rows,
        "test_places.npy": lambda: one.last.test_places,
        "hidden.npy": lambda: runs.load_array(one.folder, "hidden"),
        "history.json": lambda: finished.load(paths, one.metrics),
        "config.json": lambda: finished.load(paths, one.metrics),
        "weights.pt": lambda: runs.load_weights(one.folder),
    }
    assert set(one.metrics["files"]) == {*readers, "README.md", "model.json"}  # which has a checksum of its own
    for name, read in readers.items():
        file, whole = one.folder / name, (one.folder / name).read_bytes()
        read()
        other = (two.folder / name).read_bytes()
        for content in (other, whole[:-1], whole + b"\0", b""):
            if content != whole:  # both runs were tested on the same rows
                file.write_bytes(content)
                with pytest.raises(runs.UserError, match=f"{name}: is not the file that was written"):
                    read()
        file.write_bytes(whole)


def test_a_figure_of_a_finished_run_is_that_of_its_predictions(paths: Settings) -> None:
    found = finished.load(paths, runs.read_metrics(paths, train(paths))).last
    assert found.figures["auc"] == metrics.auc(found.test_rows[:, 2], found.predictions)


# ---- checkpoints

STATE = {"model": {"weight": torch.arange(50.0)}, "epochs": [1, 2, 3]}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    made = Checkpoint(tmp_path / "checkpoint.pt", "0123456789ab")
    made.save(STATE)
    return made


def test_a_checkpoint_is_read_as_it_was_written(checkpoint: Checkpoint) -> None:
    found = checkpoint.load(torch.device("cpu"))
    assert found["epochs"] == STATE["epochs"]
    assert torch.equal(found["model"]["weight"], STATE["model"]["weight"])


def test_no_byte_of_a_checkpoint_may_change(checkpoint: Checkpoint) -> None:
    whole = checkpoint.file.read_bytes()
    for place in [0, len(whole) - 1, *np.random.default_rng(0).integers(0, len(whole), 60).tolist()]:
        checkpoint.file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="damaged, or that of another run"):
            checkpoint.load(torch.device("cpu"))
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 1):
        checkpoint.file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="damaged"):
            checkpoint.load(torch.device("cpu"))


def test_a_checkpoint_of_another_run_is_not_gone_on_from(paths: Settings) -> None:
    one, two = train(paths), train(paths, "--seed", "1")
    expected = runs.read_metrics(paths, two)
    shutil.rmtree(runs.folder_of(paths, two))
    shutil.copy(runs.checkpoint_of(paths, one), runs.checkpoint_of(paths, two))
    with pytest.warns(UserWarning, match="that of another run"):
        assert train(paths, "--seed", "1") == two
    assert runs.read_metrics(paths, two)["auc"] == expected["auc"]
    with pytest.raises(ValueError, match="another run"):
        Checkpoint(runs.checkpoint_of(paths, one), two).load(torch.device("cpu"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_no_numbers_are_no_result(tmp_path: Path, value: float) -> None:
    rows = np.column_stack([np.arange(4), np.arange(4), [0, 1, 0, 1]]).astype(np.int32)
    predictions = np.array([0.1, 0.2, value, 0.3], dtype=np.float32)
    with pytest.raises(runs.UserError, match=r"predictions are no longer numbers"):
        runs.save_predictions(tmp_path / "run", predictions, rows, 0)
    assert not (tmp_path / "run").exists()
