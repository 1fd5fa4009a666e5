"""AutoFIS (Liu et al., KDD 2020): a factorisation machine that looks for the pairs of fields which it needs."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Rows, Sizes
from mma4ctr.models.layers import Normalisation, initialise
from mma4ctr.models.parts.fields import Fields, Linear, NormalisedTower
from mma4ctr.models.parts.grda import GRDA, strength_of
from mma4ctr.models.parts.sequence import require_at_least_0, require_at_least_1
from mma4ctr.models.parts.tower import require_tower

GATE = 0.6  # where gates start, but for a difference of at most `SPREAD`, as in the authors' code
SPREAD = 0.001
SEED_OF_SEARCH = 5  # tells these draws apart from all others of a seed
ATTEMPT = 2**31  # what a search starts from: no attempt of the training has this number


@dataclasses.dataclass(frozen=True)
class Config:
    """See docs/models/fields.md; those that begin with `search` are of the search alone."""

    embedding: int = 32
    deep: bool = True
    hidden: tuple[int, ...] = (200, 80)
    dropout: float = 0.0
    search_epochs: int = 2
    search_batch: int = 256
    search_rate: float = 1e-2
    search_gate_rate: float = 1.0
    search_threshold: float = 1.2
    search_mu: float = 0.8
    ids: bool = True
    contents: bool = True

    def __post_init__(self) -> None:
        require_tower(self.hidden, "relu", self.dropout)
        require_at_least_1(self, "embedding", "search_batch")
        require_at_least_0(self, "search_epochs", "search_threshold", "search_mu")
        for name in ("search_rate", "search_gate_rate"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} is {getattr(self, name):g}, expected a number above 0")


class Gates(nn.Linear):
    """A gate for each pair of fields, all of which start alike, and a bias."""

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how the gates, or the bias, start."""
        return np.zeros(shape) if name == "bias" else rng.uniform(GATE - SPREAD, GATE + SPREAD, size=shape)


class AutoFIS(Model):
    """A factorisation machine, or DeepFM, with a gate for each pair of fields; `prepare` finds which pairs are kept.

    log-odds = b + linear + sum over the kept pairs of gate * normalised <field, field>, + a tower over all fields.
    """

    version = 2
    needs: ClassVar[frozenset[str]] = frozenset({"user", "item", "context", "item_content"})
    Config = Config
    schedule = EARLY_STOP
    kept: torch.Tensor
    pairs: torch.Tensor

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.config = config
        chosen = {"ids": config.ids, "contents": config.contents}
        self.fields = Fields(sizes, config.embedding, **chosen)
        self.linear = Linear(sizes, **chosen)
        self.register_buffer("pairs", torch.triu_indices(self.fields.number, self.fields.number, 1), persistent=False)
        number = self.pairs.shape[1]
        # Without weights of their own: the gates then say how much each pair counts.
        self.normalise = Normalisation(number, affine=False)
        self.output = Gates(number, 1)
        self.register_buffer("kept", torch.ones(number))
        inputs = self.fields.number * config.embedding
        self.tower = NormalisedTower(inputs, config.hidden, config.dropout) if config.deep else None

    def products(self, fields: torch.Tensor) -> torch.Tensor:
        """Return the normalised inner products (rows, pairs) of all pairs of fields (rows, fields, width)."""
        first, second = self.pairs
        return self.normalise((fields @ fields.transpose(1, 2))[:, first, second])

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        fields = self.fields(batch)
        scores = functional.linear(self.products(fields), self.output.weight * self.kept, self.output.bias).squeeze(1)
        scores = scores + self.linear(batch)
        return scores if self.tower is None else scores + self.tower(fields.flatten(1))

    def prepare(self, training: Rows, seed: int) -> None:
        """Search on a copy of the model, started anew from the seed, and keep the pairs whose gate does not end at 0.

        Where all gates end there, the pair that was the furthest from 0 before it was shrunk is kept: without any, this
        would be no factorisation machine. The weights of the model itself stay as they are.
        """
        self.kept.fill_(1)
        if self.config.search_epochs:
            searched = copy.deepcopy(self)
            initialise(searched, seed, ATTEMPT, self.output.bias.item())  # which no attempt at training draws
            unshrunk = searched.search(training, seed).squeeze(0).abs()
            kept = searched.output.weight.detach().squeeze(0) != 0
            self.kept.copy_(kept if kept.any() else unshrunk == unshrunk.max())

    def search(self, training: Rows, seed: int) -> torch.Tensor:
        """Train the gates with GRDA and all else with Adam, both on each batch: nothing is dropped out.

        Returns the gates (1, pairs) before they were last shrunk.

        The paper's strength c = 0.0005 shrinks the gates by about 1.2 in the steps that its Avazu takes; here c is such
        that `search_threshold` is reached with the last step, however many there are.
        """
        config, gates = self.config, cast(nn.Parameter, self.output.weight)
        steps = config.search_epochs * math.ceil(len(training) / config.search_batch)
        strength = strength_of(config.search_threshold, steps, config.search_gate_rate, config.search_mu)
        others = [parameter for parameter in self.parameters() if parameter is not gates]
        optimisers = (
            torch.optim.Adam(others, lr=config.search_rate, foreach=True),
            GRDA([gates], lr=config.search_gate_rate, c=strength, mu=config.search_mu),
        )
        self.train()
        for layer in self.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        for epoch in range(config.search_epochs):
            drawn = np.random.default_rng([seed, epoch, SEED_OF_SEARCH]).permutation(len(training))
            for batch, clicks in training.batches(config.search_batch, torch.from_numpy(drawn).to(gates.device)):
                loss = functional.binary_cross_entropy_with_logits(self(batch), clicks)
                for optimiser in optimisers:
                    optimiser.zero_grad()
                loss.backward()
                for optimiser in optimisers:
                    optimiser.step()
        return optimisers[1].state[gates]["sum"]
