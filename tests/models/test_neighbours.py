"""What neighbours say against a loop in float64, row by row; a slot's know nothing of the slots from it on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mma4ctr.models.contract import Batch, Graph, Sizes
from mma4ctr.models.parts import neighbours
from mma4ctr.models.parts.modalities import Modalities
from mma4ctr.models.parts.neighbours import Neighbours

USERS, ITEMS, SLOTS, RANK, COLUMNS = 30, 8, 3, 7, 5
SIZES = Sizes(users=USERS, items=ITEMS, slots=SLOTS, item_columns=COLUMNS, modalities=(("visual", 3), ("textual", 2)))


def shown(seed: int, number: int = 200) -> Graph:
    """Return clicks and rows without one, some users meeting an item twice, each in a slot."""
    rng = np.random.default_rng(seed)
    clicked = rng.random(number) < 0.4
    columns = [rng.integers(0, high, number) for high in (USERS, ITEMS, SLOTS)]
    parts = [Graph(*(torch.from_numpy(column[chosen]) for column in columns)) for chosen in (clicked, ~clicked)]
    return parts[0]._replace(unclicked=parts[1])


def batch_of(seed: int, rows: int = 40) -> Batch:
    rng = np.random.default_rng(seed + 100)
    draw = lambda high, *shape: torch.from_numpy(rng.integers(0, high, shape))  # noqa: E731
    content = rng.random((ITEMS + 1, COLUMNS)).astype(np.float32)
    content[[2, ITEMS]] = 0  # an item without content, and no item
    counts = np.sort(rng.integers(0, 9, (rows, 4)))[:, ::-1].astype(np.float32)
    return Batch(item=draw(ITEMS, rows), slot=draw(SLOTS + 1, rows), history=draw(ITEMS + 1, rows, 5),
                 unclicked=draw(ITEMS + 1, rows, 5), counts=torch.from_numpy(counts.copy()),
                 item_content=torch.from_numpy(content))  # fmt: skip


def fitted(seed: int, graph: Graph | None = None, **options: bool) -> Neighbours:
    found = Neighbours(graph or shown(seed), SIZES, RANK, Modalities(SIZES), **options)
    found.fit(batch_of(seed).item_content, torch.tensor(0.4))
    return found


def drawn_rate(clicks: float, rows: float, base: float) -> float:
    return (clicks + 5 * base) / (rows + 5)


def residual(label: float, expected: float) -> float:
    return label - min(max(expected, 0.02), 0.98)


def known_rows(graph: Graph, before: int) -> list[tuple[int, int, int]]:
    """Return (user, item, label) of each row of the slots before one."""
    return [
        (int(user), int(item), label)
        for part, label in ((graph, 1), (graph.unclicked, 0))
        for user, item, slot in zip(part.users, part.items, part.slots, strict=True)
        if int(slot) < before
    ]


def rate_of(rows: list, place: int, which: int, base: float) -> float:
    labels = [row[2] for row in rows if row[place] == which]
    return drawn_rate(sum(labels), len(labels), base)


def alike_of(rows: list, base: float) -> np.ndarray:
    """Return how alike each two items are (items, items), of the residuals' largest singular values."""
    matrix, squares = np.zeros((USERS, ITEMS)), np.zeros(ITEMS)
    for user, item, label in rows:
        found = residual(label, rate_of(rows, 0, user, base) + rate_of(rows, 1, item, base) - base)
        matrix[user, item] += found
        squares[item] += found**2
    left, values, right = np.linalg.svd(matrix / (np.sqrt(squares) + 1), full_matrices=False)
    values[RANK:] = 0
    kept = (left * values) @ right
    return kept.T @ kept


def expected_of(graph: Graph, batch: Batch, row: int) -> list[float]:
    """Return what is said of one row, item by item."""
    own, rows = int(batch.item[row]), known_rows(graph, int(batch.slot[row]))
    base = float(np.mean([label for *_, label in rows])) if rows else 0.4
    alike = alike_of(rows, base) if rows else np.zeros((ITEMS, ITEMS))
    content = batch.item_content.double().numpy()
    has = content.any(1)
    centred = (content - content[has].mean(0)) * has[:, None]
    user = drawn_rate(float(batch.counts[row, 1]), float(batch.counts[row, 0]), base)
    said, weights, by_content = [0.0, 0.0], 0.0, np.zeros(2)
    for side, (label, history) in enumerate(((1.0, batch.history[row]), (0.0, batch.unclicked[row]))):
        for met in history.tolist():
            if met in (own, ITEMS):
                continue
            found = residual(label, user + (rate_of(rows, 1, met, base) if rows else base) - base)
            weight = alike[met, own] * abs(alike[met, own])
            said[side] += weight * found
            weights += abs(weight)
            product = found * centred[met] * centred[own]
            by_content += [product[:3].sum(), product[3:].sum()]
    return [*said, sum(said), sum(said) / (weights + 1e-4), *by_content]


@pytest.mark.parametrize("seed", range(3))
def test_what_neighbours_say_row_by_row(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS_AT_ONCE", 16)  # several parts, the last one short
    batch = batch_of(seed)
    found = fitted(seed)(batch)
    assert found.shape == (40, fitted(seed).number) == (40, 6)
    expected = [expected_of(shown(seed), batch, row) for row in range(len(found))]
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5, rtol=2e-3)
    assert (found[batch.slot > 0].abs().amax(0) > 1e-3).all()


@pytest.mark.parametrize("slot", range(1, SLOTS))
def test_a_slot_knows_nothing_of_the_slots_from_it_on(slot: int) -> None:
    graph, batch = shown(5), batch_of(5)
    earlier = [Graph(*(column[part.slots < slot] for column in part[:3])) for part in (graph, graph.unclicked)]
    one, other = (fitted(5, each)(batch) for each in (graph, earlier[0]._replace(unclicked=earlier[1])))
    rows = batch.slot <= slot
    assert one[rows].numpy().tobytes() == other[rows].numpy().tobytes()
    assert (one[~rows] != other[~rows]).any()


def test_whole_tables_are_those_of_all_rows_in_every_slot() -> None:
    batch, last = batch_of(1), torch.full((40,), SLOTS)
    whole = fitted(1, causal=False)
    whole.bases[0] = fitted(1).bases[-1]
    torch.testing.assert_close(whole(batch), fitted(1)(batch._replace(slot=last)))


def test_without_modalities_content_says_nothing_and_a_new_item_has_but_content() -> None:
    graph, batch = shown(2), batch_of(2)
    alone = Neighbours(graph, SIZES, RANK, None)
    torch.testing.assert_close(alone(batch)[batch.slot > 0], fitted(2)(batch)[batch.slot > 0][:, :4])
    model = fitted(2)
    model.admit(2)
    content = torch.cat([batch.item_content, torch.ones(2, COLUMNS)])
    found = model(batch._replace(item=torch.full_like(batch.item, ITEMS + 2), item_content=content))
    assert not found[:, :4].any() and found[:, 4:].abs().max() > 0.01
    torch.testing.assert_close(model(batch._replace(item_content=content)), fitted(2)(batch))


def test_nothing_is_known_of_no_rows() -> None:
    none = Graph(*(torch.zeros(0, dtype=torch.int64) for _ in range(3)))
    found = fitted(0, none._replace(unclicked=none))(batch_of(0))
    assert not found[:, :4].any() and torch.isfinite(found).all()
