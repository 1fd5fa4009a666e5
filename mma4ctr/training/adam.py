"""PyTorch's Adam without PyTorch's compiler, whose import takes longer than many runs.

The methods of its optimisers import the compiler when they are first called, only to tell it to leave them as they are.
Nothing here is compiled. Where another version of PyTorch does this in another way, nothing is changed here.
"""

from __future__ import annotations

import inspect

import torch

TOLD = "__dynamo_disable"  # where `torch._compile` keeps the method that the compiler leaves as it is
METHODS = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")

for _name in METHODS:
    _plain = getattr(getattr(torch.optim.Optimizer, _name), "__wrapped__", None)
    if _plain is not None:
        setattr(_plain, TOLD, _plain)


class Adam(torch.optim.Adam):
    """Adam, step for step."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
