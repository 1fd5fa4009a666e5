"""DESTINE: the attention follows Eq. 3-8, field by field, and has as many parameters as public code."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.models import destine
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.destine import DESTINE, Config, Layer
from mma4ctr.models.layers import initialise, number_of_parameters
from mma4ctr.models.parts.fields import Fields

SIZES = Sizes(users=5, items=7, item_columns=5, context=(3, 4), modalities=(("visual", 3), ("textual", 2)))
FIELDS = 6
SMALL = {"embedding": 4, "attention": 12, "layers": 2, "dropout": 0.0}


def batch_of(rows: int = 9, seed: int = 0) -> Batch:
    """Return rows of the sizes above."""
    generator = torch.Generator().manual_seed(seed)
    content = torch.randn(8, 5, generator=generator)
    content[-1] = 0
    user, item, *context = (torch.randint(0, n, (rows,), generator=generator) for n in (5, 7, 3, 4))
    return Batch(user=user, item=item, item_content=content, context=torch.stack(context, 1))


def new(sizes: Sizes = SIZES, **options: object) -> DESTINE:
    """Return a new model whose weights are drawn."""
    model = DESTINE(Config(**{**SMALL, **options}), sizes)
    initialise(model, 0, 0, None)
    return model


def layer_of(width: int, fields: int, seed: int, **options: object) -> tuple[Layer, torch.Tensor]:
    """Return a layer in float64 with weights of deviation 1, and fields (3, fields, width)."""
    generator = torch.Generator().manual_seed(seed)
    layer = Layer(width, Config(**{**SMALL, **options})).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer, torch.randn(3, fields, width, generator=generator, dtype=torch.float64)


def softmax(scores: list[float]) -> list[float]:
    """Return the softmax of some numbers."""
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def by_equations(layer: Layer, row: torch.Tensor, heads: int, whiten_keys: bool = True) -> torch.Tensor:
    """Return what Eq. 1-8 make (fields, attention) of the fields of a row (fields, width), one number at a time."""
    number, found = len(row), []
    matrices = [layer.query.weight, layer.key.weight, layer.unary.weight, layer.value.weight]
    for of_query, of_key, of_unary, of_value in zip(*(one.chunk(heads) for one in matrices), strict=True):
        query, key, unary, value = (
            [matrix @ field for field in row] for matrix in (of_query, of_key, of_unary, of_value)
        )
        mean_query, mean_key, mean_unary = (sum(one) / number for one in (query, key, unary))
        general = softmax([float(mean_unary @ key[n]) for n in range(number)])  # Eq. 5
        rows = []
        for m in range(number):
            keys = [key[n] - mean_key if whiten_keys else key[n] for n in range(number)]
            pairwise = softmax([float((query[m] - mean_query) @ keys[n]) for n in range(number)])  # Eq. 4
            rows.append(sum((pairwise[n] + general[n]) * value[n] for n in range(number)))  # Eq. 3, 6, 7
        found.append(torch.stack(rows))
    return torch.cat(found, dim=1)  # Eq. 8


@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize("whiten_keys", [True, False])
def test_a_layer_follows_the_equations_and_whitening_the_keys_changes_nothing(heads: int, whiten_keys: bool) -> None:
    layer, fields = layer_of(5, 4, seed=heads, heads=heads)
    with torch.no_grad():
        found = layer(fields)
        wanted = torch.stack([by_equations(layer, row, heads, whiten_keys) for row in fields])
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-10)


@settings(max_examples=20, deadline=None)
@given(
    heads=st.sampled_from([1, 2, 3, 4, 6]), fields=st.integers(1, 6), unary=st.sampled_from(["mean", "learned"]),
    scaled=st.booleans(), seed=st.integers(0, 99), data=st.data(),
)  # fmt: skip
def test_fields_in_another_order_come_out_in_that_order_and_weights_sum_to_2(
    heads: int, fields: int, unary: str, scaled: bool, seed: int, data: st.DataObject
) -> None:
    layer, values = layer_of(5, fields, seed, heads=heads, unary=unary, scaled=scaled, biased=True)
    order = data.draw(st.permutations(range(fields)))
    with torch.no_grad():
        torch.testing.assert_close(layer(values[:, order]), layer(values)[:, order], atol=1e-9, rtol=1e-9)
        weights = layer.weights(values)
    assert weights.shape == (3, heads, fields, fields)
    torch.testing.assert_close(weights.sum(3), torch.full((3, heads, fields), 2.0, dtype=torch.float64))


def test_the_learned_unary_query_scaling_and_biases_are_what_they_say() -> None:
    layer, fields = layer_of(5, 4, seed=1, heads=2, unary="learned", scaled=True, biased=True)
    with torch.no_grad():
        query, key = (one(fields).chunk(2, dim=2) for one in (layer.query, layer.key))
        for head in range(2):
            whitened = [one[head] - one[head].mean(1, keepdim=True) for one in (query, key)]
            pairwise = torch.softmax(whitened[0] @ whitened[1].transpose(1, 2) / 6**0.5, dim=2)
            unary = torch.softmax((fields @ layer.unary.weight[head]), dim=1)  # its bias cancels
            torch.testing.assert_close(layer.weights(fields)[:, head], pairwise + unary.unsqueeze(1))


def test_biases_of_queries_and_keys_have_no_effect_and_those_of_values_double() -> None:
    layer, fields = layer_of(5, 4, seed=2, heads=3, biased=True)
    with torch.no_grad():
        before = layer(fields)
        for one in (layer.query, layer.key):
            one.bias += 3
        torch.testing.assert_close(layer(fields), before)
        layer.value.bias += 1
        torch.testing.assert_close(layer(fields), before + 2)


def test_residuals_follow_each_layer_or_the_last() -> None:
    fields = torch.randn(3, FIELDS, 4, generator=torch.Generator().manual_seed(0))
    each, last = new(layers=3), new(layers=3, residual="last")
    assert [len(one.residuals) for one in (each, last)] == [3, 1]
    with torch.no_grad():
        states = fields
        for layer, residual in zip(each.layers, each.residuals, strict=True):
            states = (layer(states) + states @ residual.weight.T).clamp(min=0)
        torch.testing.assert_close(each._interacted(fields), states)
        first, second, third = last.layers
        states = (third(second(first(fields))) + fields @ last.residuals[0].weight.T).clamp(min=0)
        torch.testing.assert_close(last._interacted(fields), states)


# What public code of FuxiCTR's shape has: residuals in each layer, a learned unary query, biases, a batch-normalised
# tower, no linear term. The numbers are those of its logs of Frappe and MovieLens.
@pytest.mark.parametrize(
    ("context", "attention", "layers", "parameters"),
    [((1,) * 7 + (5_182,), 128, 4, 623_346), ((90_039,), 64, 3, 1_274_821)],
)
def test_it_has_as_many_parameters_as_public_code(
    context: tuple[int, ...], attention: int, layers: int, parameters: int
) -> None:
    config = Config(
        embedding=10, attention=attention, layers=layers, heads=1, scaled=True, residual="each", unary="learned",
        biased=True, hidden=(400, 400, 400),
    )  # fmt: skip
    model = DESTINE(config, Sizes(users=100, items=100, context=context))
    assert model.fields.number == 2 + len(context)
    assert number_of_parameters(model) == parameters


def test_fields_are_rows_of_one_table_and_projections() -> None:
    fields, batch = Fields(SIZES, 4), batch_of()
    found = fields(batch)
    assert found.shape == (9, FIELDS, 4) and fields.number == FIELDS
    table, visual, textual = fields.embeddings.weight, *(one.weight for one in fields.modalities)
    for row in range(9):
        content = batch.item_content[batch.item[row]]
        wanted = [table[batch.user[row]], table[5 + batch.item[row]], table[12 + batch.context[row, 0]],
                  table[15 + batch.context[row, 1]], visual @ content[:3], textual @ content[3:]]  # fmt: skip
        torch.testing.assert_close(found[row], torch.stack(wanted))
    assert Fields(SIZES, 4, ids=False)(batch).shape == (9, FIELDS - 1, 4)
    assert Fields(SIZES, 4, contents=False)(batch).shape == (9, FIELDS - 2, 4)


WAYS = [{}, {"residual": "last", "heads": 3}, {"hidden": (8, 8), "linear": True}, {"unary": "learned", "biased": True}]


@pytest.mark.parametrize("options", WAYS)
def test_every_input_counts_and_no_row_counts_for_another(options: dict) -> None:
    model, batch = new(**options).eval(), batch_of()
    before = model(batch)
    for name, size in (("user", 5), ("item", 7)):
        assert (model(batch._replace(**{name: (getattr(batch, name) + 1) % size})) != before).all()
    for column, size in enumerate((3, 4)):
        other = batch.context.clone()
        other[:, column] = (other[:, column] + 1) % size
        assert (model(batch._replace(context=other)) != before).all()
    assert (model(batch._replace(item_content=batch.item_content * 2)) != before).all()
    alone = batch._replace(user=batch.user[:1], item=batch.item[:1], context=batch.context[:1])
    torch.testing.assert_close(model(alone), before[:1])
    assert model.hidden(batch).shape == (9, FIELDS * 12)


def test_the_linear_term_and_the_tower_are_added() -> None:
    model, batch = new(linear=True, hidden=(8,)).eval(), batch_of()
    with torch.no_grad():
        whole, attended = model(batch), model.output(model.hidden(batch)).squeeze(1)
        weights = model.linear.fields.embeddings.weight[:, 0]
        content = torch.cat([one.weight[0] for one in model.linear.fields.modalities])
        places = torch.cat((batch.user[:, None], 5 + batch.item[:, None], batch.context + torch.tensor([12, 15])), 1)
        linear = weights[places].sum(1) + batch.item_content[batch.item] @ content
        tower = model.tower(model.fields(batch).flatten(1))
    torch.testing.assert_close(whole, attended + linear + tower)


def test_weights_are_dropped_in_training_alone() -> None:
    model, batch = new(dropout=0.5), batch_of()
    assert not torch.equal(model(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))
    assert DESTINE.schedule["weight_decay"] == 5e-6 and DESTINE.schedule["loss"] == "bce"


@pytest.mark.parametrize("options", WAYS[1:3])
def test_what_two_fields_say_together_is_learnt(options: dict) -> None:
    model = new(**{"embedding": 8, "heads": 2, **options})
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    torch.manual_seed(0)

    def clicks_of(batch: Batch) -> torch.Tensor:
        return ((batch.user + batch.context[:, 1]) % 2).float()

    batch, tested = batch_of(256), batch_of(300, seed=1)
    for _ in range(30):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(model(batch), clicks_of(batch)).backward()
        optimiser.step()
    with torch.inference_mode():
        tested = tested._replace(item_content=batch.item_content)
        assert metrics.auc(clicks_of(tested).numpy(), model.eval()(tested).numpy()) > 0.8


def test_something_of_an_item_is_left() -> None:
    assert Fields(SIZES, 3, ids=False).number == FIELDS - 1
    with pytest.raises(UserError, match="nothing of an item is left"):
        new(ids=False, contents=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": 0}, "embedding is 0, expected 1 or more"),
        ({"layers": 0}, "layers is 0, expected 1 or more"),
        ({"heads": 3}, "attention is 64, expected a multiple of the 3 heads"),
        ({"residual": "none"}, "residual is 'none', expected one of each, last"),
        ({"unary": "mu"}, "unary is 'mu', expected one of mean, learned"),
        ({"hidden": (0,)}, r"hidden is \(0,\), expected widths of 1 or more"),
        ({"dropout": 1.0}, "dropout is 1, expected a share from 0 to below 1"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        destine.Config(**options)
