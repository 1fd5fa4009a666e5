"""What holds for every sequence model: padding changes nothing, all inputs count, and it learns what is there."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.layers import initialise
from sequence_rows import COLUMNS, ITEMS, LENGTH, NAMES, SIZES, USERS, batch_of, new, padded, strong

every_model = pytest.mark.parametrize("name", NAMES)
FURTHER = [("dnn", {"pooling": "sum"}), ("rnn", {"pooling": "last", "layers": 2}), ("gru4rec", {"pooling": "mean"}),
           ("din", {"softmax": True}), ("din", {"activation": "prelu"}), ("dien", {"attention": "unit"}),
           ("bert4rec", {"cloze": 0.5}), ("caser", {"heights": (1, 6), "normalised": False})]  # fmt: skip
every_way = pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in NAMES), *FURTHER])


@every_way
@pytest.mark.parametrize("is_training", [False, True])
def test_padding_changes_nothing(name: str, options: dict, is_training: bool) -> None:
    model, found = strong(new(name, **options)).train(is_training), []
    for batch in (batch_of(), padded(batch_of())):
        torch.manual_seed(0)
        model.zero_grad()
        scores, penalty = model(batch), model.penalty()
        (scores.sum() + (penalty or 0)).backward()
        found.append([scores, penalty if penalty is not None else scores.new_zeros(()),
                      *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)])  # fmt: skip
        if is_training:  # the first pass has moved the running statistics, which count in no training pass
            assert (penalty is not None) == (name == "dien" or "cloze" in options)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@every_way
def test_no_row_is_scored_by_the_others_and_an_empty_history_has_a_score(name: str, options: dict) -> None:
    model, batch = strong(new(name, **options)).eval(), batch_of()
    together = model(batch)
    assert torch.isfinite(together).all()
    assert together.unique().numel() == len(together)
    for row in range(
        len(together)
    ):  # fewer places than items, so that contents are looked up before they are projected
        alone = batch._replace(**{key: getattr(batch, key)[row : row + 1] for key in ("user", "item", "history")})
        torch.testing.assert_close(model(alone), together[row : row + 1], atol=2e-5, rtol=1e-4)


@every_way
def test_batches_without_any_history_and_of_one_row_train(name: str, options: dict) -> None:
    model = new(name, **options)
    for lengths in ((0, 0, 0), (0,), (3,), (1, 0)):
        scores, penalty = model(batch_of(lengths)), model.penalty()
        (scores.sum() + (penalty or 0)).backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert all(torch.isfinite(found).all() for found in (scores, *gradients))


@every_way
def test_what_stands_for_no_item_stays_zero(name: str, options: dict) -> None:
    model = new(name, **options)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    (model(batch_of()).sum() + (model.penalty() or 0)).backward()
    optimiser.step()
    assert not model.items.ids.weight[-1].any()
    assert model.items.ids.weight[:-1].any()
    assert model.penalty() is None  # a batch is fined once


@every_model
def test_every_input_counts(name: str) -> None:
    model, batch = strong(new(name)).eval(), batch_of((6, 5, 4))
    before = model(batch)

    def changed(**changes: torch.Tensor) -> bool:
        return bool(((model(batch._replace(**changes)) - before).abs() > 1e-4).all())

    assert changed(item=(batch.item + 1) % ITEMS)
    assert changed(item_content=batch.item_content * 2)
    other = batch.history.clone()
    other[:, -2] = (other[:, -2] + 1) % ITEMS
    assert changed(history=other)
    assert changed(user=(batch.user + 1) % USERS) == (name == "caser")
    swapped = batch.history.clone()
    swapped[:, -2:] = torch.tensor([[1, 2]] * 3)
    turned = swapped.clone()
    turned[:, -2:] = torch.tensor([[2, 1]] * 3)
    is_ordered = not torch.allclose(model(batch._replace(history=swapped)), model(batch._replace(history=turned)))
    assert is_ordered == (name not in ("dnn", "din"))


@every_model
def test_ids_and_contents_may_be_left_out(name: str) -> None:
    batch = batch_of()
    other = batch._replace(item_content=batch.item_content + 1)
    by_id = new(name, ids=True, contents=False).eval()
    assert torch.equal(by_id(batch), by_id(other))
    by_content = strong(new(name, ids=False)).eval()
    one = batch._replace(**{key: getattr(batch, key)[3:4] for key in ("user", "item", "history")})
    torch.testing.assert_close(by_content(one), by_content(batch)[3:4], atol=2e-5, rtol=1e-4)
    same = torch.zeros_like(batch.item)  # with the content of item 0 everywhere, items are alike
    alike = batch._replace(item_content=batch.item_content[:1].expand(ITEMS + 1, -1) * (torch.arange(13) < 12)[:, None])
    assert torch.equal(by_content(alike), by_content(alike._replace(item=same)))
    with pytest.raises(UserError, match="nothing of an item is left"):
        new(name, ids=False, contents=False)


def planted(rows: int, seed: int) -> tuple[Batch, torch.Tensor]:
    """Return rows whose candidate is clicked if it is of the kind, even or odd, that its user has clicked before."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 2, (rows, 1), generator=generator)
    history = 2 * torch.randint(0, ITEMS // 2, (rows, LENGTH), generator=generator) + kind
    lengths = torch.randint(1, LENGTH + 1, (rows, 1), generator=generator)
    history = history.masked_fill(torch.arange(LENGTH) < LENGTH - lengths, ITEMS)
    user, item = (torch.randint(0, number, (rows,), generator=generator) for number in (USERS, ITEMS))
    content = torch.randn(ITEMS + 1, COLUMNS, generator=torch.Generator().manual_seed(0))
    content[-1] = 0
    return Batch(user=user, item=item, item_content=content, history=history), (item % 2 == kind[:, 0]).float()


@every_model
def test_what_the_history_says_of_the_candidate_is_learnt(name: str) -> None:
    torch.manual_seed(0)
    model, (batch, clicks) = new(name), planted(512, 0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(model(batch), clicks)
        (loss + (model.penalty() or 0)).backward()
        optimiser.step()
    tested, wanted = planted(500, 1)
    with torch.inference_mode():
        assert metrics.auc(wanted.numpy(), model.eval()(tested).numpy()) > 0.8


@every_model
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": 0}, "embedding is 0, expected 1 or more"),
        ({"history_length": 0}, "history_length is 0, expected 1 or more"),
        ({"hidden": ()}, r"hidden is \(\), expected widths of 1 or more"),
        ({"activation": "step"}, "activation is 'step', expected one of"),
        ({"dropout": 1.0}, "dropout is 1, expected a share from 0 to below 1"),
    ],
)
def test_bad_settings_of_any_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.load(name).Config(**options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dnn", {"pooling": "max"}, "pooling is 'max', expected one of mean, sum"),
        ("gru4rec", {"pooling": "sum"}, "pooling is 'sum', expected one of mean, last"),
        ("lstm", {"layers": 0}, "layers is 0, expected 1 or more"),
        ("din", {"attention": (8, 0)}, r"attention is \(8, 0\), expected widths of 1 or more"),
        ("dien", {"attention": "none"}, "attention is 'none', expected one of bilinear, unit"),
        ("dien", {"auxiliary": -1.0}, "auxiliary is -1, expected 0 or more"),
        ("caser", {"heights": (2, 21)}, r"heights is \(2, 21\), expected none above the 20 items of a history"),
        ("bert4rec", {"heads": 3}, "embedding is 32, expected a multiple of the 3 heads"),
    ],
)
def test_bad_settings_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.load(name).Config(**options)


@every_model
def test_dropout_and_every_activation_are_taken(name: str) -> None:
    for activation in ("relu", "prelu", "dice", "mish", "tanh"):
        model = new(name, activation=activation, dropout=0.5)
        one, other = model(batch_of()), model(batch_of())
        assert not torch.equal(one, other)  # what is dropped is drawn anew
        assert torch.equal(model.eval()(batch_of()), model(batch_of()))


@every_model
def test_it_starts_at_the_click_rate(name: str) -> None:
    model = registry.build(name, {}, Sizes(users=USERS, items=ITEMS, item_columns=COLUMNS, history=20))
    initialise(model, 0, 0, -1.5)
    scores = model.eval()(batch_of((20, 5, 3, 0), length=20))
    assert (scores + 1.5).abs().max() < 0.8
    assert model.hidden(batch_of((20, 5), length=20)).shape == (2, 80)
    assert SIZES.history == LENGTH
