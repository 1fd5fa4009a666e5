"""What cannot be trained, or was not, ends in one line: batches without a gradient, a loss that is no number."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlp
from bad_input import refusal
from mma4ctr.cli import UserError
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer, require_gradient
from samples import own_runs
from small_problem import changed, new_model

TRAIN = ("--dataset", "wechat", "--epochs", "1", "--device", "cpu")


@pytest.mark.parametrize(
    ("loss", "size", "rows", "trains"),
    [
        ("batch_softmax", 1, 100, False), ("batch_softmax", 2, 100, True), ("batch_softmax", 2, 3, True),
        ("batch_softmax", 8192, 1, False), ("bce", 1, 100, True), ("bce", 8192, 1, True),
    ],
)  # fmt: skip
def test_a_softmax_over_one_row_has_no_gradient(loss: str, size: int, rows: int, trains: bool) -> None:
    schedule = changed(loss=loss, batch_size=size)
    if trains:
        require_gradient(schedule, rows)
        return
    with pytest.raises(UserError, match=r"have no gradient under the loss batch_softmax.*or --loss bce"):
        require_gradient(schedule, rows)


def test_batches_of_one_row_are_refused_by_the_script(
    tiny: Settings, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    own = own_runs(tiny, tmp_path)
    line = refusal(capfd, mlp.main, ["--paths", str(own.file), *TRAIN, "--batch_size", "1"])
    assert line.startswith("--batch_size 1 on ") and line.endswith("--loss bce")
    assert not list(tmp_path.glob("saved/*/metrics.json"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_leaves_no_result(parts, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "train_epoch", lambda *_: value)
    trainer = Trainer(new_model(), parts, changed(learning_rate=8.0, epochs=4))
    with pytest.raises(UserError, match=r"epoch 1: the loss is no longer a number at learning rate 8 and batch size"):
        trainer.run()
    assert trainer.progress.history == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--feature", ""), "--feature '': unknown"),
        (("--feature", "visual", "--modal_select", "tri_concat"), "found both, expected one"),
        (("--feature", "x" * 500), "unknown, expected one of visual"),
        (("--model", ""), "mma4ctr"),
        (("--set", "width=3"), "width"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    options: tuple[str, ...], said: str, tiny: Settings, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    own = own_runs(tiny, tmp_path)
    line = refusal(capfd, mlp.main, ["--paths", str(own.file), *TRAIN, *options])
    assert said in line and len(line) < 400


def test_a_run_that_learned_nothing_says_so(tiny: Settings, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """A learning rate that moves no weight: the first predictions stay, and their AUC is where it was."""
    own = own_runs(tiny, tmp_path)
    options = ("--learning_rate", "1e-12", "--no_interruption", "--protocol", "clean", "--set", "hidden=2")
    for seed in map(str, range(6)):  # of some first weights the validation AUC is above one half
        (run,) = mlp.main(["--paths", str(own.file), *TRAIN, *options, "--seed", seed])
        metrics, printed = runs.read_metrics(own, run), capfd.readouterr().out
        doubtful = metrics["remarks"] != []
        assert ("BEWARE: the validation AUC was 0.5 or less" in printed) == doubtful
        assert printed.splitlines()[-1].startswith("AUC=")
        table = (own.saved_path / "results.csv").read_text()
        assert ("nothing was learned" in table) == doubtful
        if doubtful:
            return
    pytest.fail("no seed gave first weights with a validation AUC of 0.5 or less")
