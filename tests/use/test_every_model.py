"""Pairs are scored as the test scored them, ranked as a sort ranks them, and strangers change nobody, for any model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from any_model import new, problem_for, with_labels
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.layers import initialise
from mma4ctr.training.batches import Batches, batches_of_parts
from mma4ctr.training.engine import log_odds_of
from mma4ctr.use.scoring import highest, log_odds_of_pairs, top_items
from mma4ctr.use.shown import Shown
from small_problem import CPU

NAMES = registry.names()


def problem(name: str) -> tuple[Inputs, Model]:
    """Return a small problem whose test rows come after all training rows, and a model for it as it starts."""
    inputs, moments = problem_for(name)
    later = moments + 1000 * np.isin(np.arange(len(moments)), inputs.task.parts["test"]).astype(np.int32)
    inputs = with_labels(inputs, np.zeros(0, dtype=np.int64), later)
    model = new(name, inputs)
    initialise(model, 0, 0, None)
    return inputs, model.eval()


def agree(one: Batch, other: Batch) -> np.ndarray:
    """Tell (rows,) bool which rows of two batches have equal inputs."""
    same = torch.ones(len(one.item if one.item is not None else one.content), dtype=torch.bool)
    for name, column in one._asdict().items():
        if column is not None and name != "item_content":
            same &= (
                (column == getattr(other, name)).flatten(1).all(1)
                if column.dim() > 1
                else column == getattr(other, name)
            )
    return same.numpy()


def test_batch(parts: dict[str, Batches]) -> Batch:
    """Return the test rows as one batch."""
    batch, _ = parts["test"].take(torch.arange(len(parts["test"])))
    return batch


test_batch.__test__ = False  # type: ignore[attr-defined]


def with_context_of_items(inputs: Inputs) -> Inputs:
    """Return the inputs with a column of context that follows from the item."""
    if inputs.context is None:
        return inputs
    context = dataclasses.replace(inputs.context, of_rows=inputs.task.rows[:, 1:2] % 4)
    return dataclasses.replace(inputs, context=context)


@pytest.mark.parametrize("name", NAMES)
def test_test_rows_are_scored_as_the_test_scored_them(name: str) -> None:
    given, model = problem(name)
    rows = given.task.part("test")
    users, items = (torch.from_numpy(rows[:, column].astype(np.int64)) for column in (0, 1))
    for inputs in (given, with_context_of_items(given)):
        parts, shown = batches_of_parts(inputs, "clean", CPU), Shown(inputs, "clean", CPU)
        tested, now = test_batch(parts), shown.pairs(users, items)
        if tested.item_content is not None:
            np.testing.assert_array_equal(now.item_content, tested.item_content)
        same = agree(tested, now)  # all but rows whose own context, drawn at random, is that of no earlier row
        assert same.all() or (inputs is given and inputs.context is not None and same.sum() > 5)
        scores = log_odds_of_pairs(model, shown, rows[:, 0], rows[:, 1])
        np.testing.assert_allclose(scores[same], log_odds_of(model, parts["test"].batches(50))[same], atol=1e-5)
        assert len(np.unique(scores)) > 10


@pytest.mark.parametrize("name", NAMES)
def test_the_top_is_that_of_all_pairs_sorted(name: str) -> None:
    inputs, model = problem(name)
    shown, users, items = Shown(inputs, "clean", CPU), np.array([3, 0, 19, 20]), np.arange(1, 30)
    model.admit(0)
    pairs = np.array([(user, item) for user in users for item in items])
    scores = log_odds_of_pairs(model, shown, pairs[:, 0], pairs[:, 1]).reshape(len(users), -1)
    left = [{1, 5}, set(), {29}, set()]

    def seen(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        met = [(place, item) for place, user in enumerate(some) for item in left[list(users).index(user)]]
        return np.array([one for one, _ in met]), np.array([item for _, item in met])

    found = list(top_items(model, shown, users, items, 4, seen))
    best, values = (np.concatenate([chunk[place] for chunk in found]) for place in (1, 2))
    for row, (own, value) in enumerate(zip(best, values, strict=True)):
        order = [item for item in items[np.argsort(-scores[row], kind="stable")] if item not in left[row]][:4]
        np.testing.assert_allclose(value, scores[row][[item - 1 for item in order]], atol=1e-5)
        np.testing.assert_allclose(scores[row][own - 1], value, atol=1e-5)  # equal but for rounding: in either order
        assert not left[row] & set(own.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_strangers_are_scored_and_change_nobody(name: str) -> None:
    inputs, model = problem(name)
    rows, before = inputs.task.part("test"), Shown(inputs, "clean", CPU)
    scores = log_odds_of_pairs(model, before, rows[:, 0], rows[:, 1])
    content = inputs.content.items[[4, 4, 7]]
    shown = Shown(inputs, "clean", CPU, content)
    assert model.admit(3)
    np.testing.assert_allclose(log_odds_of_pairs(model, shown, rows[:, 0], rows[:, 1]), scores, atol=1e-6)
    fresh = 31 + np.arange(3)
    one, same, other = log_odds_of_pairs(model, shown, np.array([2, 2, 2]), fresh)
    assert one == pytest.approx(same, abs=1e-6) and one != pytest.approx(other, abs=1e-5)
    if not registry.load(name).needs & {"item"}:
        assert one == pytest.approx(log_odds_of_pairs(model, shown, np.array([2]), np.array([4]))[0], abs=1e-6)
    unknown = log_odds_of_pairs(model, shown, np.full(4, 20), np.array([1, 2, *fresh[:2]]))
    assert np.isfinite(unknown).all()


def test_equal_scores_are_ranked_by_place_and_what_is_left_out_is_not_ranked() -> None:
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0, 3.0], [-torch.inf, 0.5, -torch.inf, -torch.inf, 0.5]])
    places, values = highest(scores, 3)
    assert places.tolist() == [[1, 2, 4], [1, 4, -1]] and values[0].tolist() == [3, 3, 3]
    assert highest(scores, 2)[0].tolist() == [[1, 2], [1, 4]]
