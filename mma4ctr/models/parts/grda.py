"""GRDA, the generalised regularised dual averaging (Chao and Cheng, 2019): an optimiser that leaves exact zeros."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class GRDA(torch.optim.Optimizer):
    """Gradient steps are summed up from where a parameter started, and the sum is shrunk towards 0.

    After step n, with v the start minus lr times the sum of all gradients so far::

        parameter = sign(v) max(|v| - c lr^(1/2 + mu) n^mu, 0)

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    lr, c, mu : float
        The learning rate, the strength of what shrinks, and how fast it grows with the steps.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, c: float, mu: float) -> None:
        super().__init__(parameters, {"lr": lr, "c": c, "mu": mu})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step with the gradients as they are."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state.update(sum=parameter.clone(), steps=0)
                state["steps"] += 1
                state["sum"] -= group["lr"] * parameter.grad
                threshold = group["c"] * group["lr"] ** (0.5 + group["mu"]) * state["steps"] ** group["mu"]
                parameter.copy_(functional.softshrink(state["sum"], threshold))


def strength_of(threshold: float, steps: int, lr: float, mu: float) -> float:
    """Return the `c` with which the gates are shrunk by `threshold` after so many steps."""
    return threshold / (lr ** (0.5 + mu) * steps**mu)
