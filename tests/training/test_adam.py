"""Adam takes PyTorch's own steps, and a process that trains does not import what it has no use for."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from mma4ctr.training.adam import Adam
from samples import ROOT

TRAINING = """
import sys
import torch
from mma4ctr.runs import fit
from mma4ctr.training.engine import Engine
from mma4ctr.schedule import Schedule
model = torch.nn.Linear(2, 1)
model.held = ()
optimiser = Engine().optimiser(model, Schedule())
model(torch.ones(3, 2)).sum().backward()
optimiser.step()
optimiser.load_state_dict(optimiser.state_dict())
optimiser.zero_grad()
print(*(name for name in ("torch._dynamo", "sklearn", "pandas", "matplotlib", "distributed") if name in sys.modules))
"""


@pytest.mark.parametrize("options", [{"foreach": True}, {"fused": True}, {"weight_decay": 0.1}], ids=str)
def test_the_steps_are_those_of_pytorch(options: dict) -> None:
    found = []
    for kind in (Adam, torch.optim.Adam):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
        optimiser = kind(model.parameters(), lr=0.01, **options)
        for _ in range(20):
            optimiser.zero_grad()
            model(torch.rand(30, 5)).square().mean().backward()
            optimiser.step()
        found.append([weight.detach().numpy().tobytes() for weight in model.parameters()])
        assert all(weight.requires_grad and weight.grad_fn is None for weight in model.parameters())
    assert found[0] == found[1]


def test_training_imports_nothing_that_it_does_not_need() -> None:
    done = subprocess.run([sys.executable, "-c", TRAINING], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
