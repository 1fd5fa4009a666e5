"""Rows with histories, as the tests of sequence models see them: 4 users, 12 items with 5 columns of content."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Model, Sizes
from mma4ctr.models.layers import initialise

NAMES = ("dnn", "rnn", "lstm", "gru4rec", "din", "dien", "transformer4rec", "caser", "bert4rec")
USERS, ITEMS, COLUMNS, LENGTH = 4, 12, 5, 6
SIZES = Sizes(users=USERS, items=ITEMS, item_columns=COLUMNS, history=LENGTH)
LENGTHS = (0, 1, 2, 6, 4, 6, 3, 0)  # of the histories of a batch


def new(name: str, sizes: Sizes = SIZES, **options: object) -> Model:
    """Return a new model, small and with its weights drawn."""
    model = registry.build(name, {"embedding": 8, "history_length": LENGTH, "hidden": (10, 6), **options}, sizes)
    initialise(model, 0, 0, None)
    return model


def strong(model: Model, seed: int = 1) -> Model:
    """Return the model with embeddings of deviation 1 and all else drawn anew: what is small hides mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_table = name.endswith(("ids.weight", "users.weight", "places.weight"))
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1 if is_table else 0.4))
        if model.items.ids is not None:
            model.items.ids.weight[-1] = 0
    return model


def batch_of(lengths: Sequence[int] = LENGTHS, length: int = LENGTH, seed: int = 0) -> Batch:
    """Return rows with histories of these lengths, padded in front."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(lengths)
    drawn = torch.randint(0, ITEMS, (rows, length), generator=generator)
    before = torch.arange(length) < length - torch.tensor(lengths).unsqueeze(1)
    content = torch.randn(ITEMS + 1, COLUMNS, generator=generator)
    content[-1] = 0
    return Batch(
        user=torch.randint(0, USERS, (rows,), generator=generator),
        item=torch.randint(0, ITEMS, (rows,), generator=generator),
        item_content=content,
        history=drawn.masked_fill(before, ITEMS),
    )


def padded(batch: Batch, places: int = 3) -> Batch:
    """Return the batch with so many more empty places in front of its histories."""
    return batch._replace(history=torch.nn.functional.pad(batch.history, (places, 0), value=ITEMS))


def vectors(model: Model, batch: Batch, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a row's candidate (width,) and the items (items, width) of its history, without padding."""
    known = [item for item in batch.history[row].tolist() if item != ITEMS]
    table = torch.zeros(ITEMS + 1, model.items.ids.embedding_dim)
    table += model.items.ids.weight
    table += batch.item_content @ model.items.contents.weight.T
    return table[batch.item[row]], table[known]


def summaries(model: Model, batch: Batch) -> torch.Tensor:
    """Return the summaries (rows, width) that a model makes of a batch's histories."""
    found: list[torch.Tensor] = []
    kept, model.summary = model.summary, lambda *given: found.append(kept(*given)) or found[-1]
    try:
        model.hidden(batch)
    finally:
        del model.summary
    return found[0]
