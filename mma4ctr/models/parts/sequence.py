"""The frame of the sequence models: a tower over the candidate beside a summary of the user's history."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch
from torch import nn

from mma4ctr.cli import UserError
from mma4ctr.models.contract import EARLY_STOP, Batch, Graph, Model, Sizes
from mma4ctr.models.parts.items import Items
from mma4ctr.models.parts.tower import Tower, require_tower


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `UserError` unless `value` is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name} is {value!r:.60}, expected one of {', '.join(choices)}")


def require_at_least_1(config: object, *names: str) -> None:
    """Raise `UserError` unless each of these fields of a configuration is 1 or more."""
    for name in names:
        if getattr(config, name) < 1:
            raise UserError(f"{name} is {getattr(config, name)}, expected 1 or more")


def require_at_least_0(config: object, *names: str) -> None:
    """Raise `UserError` unless each of these fields of a configuration is 0 or more."""
    for name in names:
        if getattr(config, name) < 0:
            raise UserError(f"{name} is {getattr(config, name):g}, expected 0 or more")


def require_widths(name: str, widths: tuple[int, ...]) -> None:
    """Raise `UserError` unless there are widths and all of them are 1 or more."""
    if not widths or any(width < 1 for width in widths):
        raise UserError(f"{name} is {widths}, expected widths of 1 or more, such as 80,40")


@dataclasses.dataclass(frozen=True)
class SequenceConfig:
    """What every sequence model can be told; see docs/models/sequences.md."""

    embedding: int = 32
    history_length: int = 20
    hidden: tuple[int, ...] = (200, 80)
    activation: str = "relu"
    dropout: float = 0.0
    normalised: bool = True
    ids: bool = True
    contents: bool = True

    def __post_init__(self) -> None:
        require_tower(self.hidden, self.activation, self.dropout)
        require_at_least_1(self, "embedding", "history_length")


def mean_of_present(values: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Return the mean (rows, width) of values (rows, length, width) where `present` (rows, length); 0 where nowhere."""
    weights = present.to(values.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    return sum_of(values, weights)


def sum_of(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the sum (rows, width) of values (rows, length, width) times weights (rows, length)."""
    return torch.bmm(weights.unsqueeze(1), values).squeeze(1)


def moved_to_front(history: torch.Tensor, absent: int) -> torch.Tensor:
    """Return histories (rows, length) int64 padded behind instead of in front.

    What reads from the front then meets the padding last, so that it changes nothing: exact, and every batch keeps its
    shape, unlike packed sequences.
    """
    length = history.shape[1]
    places = torch.arange(length, device=history.device) + (history == absent).sum(1, keepdim=True)
    return torch.where(places < length, history.gather(1, places.clamp(max=length - 1)), absent)


class SequenceModel(Model):
    """[candidate; summary of the history] -> batch normalisation -> hidden layers -> log-odds.

    An item is the embedding of its id plus its projected content.

    Parameters
    ----------
    config : SequenceConfig
    sizes : Sizes
    graph : Graph or None
    width : int, optional
        Of the summary; that of an item where it is left out.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"item", "item_content", "history"})
    Config = SequenceConfig
    schedule = EARLY_STOP
    padded_behind: ClassVar[bool] = False  # whether `summary` is given its histories padded behind
    sees_candidate: ClassVar[bool] = True  # whether `summary` depends on the candidate

    def __init__(self, config: Any, sizes: Sizes, graph: Graph | None = None, width: int | None = None) -> None:
        super().__init__(config, sizes, graph)
        self.items = Items(sizes, config.embedding, ids=config.ids, contents=config.contents)
        inputs = config.embedding + (config.embedding if width is None else width)
        self.tower = Tower(inputs, config.hidden, config.activation, config.dropout, normalised=config.normalised)
        self.output = nn.Linear(self.tower.width, 1)
        self.auxiliary_loss: torch.Tensor | None = None  # what `summary` leaves of a batch in training

    def summary(
        self, batch: Batch, candidate: torch.Tensor, history: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return what is left of the histories.

        Parameters
        ----------
        batch : Batch
        candidate : (rows, embedding) float32 tensor
        history : (rows, length, embedding) float32 tensor
            Zeros where there is no item.
        present : (rows, length) bool tensor
            Where there is one.

        Returns
        -------
        (rows, width) float32 tensor
        """
        raise NotImplementedError

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Return the last hidden layer (rows, width)."""
        return self.tower(torch.cat(self._candidate_and_summary(batch), dim=1))

    def _candidate_and_summary(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the candidates (items, embedding) and the summaries (histories, width) of a batch."""
        if self.padded_behind:
            batch = batch._replace(history=moved_to_front(batch.history, self.items.absent))  # type: ignore[arg-type]
        candidate, history = self.items(batch, batch.item, batch.history)
        present = self.items.present(batch.history)  # type: ignore[arg-type]
        return candidate, self.summary(batch, candidate, history, present)

    def score_all(self, users: Batch, items: Batch) -> torch.Tensor | None:
        """Return the log-odds (a, b) of a users with b items, where a history says the same to every candidate."""
        if self.sees_candidate:
            return None
        candidate, summary = self._candidate_and_summary(users._replace(item=items.item))
        shape = len(summary), len(candidate)
        rows = torch.cat((candidate.repeat(shape[0], 1), summary.repeat_interleave(shape[1], 0)), dim=1)
        return self.output(self.tower(rows)).view(shape)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the log-odds (rows,) of a click."""
        return self.output(self.hidden(batch)).squeeze(1)

    def penalty(self) -> torch.Tensor | None:
        """Return the auxiliary loss of the last batch, once, so that its graph is not kept; None without one."""
        loss, self.auxiliary_loss = self.auxiliary_loss, None
        return loss
