"""Score pairs, and find the items that score highest, in chunks: memory does not grow with users times items."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from mma4ctr.models.contract import Model
from mma4ctr.use.shown import Shown

ROWS = 8_192  # pairs passed forward at a time
USERS = 64  # users whose items are ranked at a time, at most
SCORES = 2**22  # log-odds that are kept at a time while items are ranked: 16 MB
Seen = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # users -> places among them, and items, to be left out


@torch.inference_mode()
def log_odds_of_pairs(
    model: Model, shown: Shown, users: np.ndarray, items: np.ndarray, done: Callable[[int], object] = lambda rows: None
) -> np.ndarray:
    """Return the log-odds (n,) float32 of pairs of users (n,) and items (n,); `done` is told of rows that are."""
    found = np.empty(len(users), dtype=np.float32)
    with held_tables(model, shown):
        for start in range(0, len(users), ROWS):
            part = slice(start, start + ROWS)
            pair = (torch.from_numpy(index[part].astype(np.int64)).to(shown.device) for index in (users, items))
            found[part] = model(shown.pairs(*pair)).cpu().numpy()
            done(len(found[part]))
    return found


@contextlib.contextmanager
def held_tables(model: Model, shown: Shown) -> Iterator[None]:
    """Let a model hold its shared tables, and what it makes of items alone, computed once, while pairs are scored."""
    model.eval()
    holders = [part for part in model.modules() if hasattr(part, "hold")]
    try:
        model.held = model.tables(shown.item_content) if model.refreshes else None
        for part in holders:
            part.hold(shown.item_content)  # type: ignore[operator]
        yield
    finally:
        model.held = None
        for part in holders:
            part.hold(None)  # type: ignore[operator]


def met_by(rows: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which items users (n,) met in rows (m, 3), which are sorted by user: places among the users, and items."""
    begins, ends = (np.searchsorted(rows[:, 0], users, side=side) for side in ("left", "right"))  # type: ignore[call-overload]
    lengths = ends - begins
    places = np.repeat(np.arange(len(users)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return places, rows[np.repeat(begins, lengths) + within, 1]


def highest(scores: torch.Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest scores of each row and where they are, highest first, equal ones in the order of places.

    Parameters
    ----------
    scores : (n, m) float32 tensor
        -inf for what is left out.
    number : int

    Returns
    -------
    places : (n, number) int64 array
        -1 where fewer are left.
    values : (n, number) float32 array
    """
    number = min(number, scores.shape[1])
    least = scores.topk(number, dim=1).values[:, -1:]
    found = ((scores >= least) & (scores > -torch.inf)).nonzero().cpu().numpy()
    values = scores.cpu().numpy()[found[:, 0], found[:, 1]]
    order = np.lexsort((found[:, 1], -values, found[:, 0]))
    found, values = found[order], values[order]
    rank = np.arange(len(found)) - np.searchsorted(found[:, 0], found[:, 0])
    kept = rank < number
    places = np.full((len(scores), number), -1, dtype=np.int64)
    best = np.full((len(scores), number), -np.inf, dtype=np.float32)
    places[found[kept, 0], rank[kept]], best[found[kept, 0], rank[kept]] = found[kept, 1], values[kept]
    return places, best


@torch.inference_mode()
def top_items(
    model: Model, shown: Shown, users: np.ndarray, items: np.ndarray, number: int, seen: Seen | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the items that score highest for each user, some users at a time.

    Parameters
    ----------
    model : Model
    shown : Shown
    users : (n,) int array
    items : (m,) int array
        The candidates, each once.
    number : int
        How many.
    seen : callable, optional
        What to leave out of the candidates.

    Yields
    ------
    users : (k,) int array
    best : (k, number) int64 array
        Items, -1 where there are fewer.
    log_odds : (k, number) float32 array
    """
    place = np.full(shown.items, -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    candidates = torch.from_numpy(items.astype(np.int64)).to(shown.device)
    at_once = max(1, min(SCORES // max(len(items), 1), USERS, len(users)))
    block = max(1, ROWS // at_once)
    with held_tables(model, shown):
        for start in range(0, len(users), at_once):
            some = users[start : start + at_once]
            own = shown.of_users(torch.from_numpy(some.astype(np.int64)).to(shown.device))
            scores = torch.empty(len(some), len(items), device=shown.device)
            for part in range(0, len(items), block):
                shown_items = candidates[part : part + block]
                others = shown.of_items(shown_items)
                shape = len(some), len(shown_items)
                found = model.score_all(own, others)
                found = model(shown.grid(own, others, shape)).view(shape) if found is None else found
                scores[:, part : part + block] = found
            if seen is not None:
                rows, met = seen(some)
                rows, met = rows[place[met] >= 0], place[met][place[met] >= 0]
                scores[torch.from_numpy(rows).to(shown.device), torch.from_numpy(met).to(shown.device)] = -torch.inf
            places, best = highest(scores, number)
            yield some, np.where(places >= 0, items[places], -1), best
