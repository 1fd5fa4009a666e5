"""What holds for every model of the registry: no label leaks, nothing is left to chance, a killed run goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from any_model import FIXED, new, problem_for, scores_of, state_of, trained, with_labels
from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.models.layers import initialise
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.checkpoints import Checkpoint
from mma4ctr.training.engine import probabilities_of
from small_problem import CPU

NAMES = registry.names()


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_other_parts_change_no_weight_and_no_score(name: str) -> None:
    inputs, moments = problem_for(name)
    others = np.concatenate([inputs.task.parts["validation"], inputs.task.parts["test"]])
    flipped = with_labels(inputs, others, moments)
    models = [trained(name, one) for one in (inputs, flipped)]
    assert state_of(models[0]) == state_of(models[1])
    scores = [scores_of(*pair) for pair in zip(models, (inputs, flipped), strict=True)]
    assert scores[0].tobytes() == scores[1].tobytes()
    assert len(np.unique(scores[0])) > 20  # it does tell rows apart


@pytest.mark.parametrize("name", [name for name in NAMES if "content" not in registry.load(name).needs])
def test_a_row_sees_neither_its_own_label_nor_a_later_one(name: str) -> None:
    inputs, moments = problem_for(name)
    model = new(name, inputs).eval()
    initialise(model, 0, 0, None)
    weights, before = dict(model.named_parameters()), scores_of(model, inputs)
    training = inputs.task.parts["training"]
    changed = 0
    for place in training[np.argsort(moments[training])][:: len(training) // 8]:
        flipped = with_labels(inputs, np.array([place]), moments)
        other = new(name, flipped).eval()
        initialise(other, 0, 0, None)
        other.load_state_dict(weights, strict=False)
        after, earlier = scores_of(other, flipped), moments <= moments[place]
        assert after[earlier].tobytes() == before[earlier].tobytes()
        changed += (after != before).sum()
    assert changed > 0 or not registry.load(name).needs & {"history", "unclicked", "counts", "graph"}


@pytest.mark.parametrize("name", NAMES)
def test_labels_without_signal_cannot_be_predicted(name: str) -> None:
    aucs, errors = [], []
    for seed in range(3):
        given, moments = problem_for(name, seed, rows=1500)
        shuffled = np.random.default_rng([1, seed]).permutation(given.task.rows[:, 2])
        inputs = with_labels(given, np.flatnonzero(shuffled != given.task.rows[:, 2]), moments)
        test = inputs.task.part("test")
        schedule = dataclasses.replace(FIXED, epochs=1, batch_size=200, seed=seed)
        predicted = probabilities_of(trained(name, inputs, schedule), batches_of_parts(inputs, "clean", CPU)["test"])
        clicks = int(test[:, 2].sum())
        aucs.append(metrics.auc(test[:, 2], predicted))
        errors.append(((len(test) + 1) / (12 * clicks * (len(test) - clicks))) ** 0.5)
    assert abs(np.mean(aucs) - 0.5) < 4 * np.mean(errors) / 3**0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_goes_on_to_the_same_weights(name: str, tmp_path: Path) -> None:
    inputs, _ = problem_for(name)
    whole = trained(name, inputs)
    checkpoint = Checkpoint(tmp_path / "state.pt", "run")
    trained(name, inputs, dataclasses.replace(FIXED, epochs=1), checkpoint)
    assert state_of(trained(name, inputs, FIXED, Checkpoint(tmp_path / "state.pt", "run"))) == state_of(whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_scores_and_trains_as_the_cpu_does(name: str) -> None:
    """Untrained models agree to float32's tolerance; trained ones, whose differences grow with each step, nearly."""
    inputs, _ = problem_for(name)
    schedule = dataclasses.replace(FIXED, epochs=1, learning_rate=0.001)
    scores = []
    for device in (CPU, torch.device("cuda")):
        model = new(name, inputs).to(device).eval()
        initialise(model, 0, 0, None)
        untrained = scores_of(model, inputs, device)
        scores.append((untrained, scores_of(trained(name, inputs, schedule, device=device), inputs, device)))
    np.testing.assert_allclose(scores[1][0], scores[0][0], atol=1e-4)
    np.testing.assert_allclose(scores[1][1], scores[0][1], atol=0.02)
    assert np.abs(scores[0][1] - scores[0][0]).max() > 0.001
