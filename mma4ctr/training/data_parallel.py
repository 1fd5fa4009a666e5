"""One model trained by several processes, on GPUs or hosts: ``torchrun --nproc-per-node N mlp.py ...``.

Every batch is the one that a single process would draw, its rows dealt out among the processes. The softmax runs over
the whole batch, so that its sum, and then the gradients, are added up over all processes; each takes the same step.
Every process holds all tables and rows of the training part. The first one alone writes files.

More processes pay when the passes over a process's share of a batch take longer than two sums over all processes:
benchmarks/RESULTS.md has both.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import torch
import torch.distributed

# Before there is a group of processes: the functions in it keep the one that there is as a default, for good, and
# importing Adam imports it. A group that is kept does not end: its threads then drop tensors while Python ends, which
# aborts the process ("terminate called without an active exception").
import torch.distributed.nn
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Model
from mma4ctr.schedule import OBSERVED, Schedule
from mma4ctr.training.batches import EVALUATION_ROWS, Batches
from mma4ctr.training.engine import Engine, T, log_odds_of, order_of_rows

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


# What torchrun sets, and the numbers that it may be.
VARIABLES = {
    "WORLD_SIZE": range(1, 2**31), "RANK": range(2**31), "LOCAL_RANK": range(2**31), "MASTER_PORT": range(1, 2**16),
}  # fmt: skip
LAUNCHER = "start torchrun --nproc-per-node N mlp.py ..., or unset it to train in one process"


def number_in(name: str) -> int:
    """Return the number in an environment variable that torchrun sets; raise `UserError` if there is none."""
    text = os.environ.get(name)
    if text is None:
        raise UserError(f"WORLD_SIZE is set but {name} is not; torchrun sets both: {LAUNCHER}")
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) in VARIABLES[name]):
        first, last = VARIABLES[name].start, VARIABLES[name].stop - 1
        raise UserError(f"{name} is {text!r:.80}, expected a number from {first} to {last}, as torchrun sets it: "
                        f"{LAUNCHER}")  # fmt: skip
    return int(text)


def is_launched() -> bool:
    """Tell whether torchrun started this process as one of several.

    Raises
    ------
    UserError
        If only some of what torchrun sets is set, or to something else than it sets.
    """
    if "WORLD_SIZE" not in os.environ or number_in("WORLD_SIZE") == 1:
        return False
    found = {name: number_in(name) for name in VARIABLES}
    if found["RANK"] >= found["WORLD_SIZE"] or not os.environ.get("MASTER_ADDR"):
        raise UserError(f"WORLD_SIZE is {found['WORLD_SIZE']}, expected a RANK below it (found {found['RANK']}) and a "
                        f"MASTER_ADDR, as torchrun sets them: {LAUNCHER}")  # fmt: skip
    return True


def device_number() -> int:
    """Return which of its host's GPUs this process has."""
    return number_in("LOCAL_RANK") if is_launched() else 0


def summed(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of `tensor` over all processes, which takes its place."""
    torch.distributed.all_reduce(tensor)
    return tensor


def batch_softmax_backward(log_odds: torch.Tensor, clicks: torch.Tensor, rows: int) -> torch.Tensor:
    """Leave this share's part of the gradient of `losses.batch_softmax_loss` over the whole batch.

    With scores s = sigmoid(log-odds), clicks c and Z = sum exp(s), the loss is (sum c) log Z - sum c s, and its
    gradient by s is (sum c) exp(s) / Z - c, where the three sums run over the rows of all processes.

    Parameters
    ----------
    log_odds, clicks : (share of the batch,) float tensors
    rows : int
        The rows of the whole batch.

    Returns
    -------
    scalar tensor
        The loss of the whole batch, the same in every process.
    """
    scores = torch.sigmoid(log_odds)
    with torch.no_grad():
        powers = scores.exp()  # scores lie between 0 and 1: nothing overflows
        normaliser, clicked, clicked_scores = summed(torch.stack([powers.sum(), clicks.sum(), (clicks * scores).sum()]))
    scores.backward(clicked * powers / normaliser - clicks)
    return clicked * normaliser.log() - clicked_scores


def bce_backward(log_odds: torch.Tensor, clicks: torch.Tensor, rows: int) -> torch.Tensor:
    """Do the same for the mean cross entropy over the whole batch."""
    share = functional.binary_cross_entropy_with_logits(log_odds, clicks, reduction="sum") / rows
    share.backward()
    return summed(share.detach())


BACKWARD: dict[str, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "batch_softmax": batch_softmax_backward, "bce": bce_backward,
}  # fmt: skip


def add_penalty(model: Model, first: bool) -> float:
    """Leave the gradient of the model's penalty once among all processes, and return the penalty."""
    penalty = model.penalty()
    if penalty is None:
        return 0.0
    if first:
        penalty.backward()
    return float(penalty.detach())


def sum_gradients(model: torch.nn.Module) -> None:
    """Add up the gradients over all processes, in one message; what has a gradient in none of them keeps none."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    has = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=trained[0].device)
    own = [torch.zeros_like(one) if one.grad is None else one.grad for one in trained]
    flat = summed(torch.cat([has, *(gradient.reshape(-1) for gradient in own)]))
    counts, *wholes = flat.split([len(trained), *(parameter.numel() for parameter in trained)])
    for parameter, count, whole in zip(trained, counts, wholes, strict=True):
        # The count is looked at, which waits for the device, only where this process has no gradient of its own.
        if parameter.grad is not None or count > 0:
            parameter.grad = whole.view_as(parameter)


def share_of(order: torch.Tensor, size: int, rank: int, processes: int) -> Iterator[tuple[torch.Tensor, int]]:
    """Deal the rows of each batch out among the processes, like cards.

    Parameters
    ----------
    order : (rows,) int64 tensor
    size : int
        Rows of a batch, at least one for each process.

    Yields
    ------
    places : (n,) int64 tensor
        This process's rows of the whole batches, all of one length, and then of the last, shorter one; n may be 0.
    share : int
        How many of them belong to one batch.
    """
    whole = len(order) // size * size
    if whole:
        dealt = order[:whole].view(-1, size)[:, rank::processes]
        yield dealt.reshape(-1), dealt.shape[1]
    if whole < len(order):
        rest = order[whole:][rank::processes]
        yield rest, max(1, len(rest))


class DataParallel(Engine):
    """Shares the rows of every batch among the processes that torchrun started.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        if device.type == "cuda":
            torch.cuda.set_device(device)
        try:
            torch.distributed.init_process_group(BACKENDS[device.type])
        except (RuntimeError, ValueError) as error:  # what it raises for an address that nothing answers at
            where = f"{os.environ['MASTER_ADDR']:.80}:{os.environ['MASTER_PORT']}"
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"the processes of torchrun do not find one another at {where} ({reason:.80}); check the address and "
                "that its port is free and open, and start torchrun again"
            ) from None
        self.device = device
        self.rank, self.processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self.is_first = self.rank == 0

    def agreed(self, value: T) -> T:
        """Return the value that the first process has."""
        box = [value]
        torch.distributed.broadcast_object_list(box, device=self.device)
        return box[0]

    def close(self) -> None:
        """Leave the group of processes, and wait for the end of its threads."""
        torch.distributed.destroy_process_group()

    def optimiser(self, model: Model, schedule: Schedule) -> torch.optim.Optimizer:
        """Return a new optimiser for `model`.

        Raises
        ------
        UserError
            If the model normalises over the rows of a batch, of which a process has a share only; if negatives are
            drawn.
        """
        if schedule.negatives != OBSERVED:
            raise UserError(f"--negatives {schedule.negatives}: drawn by a single process only; start mlp.py without "
                            "torchrun, or give --negatives observed")  # fmt: skip
        if any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in model.modules()):
            raise UserError(
                f"{type(model).__name__}: normalises over the rows of a batch, which several processes share; start "
                "mlp.py without torchrun, or give the model another activation or no batch normalisation"
            )
        return super().optimiser(model, schedule)

    def train_epoch(
        self, model: Model, optimiser: torch.optim.Optimizer, batches: Batches, schedule: Schedule, epoch: int,
        attempt: int,
    ) -> float:  # fmt: skip
        """Train for one epoch together with the other processes and return the mean loss of its batches."""
        model.train()
        size = schedule.batch_size
        if size < self.processes:
            raise UserError(f"--batch_size {size}: smaller than the {self.processes} processes that share a batch; "
                            "start fewer of them")  # fmt: skip
        order = order_of_rows(len(batches), schedule, epoch, attempt).to(self.device)
        rows = (len(batch) for batch in order.split(size))
        shares = itertools.chain.from_iterable(
            batches.batches(share, places) for places, share in share_of(order, size, self.rank, self.processes)
        )
        losses = []
        for (batch, clicks), number in zip(shares, rows, strict=True):
            optimiser.zero_grad()
            loss = BACKWARD[schedule.loss](model(batch), clicks, number)
            losses.append(loss + add_penalty(model, self.is_first))
            sum_gradients(model)
            optimiser.step()
        return float(torch.stack(losses).mean())

    def log_odds(self, model: Model, batches: Batches) -> torch.Tensor:
        """Return the log-odds (rows,) float32 of all rows of a part; every process scores its share."""
        places = torch.arange(len(batches), device=self.device).chunk(self.processes)
        lengths = [len(share) for share in places] + [0] * (self.processes - len(places))
        found = batches.clicks.new_zeros(max(lengths))
        if self.rank < len(places):
            mine = log_odds_of(model, batches.batches(EVALUATION_ROWS, places[self.rank]))
            found[: len(mine)] = mine
        gathered = [torch.empty_like(found) for _ in lengths]
        torch.distributed.all_gather(gathered, found)
        return torch.cat([part[:length] for part, length in zip(gathered, lengths, strict=True)])
