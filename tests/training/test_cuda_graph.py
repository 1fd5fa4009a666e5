"""Training from a captured graph equals training batch by batch.

Asserted, on a GPU and, without a capture, on the CPU: weights and history within float32 tolerance, undone epochs and
halved rates included, with batches that do not fill; a run that is gone on with; the AUC that never leaves the device.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.evaluation import metrics
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.cuda_graph import CudaGraph, Orders
from mma4ctr.training.engine import Engine, order_of_rows
from mma4ctr.training.trainer import Trainer
from small_problem import CPU, changed, inputs_of, new_model, script

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")),
]


def trained(device: str, engine: Engine, schedule, checkpoint: Checkpoint | None = None) -> Trainer:
    """Train the small problem of test_training."""
    parts = batches_of_parts(inputs_of(), "clean", torch.device(device))
    trainer = Trainer(new_model(), parts, schedule, checkpoint, engine)
    trainer.run()
    engine.close()
    return trainer


def assert_alike(one: Trainer, other: Trainer) -> None:
    """Assert that two trainers hold the same weights and history within float32 tolerance."""
    for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(a.cpu(), b.cpu(), atol=2e-5, rtol=1e-3)
    for a, b in zip(one.progress.history, other.progress.history, strict=True):
        assert (a["learning_rate"], a["attempts"]) == (b["learning_rate"], b["attempts"])
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)
        assert a["valid_loss"] == pytest.approx(b["valid_loss"], rel=1e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loss", ["bce", "batch_softmax"])
@pytest.mark.parametrize("batch_size", [16, 64, 300, 1_000])
def test_replayed_steps_are_the_steps_of_a_batch(device: str, loss: str, batch_size: int) -> None:
    schedule = changed(loss=loss, batch_size=batch_size, learning_rate=0.005)
    assert_alike(trained(device, CudaGraph(), schedule), trained("cpu", Engine(), schedule))


@pytest.mark.parametrize("device", DEVICES)
def test_undone_epochs_are_undone_here_too(device: str, monkeypatch) -> None:
    """Each undone epoch exchanges the optimiser's moments, the first one the optimiser."""
    aucs = [0.4, 0.7, 0.7, 0.3, 0.4, 0.8, 0.6]
    found = []
    for where, engine in ((device, CudaGraph()), ("cpu", Engine())):
        with monkeypatch.context() as patch:
            script(patch, aucs)
            found.append(trained(where, engine, changed(batch_size=16)))
    assert found[0].progress.interruptions == 3
    for a, b in zip(*(trainer.model.parameters() for trainer in found), strict=True):
        torch.testing.assert_close(a.cpu(), b.cpu(), atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_is_gone_on_with(device: str, tmp_path: Path) -> None:
    file = Checkpoint(tmp_path / "checkpoint.pt", "a run")
    trained(device, CudaGraph(), changed(epochs=2), file)
    resumed = trained(device, CudaGraph(), changed(epochs=7), file)
    assert len(resumed.progress.history) == 7
    assert [entry["learning_rate"] for entry in resumed.progress.history] == [0.02] * 5 + [0.01] * 2
    assert_alike(resumed, trained(device, CudaGraph(), changed(epochs=7)))


def test_orders_drawn_ahead_are_those_of_each_epoch_and_attempt() -> None:
    orders, schedule = Orders(), changed(epochs=3)
    for epoch, attempt in ((0, 0), (1, 0), (1, 1), (2, 0)):
        assert torch.equal(orders.of(50, schedule, epoch, attempt), order_of_rows(50, schedule, epoch, attempt))
    assert torch.equal(orders.of(40, schedule, 2, 1), order_of_rows(40, schedule, 2, 1))
    orders.thread.shutdown()


@given(
    rows=st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=60)
)
def test_auc_and_logloss_of_tensors_are_those_of_arrays(rows: list[tuple[float, bool]]) -> None:
    scores, labels = (np.array(column, dtype=np.float32) for column in zip(*rows, strict=True))
    tensors = torch.from_numpy(labels), torch.from_numpy(scores)
    expected = metrics.auc(labels, scores)
    assert metrics.tensor_auc(*tensors).item() == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert metrics.tensor_logloss(*tensors).item() == pytest.approx(metrics.logloss(labels, scores), rel=1e-12)


def test_rows_are_taken_as_batches_gather_them() -> None:
    parts = batches_of_parts(inputs_of(), "clean", CPU)["training"]
    places = torch.tensor([5, 0, 299, 5])
    (expected, clicks), (found, taken) = next(parts.batches(4, places)), parts.take(places)
    assert torch.equal(found.content, expected.content)
    assert torch.equal(taken, clicks)
