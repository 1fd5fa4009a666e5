"""Rows with both histories, context and two modalities, as the tests of attention models see them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model, Sizes
from mma4ctr.models.layers import initialise

USERS, ITEMS, LENGTH = 4, 12, 6
MODALITIES = (("visual", 3), ("textual", 2))
SIZES = Sizes(users=USERS, items=ITEMS, item_columns=5, history=LENGTH, context=(3, 2), modalities=MODALITIES)
LENGTHS = (0, 1, 2, 6, 4, 6, 3, 0)  # of the histories of a batch
OF_ROWS = ("user", "item", "context", "history", "unclicked")


def new(name: str, **options: object) -> Model:
    """Return a new model for these rows with its weights drawn."""
    model = registry.build(name, {"history_length": LENGTH, **options}, SIZES)
    initialise(model, 0, 0, None)
    return model


def strong(name: str, seed: int = 1, **options: object) -> Model:
    """Return a model in float64 whose weights are large: what is small hides mistakes."""
    model, generator = new(name, **options).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            scale = 1.0 if path.endswith(("ids.weight", "users.weight", "contexts.weight")) else 0.4
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * scale)
        for path, parameter in model.named_parameters():
            if path.endswith("ids.weight"):
                parameter[-1] = 0
    return model


def drawn(lengths: Sequence[int], generator: torch.Generator, length: int = LENGTH) -> torch.Tensor:
    """Return histories (rows, length) of these lengths, padded in front."""
    items = torch.randint(0, ITEMS, (len(lengths), length), generator=generator)
    return items.masked_fill(torch.arange(length) < length - torch.tensor(lengths).unsqueeze(1), ITEMS)


def batch_of(lengths: Sequence[int] = LENGTHS, seed: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
    """Return rows whose clicked histories have these lengths, and the others these lengths turned round."""
    generator, rows = torch.Generator().manual_seed(seed), len(lengths)
    content = torch.randn(ITEMS + 1, 5, generator=generator, dtype=torch.float64)
    content[-1] = 0
    return Batch(
        user=torch.randint(0, USERS, (rows,), generator=generator),
        item=torch.randint(0, ITEMS, (rows,), generator=generator),
        item_content=content.to(dtype),
        context=torch.stack([torch.randint(0, size, (rows,), generator=generator) for size in SIZES.context], dim=1),
        history=drawn(lengths, generator), unclicked=drawn(lengths[::-1], generator),
    )  # fmt: skip


def padded(batch: Batch, places: int = 3) -> Batch:
    """Return the batch with so many more empty places in front of its histories."""
    return batch._replace(**{
        name: functional.pad(getattr(batch, name), (places, 0), value=ITEMS) for name in ("history", "unclicked")
    })  # fmt: skip


def row_of(batch: Batch, row: int) -> Batch:
    """Return one row of a batch."""
    return batch._replace(**{name: getattr(batch, name)[row : row + 1] for name in OF_ROWS})


def known(history: torch.Tensor) -> list[int]:
    """Return the items of one row's history (length,)."""
    return [item for item in history.tolist() if item != ITEMS]


def fields_of(model: Model, batch: Batch, item: int) -> torch.Tensor:
    """Return the fields (fields, width) of an item: id, visual, textual."""
    visual, textual = model.items.contents
    row = batch.item_content[item]
    return torch.stack([model.items.ids.weight[item], visual.weight @ row[:3], textual.weight @ row[3:]])


def row_fields(model: Model, batch: Batch, row: int) -> torch.Tensor:
    """Return the fields (3, width) of a row: its user and two context columns."""
    first, second = batch.context[row].tolist()
    return torch.stack([model.rows.users.weight[batch.user[row]], model.rows.contexts.weight[first],
                        model.rows.contexts.weight[3 + second]])  # fmt: skip


def log_odds(model: Model, values: torch.Tensor) -> torch.Tensor:
    """Return what hidden layers without normalisation and the output make of (width,)."""
    for layer in model.tower.layers:
        if isinstance(layer, torch.nn.Linear):
            values = torch.clamp(layer.weight @ values + layer.bias, min=0)
    return model.output.weight[0] @ values + model.output.bias[0]


def differs(model: Model, batch: Batch, **changes: torch.Tensor) -> bool:
    """Tell whether other inputs change the score of every row."""
    return bool(((model(batch._replace(**changes)) - model(batch)).abs() > 1e-6).all())


def padding_changes_nothing(model: Model, tolerance: float = 1e-9) -> None:
    """Assert that scores and gradients are the same for longer padding, and for each row alone."""
    batch, found = batch_of(), []
    for one in (batch, padded(batch)):
        model.zero_grad()
        scores = model(one)
        scores.sum().backward()
        found.append([scores, *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)])
    for one, other in zip(*found, strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)
    if not model.training:
        alone = torch.cat([model(row_of(batch, row)) for row in range(len(batch.item))])
        torch.testing.assert_close(alone, found[0][0], atol=tolerance, rtol=tolerance)


def auc_after_training(model: Model, kind_of: str, steps: int = 30) -> float:
    """Return the AUC on new rows after a short training on candidates of the kind that the user's history has.

    Parameters
    ----------
    model : Model
        In float32.
    kind_of : str
        Which history tells of the kind, even or odd: "history", or "unclicked", which tells of the other one.
    steps : int
    """

    def planted(rows: int, seed: int) -> tuple[Batch, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        batch = batch_of([int(n) for n in torch.randint(1, LENGTH + 1, (rows,), generator=generator)], seed,
                         torch.float32)  # fmt: skip
        kind, clicked = torch.randint(0, 2, (rows, 1), generator=generator), kind_of == "history"
        history = getattr(batch, kind_of)
        history = torch.where(history == ITEMS, ITEMS, history // 2 * 2 + kind)
        content = batch_of((1,), 0, torch.float32).item_content
        batch = batch._replace(item_content=content, **{kind_of: history})
        return batch, ((batch.item % 2 == kind[:, 0]) == clicked).float()

    torch.manual_seed(0)
    batch, clicks = planted(300, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(model.train()(batch), clicks).backward()
        optimiser.step()
    tested, wanted = planted(500, 2)
    with torch.inference_mode():
        return metrics.auc(wanted.numpy(), model.eval()(tested).numpy())
