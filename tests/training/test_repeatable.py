"""Training is repeatable to the bit, and patience returns the best weights.

Asserted: what patience keeps, that the same seed gives the same bytes, that a longer run has the shorter one as its
prefix, and that a run killed anywhere goes on to the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer
from small_problem import SCHEDULE, bytes_of, changed, new_model, script, without_seconds

# ------------------------------------------------------------------ patience


def weights_after_each_epoch(trainer: Trainer) -> list[list[bytes]]:
    """Train to the end and return the weights after each epoch."""
    seen = []
    trainer.run(lambda mlp, _: seen.append(bytes_of(mlp)))
    return seen


@pytest.mark.parametrize(
    ("aucs", "epochs", "best"),
    [
        ([0.6, 0.7, 0.65, 0.7], 4, 2),  # an equal AUC is no better one
        ([0.6, 0.7, 0.65, 0.8, 0.6, 0.6], 6, 4),
        ([0.6, 0.5, 0.4], 3, 1),
        ([0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58], 8, 8),
    ],
)
def test_patience_returns_the_best_weights(parts, monkeypatch, aucs: list[float], epochs: int, best: int) -> None:
    script(monkeypatch, aucs)
    trainer = Trainer(new_model(), parts, changed(epochs=8, patience=2, interruption=False))
    seen = weights_after_each_epoch(trainer)
    assert len(seen) == len(trainer.progress.history) == epochs
    assert trainer.progress.best_epoch + 1 == best
    assert bytes_of(trainer.model) == seen[best - 1]


def test_without_patience_every_epoch_runs_and_the_last_weights_count(parts, monkeypatch) -> None:
    script(monkeypatch, [0.9, 0.8, 0.7, 0.6, 0.55, 0.54])
    trainer = Trainer(new_model(), parts, changed(epochs=6))
    seen = weights_after_each_epoch(trainer)
    assert len(seen) == 6
    assert bytes_of(trainer.model) == seen[-1]


# ------------------------------------------------------------------ to the bit


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(unlearnable) -> None:
    torch.manual_seed(0)
    first = Trainer(new_model(), unlearnable, SCHEDULE)
    torch.manual_seed(1)  # nothing draws from PyTorch's own generator
    again = Trainer(new_model(), unlearnable, SCHEDULE)
    assert weights_after_each_epoch(first) == weights_after_each_epoch(again)
    assert without_seconds(first.progress.history) == without_seconds(again.progress.history)
    assert bytes_of(first.model) != bytes_of(Trainer(new_model(), unlearnable, changed(seed=4)).run())


def test_a_longer_run_has_the_shorter_one_as_its_prefix(unlearnable) -> None:
    short, long = (Trainer(new_model(), unlearnable, changed(epochs=epochs)) for epochs in (3, 7))
    weights = weights_after_each_epoch(short)
    assert weights == weights_after_each_epoch(long)[:3]
    assert without_seconds(short.progress.history) == without_seconds(long.progress.history)[:3]
    assert long.progress.interruptions > 0


class KilledError(Exception):
    """Stands for a kill."""


def count_calls(patch: pytest.MonkeyPatch, name: str, kill_at: int = 0) -> list[None]:
    """Note each call of the engine's `name`; let the call `kill_at` be the last thing that happens."""
    original, calls = getattr(Engine, name), []

    def counted(*args):
        result = original(*args)
        calls.append(None)
        if len(calls) == kill_at:
            raise KilledError
        return result

    patch.setattr(Engine, name, counted)
    return calls


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("where", ["train_epoch", "validate"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    unlearnable, tmp_path: Path, monkeypatch, where: str, share: float, patience: int | None
) -> None:
    schedule = changed(epochs=7, patience=patience)
    undisturbed = Trainer(new_model(), unlearnable, schedule)
    with monkeypatch.context() as patch:
        calls = count_calls(patch, where)
        undisturbed.run()
    assert undisturbed.progress.interruptions > 0
    with monkeypatch.context() as patch:
        count_calls(patch, where, kill_at=1 + int(share * (len(calls) - 1)))
        with pytest.raises(KilledError):
            Trainer(new_model(), unlearnable, schedule, Checkpoint(tmp_path / "run" / "checkpoint.pt", "a run")).run()
    resumed = Trainer(new_model(), unlearnable, schedule, Checkpoint(tmp_path / "run" / "checkpoint.pt", "a run"))
    resumed.run()
    assert bytes_of(resumed.model) == bytes_of(undisturbed.model)
    assert without_seconds(resumed.progress.history) == without_seconds(undisturbed.progress.history)
    assert resumed.progress.best_epoch == undisturbed.progress.best_epoch


def test_a_run_killed_after_an_epoch_goes_on_from_the_epoch_before(parts, tmp_path: Path) -> None:
    file = Checkpoint(tmp_path / "checkpoint.pt", "a run")
    undisturbed = Trainer(new_model(), parts, SCHEDULE)
    weights = weights_after_each_epoch(undisturbed)

    def stop(_: nn.Module, entry: dict) -> None:
        if entry["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        Trainer(new_model(), parts, SCHEDULE, file).run(stop)
    resumed = Trainer(new_model(), parts, SCHEDULE, file)
    assert len(resumed.progress.history) == 2
    assert bytes_of(resumed.model) == weights[1]
    assert weights_after_each_epoch(resumed) == weights[2:]
    assert not list(tmp_path.glob(".*.part"))


def test_a_finished_run_is_not_trained_again(parts, tmp_path: Path, monkeypatch) -> None:
    schedule = changed(patience=1, interruption=False)
    script(monkeypatch, [0.8, 0.7])
    first = Trainer(new_model(), parts, schedule, Checkpoint(tmp_path / "checkpoint.pt", "a run")).run()
    monkeypatch.setattr(Engine, "train_epoch", None)
    again = Trainer(new_model(), parts, schedule, Checkpoint(tmp_path / "checkpoint.pt", "a run")).run()
    assert bytes_of(again) == bytes_of(first)
