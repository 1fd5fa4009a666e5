"""MMa4CTR+ against its equations in float64, what each part of it adds, and how many numbers its small size has."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from any_model import FIXED, LENGTH, SLOTS, problem_for
from attention_rows import log_odds
from mma4ctr.cli import UserError
from mma4ctr.models import registry
from mma4ctr.models.contract import Batch, Graph, Model, Sizes
from mma4ctr.models.layers import initialise, number_of_parameters
from mma4ctr.models.parts.items import Table
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.trainer import Trainer
from small_problem import CPU

NAMES = ("mma4ctr_plus", "mma4ctr_plus_small")
FITTED = {"history_length": LENGTH, "slots": SLOTS, "attended": 4, "rank": 3}
PARTS = ("contents", "histories", "factors", "neighbours", "rates", "head_start", "causal")
WITHOUT = tuple({name: False} for name in PARTS)


def strong(name: str, **options: object) -> tuple[Model, Batch]:
    """Return a model in float64 whose weights are large, and rows for it."""
    inputs, _ = problem_for(name)
    model = registry.build(name, {**FITTED, **options}, inputs.sizes, inputs.graph)
    initialise(model, 0, 0, None)
    training = batches_of_parts(inputs, "clean", CPU)["training"]
    model.prepare(training, 0)
    model = model.double().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * (1.0 if "weight" in path and parameter.dim() == 1 else 0.4))
            if path == "items.ids.weight":
                parameter[-1] = 0
    batch, _ = next(training.batches(40, torch.arange(100, 140)))
    as_double = {name: getattr(batch, name).double() for name in ("item_content", "counts")}
    return model, batch._replace(**as_double)


def item_vector(model: Model, batch: Batch, item: int) -> torch.Tensor:
    """Return what an item is: its id, and each modality projected and weighted."""
    found = torch.zeros(model.config.embedding, dtype=torch.float64)
    if model.items.ids is not None:
        found = found + model.items.ids.weight[item]
    if model.items.contents is not None:
        content, begin = batch.item_content[item], 0
        for number, (_, columns) in enumerate((("visual", 4), ("textual", 2))):
            part = slice(begin, begin + columns)
            weight = model.items.contents.projections.weight[:, part]
            found = found + model.items.contents.weights[number] * (weight @ content[part])
            begin += columns
    return found


def attended(model: Model, batch: Batch, number: int, places: list[int], candidate: torch.Tensor) -> torch.Tensor:
    """Return the mean of the items of a history, weighted by the exponential of their product with the candidate."""
    known = [place for place in places[-model.config.attended :] if place != model.items.absent]
    if not known:
        return torch.zeros_like(candidate)
    vectors = [item_vector(model, batch, place) for place in known]
    scores = [float(vector @ (model.keys[number].weight @ candidate)) / len(candidate) ** 0.5 for vector in vectors]
    weights = np.exp(np.array(scores) - max(scores))
    return sum(share * vector for share, vector in zip(weights / weights.sum(), vectors, strict=True))


def expected_of(model: Model, batch: Batch, row: int) -> float:
    """Return the log-odds of one row, part by part."""
    candidate = item_vector(model, batch, int(batch.item[row]))
    first, second = batch.context[row].tolist()
    found = [candidate]
    if model.rows.users is not None:
        found.append(model.rows.users.weight[batch.user[row]])
    found += [model.rows.contexts.weight[first], model.rows.contexts.weight[3 + second]]
    if model.rows.users is not None:
        found.append(model.rows.users.weight[batch.user[row]] * candidate)
    histories = [getattr(batch, name)[row].tolist() for name in ("history", "unclicked")]
    for number, history in enumerate(histories if model.config.histories else []):
        seen = attended(model, batch, number, history, candidate)
        found += [seen, seen * candidate]
    counted = model.standardised(model.fixed(batch))[row]
    found.append(counted)
    return float(log_odds(model, torch.cat(found)) + counted @ model.weights)


@pytest.mark.parametrize(
    ("name", "options"), [(NAMES[1], {}), *((NAMES[0], options) for options in ({}, *WITHOUT))], ids=str
)
@torch.no_grad()
def test_log_odds_row_by_row(name: str, options: dict) -> None:
    model, batch = strong(name, **options)
    found = model(batch)
    for row in range(0, len(found), 7):
        assert float(found[row]) == pytest.approx(expected_of(model, batch, row), rel=1e-6, abs=1e-7)


@torch.no_grad()
def test_what_is_counted() -> None:
    model, batch = strong("mma4ctr_plus")
    found, said = model.fixed(batch), model.factors(batch)
    assert found.shape == (40, 17)
    for column, name in enumerate(("history", "unclicked")):
        lengths = (getattr(batch, name) != model.items.absent).sum(1).clamp(min=1)
        torch.testing.assert_close(found[:, 7 + column], said[:, column])
        torch.testing.assert_close(found[:, 9 + column], said[:, column] / lengths)
    assert said.abs().max() > 0.001


@pytest.mark.parametrize("options", [{"ids": False}, *WITHOUT], ids=str)
def test_every_part_has_a_part_in_the_score(options: dict) -> None:
    whole, batch = strong("mma4ctr_plus")
    other, _ = strong("mma4ctr_plus", **options)
    assert number_of_parameters(other) < number_of_parameters(whole) or set(options) & {"causal", "head_start"}
    assert (whole(batch) - other(batch)).abs().max() > 1e-3


def test_ids_are_dropped_while_training_alone() -> None:
    plain, batch = strong("mma4ctr_plus", dropout=0.0)
    model, _ = strong("mma4ctr_plus", dropout=0.0, id_dropout=0.5)
    assert torch.equal(model(batch), plain(batch))
    model.train()
    torch.manual_seed(0)
    table = model.items.ids.known()
    dropped = (table == 0).all(1)
    assert 5 < int(dropped[:-1].sum()) < 25
    torch.testing.assert_close(table[~dropped], 2 * model.items.ids.weight[~dropped])
    assert not torch.equal(model(batch), plain.train()(batch))
    whole = Table(1000, 4)
    whole.dropout = 0.8
    with torch.no_grad():
        whole.weight.fill_(1.0)
    assert float(whole.known().detach().mean()) == pytest.approx(1, abs=0.2)  # as much on the whole


def test_modalities_are_chosen_by_name() -> None:
    model, batch = strong("mma4ctr_plus", modalities="textual")
    changed = batch.item_content.clone()
    changed[:, :4] += 1
    assert torch.equal(model(batch), model(batch._replace(item_content=changed)))
    changed[:, 4:] += 1
    assert not torch.equal(model(batch), model(batch._replace(item_content=changed)))


@pytest.mark.parametrize(("wechat", "contexts"), [(True, (2,)), (False, (75_085, 461, 40_000, 40))])
def test_the_small_size_has_at_most_30_000_numbers(wechat: bool, contexts: tuple[int, ...]) -> None:
    modalities = tuple((name, 128) for name in ("visual", "acoustic", "textual"))
    sizes = Sizes(
        users=20_000, items=90_000, item_columns=384, history=200, context=contexts, slots=1, modalities=modalities
    )
    nothing = Graph(*(torch.zeros(0, dtype=torch.int64) for _ in range(3)))
    nothing = nothing._replace(unclicked=nothing)
    small = registry.build("mma4ctr_plus_small", {"slots": 1}, sizes, nothing)
    assert number_of_parameters(small) <= 30_000
    kept = [values for values in contexts if values <= 100]
    assert small.rows.contexts.num_embeddings == sum(kept)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_user_and_a_new_item_are_admitted(name: str) -> None:
    model, batch = strong(name)
    before = model(batch)
    assert model.admit(2)
    content = torch.cat((batch.item_content, torch.ones(2, 6, dtype=torch.float64)))
    roomy = batch._replace(item_content=content)
    torch.testing.assert_close(model(roomy), before)
    new = roomy._replace(item=torch.full_like(batch.item, 32), user=torch.full_like(batch.user, 20))
    assert torch.isfinite(model(new)).all()


def test_what_is_counted_is_scaled_by_training_rows_and_kept() -> None:
    inputs, _ = problem_for("mma4ctr_plus")
    parts = batches_of_parts(inputs, "clean", CPU)
    model = registry.build("mma4ctr_plus", FITTED, inputs.sizes, inputs.graph)
    model = Trainer(model, parts, dataclasses.replace(FIXED, epochs=1)).run()
    rows = torch.cat([model.fixed(batch) for batch, _ in parts["training"].batches(64)])
    scaled = model.standardised(rows)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    assert float(model.base_rate) == pytest.approx(float(parts["training"].clicks.mean()))
    assert "table" not in "".join(model.state_dict())
    assert {"base_rate", "weights", "standardised.mean", "standardised.deviation"} <= set(model.state_dict())


def test_a_head_start_is_what_counts_say_by_themselves() -> None:
    inputs, _ = problem_for("mma4ctr_plus", signal=4.0, rows=1500)
    rows = batches_of_parts(inputs, "clean", CPU)["training"]
    model = registry.build("mma4ctr_plus", FITTED, inputs.sizes, inputs.graph).eval()
    initialise(model, 0, 0, 0.0)
    model.prepare(rows, 0)
    batch, clicks = next(rows.batches(len(rows)))
    with torch.no_grad():
        said = model.counted(batch) @ model.weights
        torch.testing.assert_close(model(batch) - model.output(model.hidden(batch)).squeeze(1), said)
    assert said[clicks == 1].mean() > said[clicks == 0].mean() + 0.1
    without = registry.build("mma4ctr_plus", {**FITTED, "head_start": False}, inputs.sizes, inputs.graph)
    without.prepare(rows, 0)
    assert not without.weights.any()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"shrinkage": 0.0}, "shrinkage is 0"), ({"rank": 0}, "rank is 0"), ({"attended": 0}, "attended is 0"),
     ({"id_dropout": 1.0}, "id_dropout is 1"),
     ({"ids": False, "contents": False}, "leave one of them true"), ({"modalities": "smell"}, "modalities is 'smell'")],
)  # fmt: skip
def test_what_it_cannot_be_told(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        strong("mma4ctr_plus", **options)
