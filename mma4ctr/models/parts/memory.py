"""A memory that a history is written into: the user interest centre of MIMN (Pi et al., KDD 2019)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

KEPT = 4.0  # what the weight transfer starts with on its diagonal: with 4 slots, .95 of a weight stays where it was


def gated(given: torch.Tensor, known: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Return the next state (..., width) of a GRU, as PyTorch's `nn.GRUCell` has it.

    Parameters
    ----------
    given, known : (..., 3 width) float tensor
        What the gates get of the input and of the state: reset gate, update gate, candidate state.
    state : (..., width) float tensor
    """
    width = state.shape[-1]
    reset, update = torch.sigmoid(given[..., : 2 * width] + known[..., : 2 * width]).chunk(2, dim=-1)
    fresh = torch.tanh(given[..., 2 * width :] + reset * known[..., 2 * width :])
    return torch.lerp(fresh, state, update)


def addressing(memory: torch.Tensor, keys: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Return how much each head looks at each slot: the softmax of strength times cosine (Graves et al., 2014, Eq. 5).

    Parameters
    ----------
    memory : (rows, slots, width) float tensor
    keys : (rows, heads, width) float tensor
    strengths : (rows, heads, 1) float tensor

    Returns
    -------
    (rows, heads, slots) float tensor
        Sums to 1 over the slots.
    """
    alike = torch.bmm(functional.normalize(keys, dim=2), functional.normalize(memory, dim=2).transpose(1, 2))
    return torch.softmax(strengths * alike, dim=2)


class Start(nn.Module):
    """What the memory holds before the first item, learned: (slots, width), between -1 and 1.

    The slots differ from the start, as they would otherwise be read and written alike for ever.
    """

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.memory = nn.Parameter(torch.zeros(slots, width))

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how it starts."""
        return 0.5 * rng.standard_normal(shape)

    def forward(self, rows: int) -> torch.Tensor:
        """Return the memories (rows, slots, width) of so many rows."""
        return torch.tanh(self.memory).expand(rows, -1, -1)


class Transfer(nn.Linear):
    """Memory utilisation: how a write weight is spread over the slots, given how much each was written before.

    P = softmax of each row of (W g + b) as a square matrix; the weight w becomes w P, which sums to 1 as w does.

    Parameters
    ----------
    slots : int
    """

    def __init__(self, slots: int) -> None:
        super().__init__(slots, slots * slots)

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return how it starts: weights stay where they are but for a little."""
        if name == "bias":
            return (KEPT * np.eye(self.in_features)).reshape(shape)
        return rng.uniform(-(self.in_features**-0.5), self.in_features**-0.5, size=shape)

    def forward(self, weights: torch.Tensor, written: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Return weights (rows, slots) in place of such weights, given the share (rows, slots) written before."""
        spread = torch.softmax(super().forward(written).unflatten(1, (self.in_features, -1)), dim=2)
        return torch.bmm(weights.unsqueeze(1), spread).squeeze(1)


class State(NamedTuple):
    """What is left of the items so far.

    Attributes
    ----------
    memory : (rows, slots, width) float tensor
    controller : (rows, units) float tensor
    read : (rows, width) float tensor
        What was read at the last item.
    written : (rows, slots) float tensor
        The sum of all write weights.
    channels : (rows, slots, units) float tensor
        The states of the memory induction unit, one for each slot.
    """

    memory: torch.Tensor
    controller: torch.Tensor
    read: torch.Tensor
    written: torch.Tensor
    channels: torch.Tensor


class Heads(NamedTuple):
    """What the controller asks of the memory: weights (rows, 2, slots) to read and write; what to erase and add."""

    weights: torch.Tensor
    erase: torch.Tensor
    add: torch.Tensor


class InterestCentre(nn.Module):
    """A neural Turing machine over the items of a history, with a memory induction unit.

    Parameters
    ----------
    width : int
        Of an item and of a slot.
    slots : int
        Of the memory.
    units : int
        The width of the controller's state and of the channels'.
    channels : int
        How many channels of the memory induction unit take each item, 0 for no such unit.
    length : int
        What the sum of write weights is divided by before it is looked at: the longest history.
    is_balanced : bool
        Whether write weights go through the weight transfer of the memory utilisation regularisation.
    """

    def __init__(self, width: int, slots: int, units: int, *, channels: int, length: int, is_balanced: bool) -> None:
        super().__init__()
        self.start = Start(slots, width)
        self.of_item, self.of_read = nn.Linear(width, 3 * units), nn.Linear(width, 3 * units, bias=False)
        self.of_controller = nn.Linear(units, 3 * units)
        self.heads = nn.Linear(units, 4 * width + 2)
        self.transfer = Transfer(slots) if is_balanced else None
        self.channels, self.length, self.units = channels, length, units
        if channels:
            self.channel_of_item = nn.Linear(width, 3 * units)
            self.channel_of_memory = nn.Linear(width, 3 * units, bias=False)
            self.channel_of_state = nn.Linear(units, 3 * units)

    def begin(self, like: torch.Tensor) -> State:
        """Return the state before the first item of so many rows as `like` (rows, ...) has, of its type."""
        memory = self.start(len(like))
        slots, width = memory.shape[1:]
        shapes = ((self.units,), (width,), (slots,), (slots, self.units))
        return State(memory, *(like.new_zeros(len(like), *shape) for shape in shapes))

    def _control(self, given: torch.Tensor, state: State) -> torch.Tensor:
        """Return the controller's next state (rows, units); its gates get `given` (rows, 3 units) of the item."""
        return gated(given + self.of_read(state.read), self.of_controller(state.controller), state.controller)

    def _ask(self, controller: torch.Tensor, memory: torch.Tensor) -> Heads:
        """Return what a state of the controller asks of the memory."""
        width = memory.shape[2]
        keys, strengths, erase, add = self.heads(controller).split((2 * width, 2, width, width), dim=1)
        weights = addressing(
            memory, torch.tanh(keys).unflatten(1, (2, width)), 1 + functional.softplus(strengths).unsqueeze(2)
        )
        return Heads(weights, torch.sigmoid(erase), torch.tanh(add))

    def _induce(self, given: torch.Tensor, reading: torch.Tensor, state: State, here: torch.Tensor) -> torch.Tensor:
        """Return the channels (rows, slots, units): those that are read most take the item and their slot."""
        best = reading.topk(self.channels, dim=1).indices
        chosen = torch.zeros_like(reading, dtype=torch.bool).scatter(1, best, True) & here
        inputs = given.unsqueeze(1) + self.channel_of_memory(state.memory)
        fresh = gated(inputs, self.channel_of_state(state.channels), state.channels)
        return torch.where(chosen.unsqueeze(2), fresh, state.channels)

    def step(self, state: State, given: torch.Tensor, to_channels: torch.Tensor | None, here: torch.Tensor) -> State:
        """Return the state after an item; where there is none, it stays exactly as it was.

        Parameters
        ----------
        state : State
        given, to_channels : (rows, 3 units) float tensor
            What the gates of the controller, and of the channels, get of the item.
        here : (rows, 1) bool tensor
            Where there is an item.
        """
        controller = self._control(given, state)
        asked = self._ask(controller, state.memory)
        reading, writing = asked.weights.unbind(1)
        read = torch.bmm(reading.unsqueeze(1), state.memory).squeeze(1)
        if self.transfer is not None:
            writing = self.transfer(writing, state.written / self.length)
        writing = writing * here
        shares = writing.unsqueeze(2)
        return State(
            memory=state.memory * (1 - shares * asked.erase.unsqueeze(1)) + shares * asked.add.unsqueeze(1),
            controller=torch.where(here, controller, state.controller),
            read=torch.where(here, read, state.read),
            written=state.written + writing,
            channels=state.channels if to_channels is None else self._induce(to_channels, reading, state, here),
        )

    def forward(self, items: torch.Tensor, present: torch.Tensor) -> State:
        """Return the state after items (rows, length, width), padded in front, where `present` (rows, length)."""
        state = self.begin(items)
        given, here = self.of_item(items).unbind(1), present.unsqueeze(2).unbind(1)
        to_channels = self.channel_of_item(items).unbind(1) if self.channels else [None] * len(given)
        for step in zip(given, to_channels, here, strict=True):
            state = self.step(state, *step)
        return state

    def read(self, state: State, candidate: torch.Tensor) -> torch.Tensor:
        """Return what the controller makes of candidates (rows, width), and reads for them: (rows, units + width).

        Nothing is written.
        """
        controller = self._control(self.of_item(candidate), state)
        reading = self._ask(controller, state.memory).weights[:, :1]
        return torch.cat((controller, torch.bmm(reading, state.memory).squeeze(1)), dim=1)


def utilisation_loss(written: torch.Tensor) -> torch.Tensor:
    """Return how unevenly slots were written: the sum of (w_i - mean of w)^2 over the slots, its mean over the rows.

    Parameters
    ----------
    written : (rows, slots) float tensor
        The sums of all write weights.
    """
    return (written - written.mean(1, keepdim=True)).square().sum(1).mean()
