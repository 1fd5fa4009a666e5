"""What is fixed of rows is computed once for a training, is in its batches meanwhile, and changes nothing."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
import torch

from any_model import FIXED, new, problem_for
from mma4ctr.models.contract import Batch, Model, Sizes
from mma4ctr.training import trainer
from mma4ctr.training.batches import batches_of_parts, fixed_once
from mma4ctr.training.engine import probabilities_of
from mma4ctr.training.trainer import Trainer
from small_problem import CPU


class Counting(Model):
    """Counts how many rows it was asked for."""

    needs = frozenset({"user", "item"})

    def __init__(self) -> None:
        super().__init__(None, Sizes(20, 30))
        self.asked = 0

    def fixed(self, batch: Batch) -> torch.Tensor:
        self.asked += len(batch.item)
        return torch.stack([batch.item, batch.user], dim=1).float()


def test_batches_have_it_meanwhile_and_rows_with_other_items_do_not() -> None:
    inputs, _ = problem_for("destine")
    parts, model = batches_of_parts(inputs, "clean", CPU), Counting()
    rows = parts["training"]
    order = torch.arange(len(rows)).flip(0)
    with pytest.raises(RuntimeError, match="stopped"), fixed_once(model, rows, parts["validation"]):
        for batch, _ in rows.batches(50, order):
            assert torch.equal(batch.fixed[:, 0].long(), batch.item)
        assert rows.take(torch.tensor([3]))[0].fixed.shape == (1, 2)
        assert rows.with_items(torch.arange(3), torch.zeros(2, 3, dtype=torch.int64)).fixed is None
        assert next(parts["validation"].batches(5))[0].fixed is not None
        assert model.asked == len(rows) + len(parts["validation"])
        raise RuntimeError("stopped")
    assert next(rows.batches(50))[0].fixed is None


def test_a_model_without_any_is_asked_once() -> None:
    inputs, _ = problem_for("destine")
    rows = batches_of_parts(inputs, "clean", CPU)["training"]
    with fixed_once(new("destine", inputs), rows):
        assert next(rows.batches(50))[0].fixed is None


@pytest.mark.parametrize("name", ["mma4ctr_plus", "mma4ctr_plus_small"])
def test_training_is_the_same_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, _ = problem_for(name)
    found = []
    for held in (fixed_once, lambda model, *parts: contextlib.nullcontext()):
        monkeypatch.setattr(trainer, "fixed_once", held)
        parts = batches_of_parts(inputs, "clean", CPU)
        model = Trainer(new(name, inputs), parts, dataclasses.replace(FIXED, epochs=2)).run()
        found.append(torch.from_numpy(probabilities_of(model, parts["test"])))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-3)
