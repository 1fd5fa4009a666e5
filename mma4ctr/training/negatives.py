"""Which rows without a click a model is trained on: those of the log, or items drawn for each click.

`observed` takes the rows as they are. The others take the clicks alone, and draw items for each:

random    evenly among the other items of the training rows; the loss is that of rows without a click
hard      of a random pool those that the model scores highest; the same loss
in_batch  among the clicks of the same batch, so that popular items come often: a softmax over the click and what was
          drawn, each corrected by how likely it was drawn (Yi et al., RecSys 2019)
mixed     a share alpha of them from the batch, the rest evenly among all items; the same softmax (Yang et al., 2020)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import torch

from mma4ctr.cli import UserError
from mma4ctr.models.contract import Batch, Model
from mma4ctr.models.losses import LOSSES, Loss
from mma4ctr.schedule import OBSERVED, Schedule
from mma4ctr.training.batches import Batches

SEED_OF_DRAWS = 3  # tells these draws apart from the order of an epoch's rows
HASHES, CELLS = 3, 2**20  # of the streaming estimate: how many, and how many numbers each has
FORGETTING = 0.01  # the least weight that a gap has in the running mean


class Frequencies:
    """How often items occur in a stream, estimated as it goes by (Yi et al., RecSys 2019, Algorithm 2).

    For each item it is kept when it was last seen and the running mean of the gaps between. Items share the cells of a
    hash table; of several tables the longest gap counts, since a shared cell can only look more frequent. A step is a
    row here, not a batch, so that an item which occurs several times in a batch is estimated without bias, too.

    The running mean is the plain one at first, from one gap as if all items were equally frequent.

    Parameters
    ----------
    items : int
        How many items there are.
    """

    def __init__(self, items: int) -> None:
        cells = min(CELLS, 4 * items)
        drawn = np.random.default_rng(0).integers(1, 2**31, size=(HASHES, 2)) | 1
        numbers = np.arange(items, dtype=np.uint64)
        mixed = (drawn[:, :1].astype(np.uint64) * numbers + drawn[:, 1:].astype(np.uint64)) * np.uint64(2654435761)
        self.cells = ((mixed >> np.uint64(7)) % np.uint64(cells)).astype(np.int64)
        self.seen = np.zeros((HASHES, cells))
        self.gap = np.full((HASHES, cells), float(items))
        self.gaps = np.ones((HASHES, cells))  # that are in the mean
        self.step = 0

    def see(self, items: np.ndarray) -> None:
        """Let some rows' items (n,) go by."""
        last = self.step + len(items)
        for cells, seen, gap, gaps in zip(self.cells, self.seen, self.gap, self.gaps, strict=True):
            found, times = np.unique(cells[items], return_counts=True)
            gaps[found] += times
            weight = np.maximum(times / gaps[found], 1 - (1 - FORGETTING) ** times)
            gap[found] += weight * ((last - seen[found]) / times - gap[found])
            seen[found] = last
        self.step = last

    def log_shares(self, items: np.ndarray) -> np.ndarray:
        """Return the logarithm of the share of rows (...,) float64 that items (...,) have."""
        gaps = np.stack([gap[cells[items]] for cells, gap in zip(self.cells, self.gap, strict=True)])
        return -np.log(np.maximum(gaps.max(axis=0), 1.0))


def corrected_softmax(scores: torch.Tensor, log_shares: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of clicks against items drawn for them, as if all items had been scored.

    The sum over all other items of exp(score) is estimated without bias by the mean over the drawn ones of
    exp(score) / share, where the share is the probability with which each was drawn.

    Parameters
    ----------
    scores : (1 + k, n) float tensor
        Of each click, and of what was drawn for it.
    log_shares : (k, n) float tensor
    valid : (k, n) bool tensor
        False where the click itself was drawn.
    """
    drawn = scores[1:] - log_shares - float(np.log(len(log_shares)))
    drawn = drawn.masked_fill(~valid, -torch.inf)
    return (torch.cat([scores[:1], drawn]).logsumexp(0) - scores[0]).mean()


def others(rng: np.random.Generator, own: np.ndarray, number: int, items: int) -> np.ndarray:
    """Draw places (number, n) int64 among so many `items` for each row, evenly among all but its `own` (n,)."""
    drawn = rng.integers(0, items - 1, size=(number, len(own)))
    return drawn + (drawn >= own)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What was drawn for the clicks of a batch.

    Attributes
    ----------
    items : (k, n) int64 array
        Places in the list of training items.
    log_shares : (k, n) float64 array or None
        How likely each was drawn, where the loss corrects for it.
    """

    items: np.ndarray
    log_shares: np.ndarray | None = None


class Sampled:
    """The clicks of the training rows, with items drawn for each.

    Parameters
    ----------
    batches : Batches
        The training rows.
    schedule : Schedule
    model : Model
        Which scores the pool that the hardest items are taken from.
    epoch, attempt : int
    """

    def __init__(self, batches: Batches, schedule: Schedule, model: Model, epoch: int, attempt: int) -> None:
        if "counts" in batches.needs:
            raise UserError(f"--negatives {schedule.negatives}: {type(model).__name__} needs the counts of a row, "
                            "which drawn items do not have; give --negatives observed")  # fmt: skip
        self.whole, self.schedule, self.model = batches, schedule, model
        self.clicked = np.flatnonzero(batches.rows[:, 2] == 1)
        self.items, places = np.unique(batches.rows[:, 1], return_inverse=True)
        if len(self.items) < 2:
            raise UserError(f"--negatives {schedule.negatives}: the training rows have {len(self.items)} items, "
                            "expected two or more to draw from; give --negatives observed")  # fmt: skip
        self.own = places[self.clicked]  # of each click, the place of its item in `items`
        self.rng = np.random.default_rng([schedule.seed, epoch, attempt, SEED_OF_DRAWS])
        self.frequencies = Frequencies(len(self.items))

    def __len__(self) -> int:
        return len(self.clicked)

    def _random(self, own: np.ndarray) -> np.ndarray:
        return others(self.rng, own, self.schedule.negatives_each, len(self.items))

    def random(self, rows: torch.Tensor, own: np.ndarray) -> Drawn:
        """Draw evenly."""
        return Drawn(self._random(own))

    @torch.no_grad()
    def hard(self, rows: torch.Tensor, own: np.ndarray) -> Drawn:
        """Draw a pool evenly, and take what the model scores highest."""
        pool = others(self.rng, own, self.schedule.pool, len(self.items))
        self.model.eval()
        scores = self.model(self.whole.with_items(rows, self._indices(pool))).view(pool.shape)
        self.model.train()
        best = scores.topk(self.schedule.negatives_each, dim=0).indices.cpu().numpy()
        return Drawn(np.take_along_axis(pool, best, axis=0))

    def in_batch(self, rows: torch.Tensor, own: np.ndarray, alpha: float = 1.0) -> Drawn:
        """Draw a share `alpha` among the clicks of the batch, the rest evenly among all items."""
        number = self.schedule.negatives_each
        of_batch = round(alpha * number)
        drawn = np.concatenate([own[self.rng.integers(0, len(own), size=(of_batch, len(own)))],
                                self.rng.integers(0, len(self.items), size=(number - of_batch, len(own)))])  # fmt: skip
        share = of_batch / number
        shares = share * np.exp(self.frequencies.log_shares(drawn)) + (1 - share) / len(self.items)
        return Drawn(drawn, np.log(shares))

    def mixed(self, rows: torch.Tensor, own: np.ndarray) -> Drawn:
        """Draw as the schedule's alpha says."""
        return self.in_batch(rows, own, self.schedule.alpha)

    def _indices(self, places: np.ndarray) -> torch.Tensor:
        """Return item indices on the device."""
        return torch.from_numpy(self.items[places].astype(np.int64)).to(self.whole.clicks.device)

    def batches(self, size: int, order: torch.Tensor) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Yield `size` clicks at a time, in this order (clicks,), with what is drawn for them, and their labels."""
        places = order.cpu().numpy()
        draw: Callable[[torch.Tensor, np.ndarray], Drawn] = getattr(self, self.schedule.negatives)
        cut = [places[start : start + size] for start in range(0, len(places), size)]
        for part in cut:  # so that the first batches are corrected as the last ones are
            self.frequencies.see(self.own[part])
        for part in cut:
            own = self.own[part]
            rows = torch.from_numpy(self.clicked[part]).to(self.whole.clicks.device)
            self.frequencies.see(own)
            drawn = draw(rows, own)
            batch = self.whole.with_items(rows, self._indices(np.vstack([own, drawn.items])))
            clicks = torch.zeros(len(drawn.items) + 1, len(own), device=rows.device)
            clicks[0] = 1
            self.loss = self._loss_of(drawn, own)
            yield batch, clicks.reshape(-1)

    def _loss_of(self, drawn: Drawn, own: np.ndarray) -> Loss:
        """Return the loss of a batch: that of the schedule, or the softmax over what was drawn."""
        if drawn.log_shares is None:
            return LOSSES[self.schedule.loss]
        device = self.whole.clicks.device
        shares = torch.from_numpy(drawn.log_shares.astype(np.float32)).to(device)
        valid = torch.from_numpy(drawn.items != own).to(device)
        return lambda log_odds, clicks: corrected_softmax(log_odds.view(-1, len(own)), shares, valid)


class Observed:
    """The training rows as they are."""

    def __init__(self, batches: Batches, schedule: Schedule) -> None:
        self.batches, self.rows, self.loss = batches.batches, len(batches), LOSSES[schedule.loss]

    def __len__(self) -> int:
        return self.rows


def training_rows(batches: Batches, schedule: Schedule, model: Model, epoch: int, attempt: int) -> Observed | Sampled:
    """Return the rows that a model is trained on in an epoch."""
    if schedule.negatives == OBSERVED:
        return Observed(batches, schedule)
    return Sampled(batches, schedule, model, epoch, attempt)


def click_rate(batches: Batches, schedule: Schedule) -> float:
    """Return the share of clicks among the rows that a model is trained on."""
    return float(batches.clicks.mean()) if schedule.negatives == OBSERVED else 1 / (1 + schedule.negatives_each)
