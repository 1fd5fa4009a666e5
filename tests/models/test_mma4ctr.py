"""The network of MMa4CTR: its hidden widths, its parameters, and the inputs that it refuses."""

from __future__ import annotations

import itertools

import pytest
import torch

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch
from mma4ctr.models.layers import number_of_parameters
from mma4ctr.models.mma4ctr import hidden_widths
from small_problem import new_model


@pytest.mark.parametrize(("in_features", "parameters"), [(194, 29_225), (169, 26_025)])
def test_parameters(in_features: int, parameters: int) -> None:
    model = new_model(in_features)
    widths = (in_features, 128, 32, 4, 1)
    assert number_of_parameters(model) == parameters
    assert sum((narrow + 1) * wide for narrow, wide in itertools.pairwise(widths)) == parameters
    assert model(Batch(content=torch.zeros(7, in_features))).shape == (7,)


def test_hidden_widths_of_every_input() -> None:
    published = {
        (256, 64, 16, 4): range(201, 501), (128, 32, 4): range(101, 201), (64, 16, 4): range(61, 101),
        (32, 16, 4): range(31, 61), (16, 4): range(11, 31), (8, 4): range(5, 11),
    }  # fmt: skip
    expected = {inputs_: widths for widths, own in published.items() for inputs_ in own}
    assert {inputs_: hidden_widths(inputs_) for inputs_ in range(5, 501)} == expected


@pytest.mark.parametrize("in_features", [0, 1, 4, 501, 1000])
def test_other_widths_are_refused(in_features: int) -> None:
    with pytest.raises(UserError, match=f"in_features is {in_features}"):
        new_model(in_features)
