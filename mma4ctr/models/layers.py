"""What models are built from, and how every parameter of theirs starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Model

Draw = Callable[[Any, str, tuple[int, ...], np.random.Generator], np.ndarray]


class Normalisation(nn.BatchNorm1d):
    """Batch normalisation of values (rows, width) that a batch of a single row passes, too, by the running statistics.

    PyTorch's refuses it while training; the last batch of an epoch may be one.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (rows, width)."""
        if self.training and len(values) > 1:
            return super().forward(values)
        return functional.batch_norm(
            values, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


class Dice(nn.Module):
    """Dice of DIN (Zhou et al., KDD 2018, 5.2): p x + (1 - p) alpha x, p the sigmoid of the batch-normalised x.

    Parameters
    ----------
    width : int
        The last dimension of what comes in, (..., width). Each has an alpha, which starts at 0.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.normalise = Normalisation(width, eps=1e-8, affine=False)
        self.alpha = nn.Parameter(torch.zeros(width))

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how alpha starts."""
        return np.zeros(shape)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (..., width)."""
        share = torch.sigmoid(self.normalise(values.reshape(-1, values.shape[-1])).view_as(values))
        return values * (share + (1 - share) * self.alpha)


# Name -> the activation after a layer of some width.
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "tanh": lambda width: nn.Tanh(),
    "relu": lambda width: nn.ReLU(),
    "prelu": lambda width: nn.PReLU(),
    "mish": lambda width: nn.Mish(),
    "dice": Dice,
}


def require_activation(name: str) -> None:
    """Raise `UserError` unless there is such an activation."""
    if name not in ACTIVATIONS:
        raise UserError(f"activation is {name!r:.60}, expected one of {', '.join(ACTIVATIONS)}")


def activation_of(name: str, width: int) -> nn.Module:
    """Return a new activation for values (..., width)."""
    return ACTIVATIONS[name](width)


def number_of_parameters(model: nn.Module) -> int:
    """Return how many trainable numbers `model` has."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def number_of_multiplied(model: nn.Module) -> int:
    """Return how many trainable numbers every row is multiplied with: all but tables, of which a row takes its own."""
    tables = sum(
        one.weight.numel() for one in model.modules() if isinstance(one, nn.Embedding) and one.weight.requires_grad
    )
    return number_of_parameters(model) - tables


def _uniform(inputs: Callable[[Any], int]) -> Draw:
    """Return a draw that is uniform in +-1/sqrt(inputs of the layer)."""

    def draw(layer: Any, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        bound = inputs(layer) ** -0.5
        return rng.uniform(-bound, bound, size=shape)

    return draw


def _embedding(layer: nn.Embedding, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal(shape)
    if layer.padding_idx is not None:
        drawn[layer.padding_idx] = 0
    return drawn


def _normalisation(layer: nn.Module, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.full(shape, 1.0 if name == "weight" else 0.0)


def _attention(layer: nn.Module, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if "bias" in name:
        return np.zeros(shape)
    bound = (6 / sum(shape)) ** 0.5  # Glorot and Bengio (2010)
    return rng.uniform(-bound, bound, size=shape)


# Kind of layer -> how its own parameters start; the ranges are those that PyTorch's layers start with.
DRAWS: dict[type[nn.Module], Draw] = {
    nn.Linear: _uniform(lambda layer: layer.in_features),
    nn.Bilinear: _uniform(lambda layer: layer.in1_features),
    nn.modules.conv._ConvNd: _uniform(lambda layer: layer.weight[0].numel()),
    nn.RNNBase: _uniform(lambda layer: layer.hidden_size),
    nn.RNNCellBase: _uniform(lambda layer: layer.hidden_size),
    nn.Embedding: _embedding,
    nn.LayerNorm: _normalisation,
    nn.modules.batchnorm._BatchNorm: _normalisation,
    nn.PReLU: lambda layer, name, shape, rng: np.full(shape, 0.25),
    nn.MultiheadAttention: _attention,
}


def _draw_of(layer: nn.Module) -> Draw | None:
    """Return how a layer's own parameters start: its method ``draw(name, shape, rng)``, or the row of its kind."""
    own = getattr(layer, "draw", None)
    if own is not None:
        return lambda layer, name, shape, rng: own(name, shape, rng)
    return next((draw for kind, draw in DRAWS.items() if isinstance(layer, kind)), None)


@torch.no_grad()
def initialise(model: Model, seed: int, attempt: int, output_bias: float | None) -> None:
    """Draw every parameter of `model` from (seed, attempt), in the order of its layers.

    Parameters
    ----------
    model : Model
    seed, attempt : int
    output_bias : float or None
        If given, the bias that the log-odds start from; see `losses.starting_bias`.

    Raises
    ------
    TypeError
        If a layer has parameters of its own and it is not known how they start: a mistake in the model, named.
    """
    rng = np.random.default_rng([seed, attempt])
    for path, layer in model.named_modules():
        own = dict(layer.named_parameters(recurse=False))
        draw = _draw_of(layer)
        if own and draw is None:
            raise TypeError(
                f"{type(model).__name__}: the parameter {path}{'.' * bool(path)}{next(iter(own))} of a "
                f"{type(layer).__name__} has no known start; give that class a method draw(name, shape, rng), or "
                "mma4ctr/models/layers.py a row of DRAWS"
            )
        for name, parameter in own.items():
            drawn = draw(layer, name, tuple(parameter.shape), rng)  # type: ignore[misc]
            parameter.copy_(torch.from_numpy(np.asarray(drawn, dtype=np.float32)))
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_running_stats()
    bias = model.output_bias()
    if output_bias is not None and bias is not None:
        bias.fill_(output_bias)
