"""The MLP and its two losses."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.catalogue import hidden_widths


class MLP(nn.Module):
    """Linear layers with Tanh after every hidden one; the sigmoid is applied by whoever wants probabilities.

    Parameters
    ----------
    in_features : int
        The number of input columns; it decides the hidden widths (see `tables.HIDDEN_WIDTHS`).
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        widths = (in_features, *hidden_widths(in_features))
        layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.Tanh())]
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(widths[-1], 1)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the log-odds (rows,) of a click for a batch (rows, in_features)."""
        return self.output(self.hidden(batch)).squeeze(1)


def number_of_parameters(model: nn.Module) -> int:
    """Return how many trainable numbers `model` has."""
    return sum(parameter.numel() for parameter in model.parameters())


def initialise(model: MLP, seed: int, attempt: int, output_bias: float | None) -> None:
    """Draw all weights from (seed, attempt): uniform in +-1/sqrt(inputs), as PyTorch's own layers start.

    `output_bias`, if given, replaces the bias of the output layer.
    """
    rng = np.random.default_rng([seed, attempt])
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    drawn = rng.uniform(-bound, bound, size=tuple(parameter.shape)).astype(np.float32)
                    parameter.copy_(torch.from_numpy(drawn))
        if output_bias is not None:
            model.output.bias.fill_(output_bias)


def batch_softmax_loss(log_odds: torch.Tensor, clicks: torch.Tensor) -> torch.Tensor:
    """Return minus the sum over the batch of click * log softmax(sigmoid(log-odds)), as published.

    The softmax runs over the batch and the sum is not divided by the number of clicks, so that the loss depends on
    the batch size.
    """
    return -(clicks * functional.log_softmax(torch.sigmoid(log_odds), dim=0)).sum()


LOSSES = {"batch_softmax": batch_softmax_loss, "bce": functional.binary_cross_entropy_with_logits}


def starting_bias(loss: str, click_rate: float) -> float | None:
    """Return the output bias that `loss` starts with, None for the drawn one.

    Cross entropy starts at the log-odds of the training click rate: otherwise the published settings spend many
    epochs below an AUC of 0.5 while the bias falls to where the clicks are.
    """
    return float(np.log(click_rate / (1 - click_rate))) if loss == "bce" else None
