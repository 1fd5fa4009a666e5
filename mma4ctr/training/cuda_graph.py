"""Training on one GPU without waiting for the host: the step of a batch is captured once and replayed.

A step of this small model is a few dozen kernels of microseconds each, which take longer to launch one by one than to
run. Captured, they are launched together; the place in the order of rows lies on the GPU and moves by itself, so that
the host has nothing to do between two batches. The order of an epoch is drawn on the host, by a thread that works
while the GPU trains the epoch before, so that it is the same on every device.
"""

from __future__ import annotations

import concurrent.futures

import torch

from mma4ctr.models.contract import Model
from mma4ctr.models.losses import LOSSES
from mma4ctr.schedule import OBSERVED, Schedule
from mma4ctr.training.adam import Adam
from mma4ctr.training.batches import Batches
from mma4ctr.training.engine import Engine, order_of_rows, trained, whole_loss

WARM_UP = 3  # batches that are trained as usual before the capture, which libraries need to set themselves up


class Orders:
    """The orders of rows of a run, each drawn while the epoch before it is trained."""

    def __init__(self) -> None:
        self.thread = concurrent.futures.ThreadPoolExecutor(1)
        self.drawn: dict[tuple, concurrent.futures.Future[torch.Tensor]] = {}

    def of(self, rows: int, schedule: Schedule, epoch: int, attempt: int) -> torch.Tensor:
        """Return `order_of_rows` of these arguments, and begin to draw that of the next epoch."""
        waiting = self.drawn.pop((rows, schedule, epoch, attempt), None)
        self.drawn.clear()
        order = waiting.result() if waiting else order_of_rows(rows, schedule, epoch, attempt)
        if epoch + 1 < schedule.epochs:
            following = (rows, schedule, epoch + 1, 0)
            self.drawn[following] = self.thread.submit(order_of_rows, *following)
        return order


class Step:
    """One batch after another of an epoch: draw it, pass it forward and back, move the weights.

    Parameters
    ----------
    model : Model
    optimiser : torch.optim.Optimizer
    batches : Batches
    schedule : Schedule

    Attributes
    ----------
    order : (rows,) int64 tensor
        The order of the epoch's rows.
    position : scalar int64 tensor
        Where in `order` the next batch begins.
    total : scalar float32 tensor
        The sum of the batches' losses.
    """

    def __init__(self, model: Model, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule) -> None:
        device = batches.clicks.device
        self.model, self.optimiser, self.batches, self.loss = model, optimiser, batches, LOSSES[schedule.loss]
        self.order = torch.zeros(len(batches), dtype=torch.int64, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.offsets = torch.arange(schedule.batch_size, device=device)
        self.total = torch.zeros((), device=device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.captured_with: list = []

    def uses(self) -> list[int]:
        """Return the addresses of the optimiser's tensors, which a captured step knows and an undone epoch moves."""
        rates = [group["lr"] for group in self.optimiser.param_groups]
        moments = [tensor for state in self.optimiser.state.values() for tensor in state.values()]
        return [tensor.data_ptr() for tensor in (*rates, *moments)]

    def begin(self, order: torch.Tensor) -> None:
        """Go back to the first batch, of a new order."""
        self.order.copy_(order)
        self.position.zero_()
        self.total.zero_()

    def train(self, rows: int) -> None:
        """Train on the next `rows` rows."""
        places = self.order.index_select(0, self.position + self.offsets[:rows])
        batch, clicks = self.batches.take(places)
        loss = whole_loss(self.loss, self.model, batch, clicks)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.total.add_(loss.detach())
        self.position.add_(rows)

    def train_aside(self, rows: int) -> None:
        """Train on the next rows in a stream of their own, as PyTorch asks for before a capture."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.train(rows)
        torch.cuda.current_stream().wait_stream(stream)

    def capture(self) -> torch.cuda.CUDAGraph:
        """Record the step of a whole batch, without running it, and return what was recorded."""
        self.optimiser.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.train(len(self.offsets))
        self.captured_with = self.uses()
        return self.graph

    def train_whole_batches(self, number: int) -> None:
        """Train on `number` whole batches, captured where a GPU is."""
        size = len(self.offsets)
        if self.order.device.type != "cuda":
            for _ in range(number):
                self.train(size)
            return
        if self.captured_with != self.uses():
            self.graph = None
        warming = 0 if self.graph else min(WARM_UP, number)
        for _ in range(warming):
            self.train_aside(size)
        for _ in range(number - warming):
            (self.graph or self.capture()).replay()


class CudaGraph(Engine):
    """Goes through the rows on one GPU, the step of a whole batch replayed from a captured graph."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.step: Step | None = None

    def close(self) -> None:
        """Stop the thread that draws orders."""
        self.orders.thread.shutdown(cancel_futures=True)

    def optimiser(self, model: Model, schedule: Schedule) -> torch.optim.Optimizer:
        """Return a new optimiser, whose learning rate lies on the device, where a captured step reads it."""
        device = next(model.parameters()).device
        rate = torch.tensor(schedule.learning_rate, device=device)
        return Adam(
            trained(model), lr=rate, weight_decay=schedule.weight_decay, fused=True,
            capturable=device.type == "cuda",
        )  # fmt: skip

    def set_rate(self, optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
        """Give the optimiser another learning rate, in the same place."""
        for group in optimiser.param_groups:
            group["lr"].fill_(learning_rate)

    def step_of(self, model: Model, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule) -> Step:
        """Return the step of the epoch before if it is one of the same run and attempt, a new one otherwise."""
        step = self.step
        if step is None or step.optimiser is not optimiser or step.batches is not batches:
            step = self.step = Step(model, optimiser, batches, schedule)
        return step

    def train_epoch(
        self, model: Model, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule, epoch: int,
        attempt: int,
    ) -> float:  # fmt: skip
        """Train for one epoch and return the mean loss of its batches; where negatives are drawn, without a graph."""
        if schedule.negatives != OBSERVED:
            return super().train_epoch(model, optimiser, batches, schedule, epoch, attempt)
        model.train()
        step = self.step_of(model, optimiser, batches, schedule)
        step.begin(self.orders.of(len(batches), schedule, epoch, attempt))
        whole, rest = divmod(len(batches), schedule.batch_size)
        step.train_whole_batches(whole)
        if rest:
            step.train(rest)
        return float(step.total) / (whole + (rest > 0))
