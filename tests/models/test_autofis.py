"""AutoFIS: GRDA against a scalar loop, the score against a loop over pairs, and the search against a planted pair."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.models.autofis import AutoFIS, Config
from mma4ctr.models.contract import Batch, Sizes
from mma4ctr.models.layers import initialise
from mma4ctr.models.parts.grda import GRDA, strength_of
from small_problem import bytes_of

SIZES = Sizes(users=5, items=7, item_columns=5, context=(3, 4), modalities=(("visual", 3), ("textual", 2)))
PAIRS = list(itertools.combinations(range(6), 2))


def batch_of(rows: int = 9, seed: int = 0) -> Batch:
    """Return rows of the sizes above."""
    generator = torch.Generator().manual_seed(seed)
    content = torch.randn(8, 5, generator=generator)
    content[-1] = 0
    user, item, *context = (torch.randint(0, n, (rows,), generator=generator) for n in (5, 7, 3, 4))
    return Batch(user=user, item=item, item_content=content, context=torch.stack(context, 1))


@dataclasses.dataclass
class Planted:
    """Training rows of which one pair of fields, the user and the second context column, decides the click."""

    rows: int = 1600

    def __post_init__(self) -> None:
        self.batch = batch_of(self.rows, seed=3)
        noise = torch.rand(self.rows, generator=torch.Generator().manual_seed(4))
        odd = (self.batch.user + self.batch.context[:, 1]) % 2
        self.clicks = (noise < 0.1 + 0.8 * odd).float()

    def __len__(self) -> int:
        return self.rows

    def batches(self, size: int, order: torch.Tensor | None = None) -> Iterator[tuple[Batch, torch.Tensor]]:
        for places in (torch.arange(self.rows) if order is None else order).split(size):
            columns = {name: getattr(self.batch, name)[places] for name in ("user", "item", "context")}
            yield self.batch._replace(**columns), self.clicks[places]


def new(**options: object) -> AutoFIS:
    """Return a new model whose weights are drawn."""
    model = AutoFIS(Config(**{"embedding": 8, "hidden": (8,), **options}), SIZES)
    initialise(model, 0, 0, -1.0)
    return model


@settings(max_examples=20, deadline=None)
@given(
    start=st.floats(-1, 1), gradients=st.lists(st.floats(-1, 1), min_size=1, max_size=12),
    rate=st.floats(0.01, 2), c=st.floats(0, 0.5), mu=st.floats(0.1, 1),
)  # fmt: skip
def test_grda_follows_its_formula(start: float, gradients: list[float], rate: float, c: float, mu: float) -> None:
    parameter = torch.nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimiser, total = GRDA([parameter], lr=rate, c=c, mu=mu), start
    for n, gradient in enumerate(gradients, 1):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        total -= rate * gradient
        size = abs(total) - c * math.sqrt(rate) * (n * rate) ** mu
        assert parameter.item() == pytest.approx(math.copysign(max(size, 0), total), abs=1e-12)


def test_the_strength_of_shrinking_fits_the_number_of_steps() -> None:
    assert strength_of(1.2, 40, 0.5, 0.8) * 0.5**0.5 * (40 * 0.5) ** 0.8 == pytest.approx(1.2)
    assert strength_of(0.0005 * 16_000**0.8, 16_000, 1.0, 0.8) == pytest.approx(0.0005)  # as published
    without_gradient = torch.nn.Parameter(torch.ones(1))
    GRDA([without_gradient], lr=1.0, c=1.0, mu=1.0).step()
    assert without_gradient == 1


@pytest.mark.parametrize("deep", [True, False])
def test_the_score_is_that_of_a_loop_over_the_kept_pairs(deep: bool) -> None:
    model, batch = new(deep=deep), batch_of()
    with torch.no_grad():
        model.output.weight.copy_(torch.linspace(-1, 1, 15).unsqueeze(0))
        model.kept[::4] = 0
        fields = model.fields(batch)
        model(batch)  # moves the running statistics
        model.eval()
        wanted = model.output.bias + model.linear(batch)
        for place, (one, other) in enumerate(PAIRS):
            product = (fields[:, one] * fields[:, other]).sum(1)
            mean, variance = model.normalise.running_mean[place], model.normalise.running_var[place]
            if place % 4:
                wanted = wanted + model.output.weight[0, place] * (product - mean) / (variance + 1e-5).sqrt()
        if deep:
            wanted = wanted + model.tower(fields.flatten(1))
        torch.testing.assert_close(model(batch), wanted)
    assert (model.tower is not None) == deep


@pytest.mark.parametrize("deep", [True, False])
def test_the_search_keeps_the_pair_that_matters_and_drops_most_others(deep: bool) -> None:
    model = new(deep=deep, search_epochs=4, search_batch=100, search_rate=0.02)
    before = bytes_of(model)
    model.prepare(Planted(), seed=1)
    kept = [pair for pair, is_kept in zip(PAIRS, model.kept.tolist(), strict=True) if is_kept]
    assert (0, 3) in kept
    assert len(kept) <= 5
    assert bytes_of(model) == before  # the refit starts from new weights
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert model.normalise.num_batches_tracked == 0
    again = new(deep=deep, search_epochs=4, search_batch=100, search_rate=0.02)
    torch.manual_seed(9)
    again.kept.zero_()  # a search begins with all pairs
    again.prepare(Planted(), seed=1)
    assert torch.equal(again.kept, model.kept)


def test_the_refit_learns_what_the_kept_pair_says() -> None:
    torch.manual_seed(0)
    model, rows = new(deep=False), Planted()
    model.kept.copy_(torch.tensor([float(pair == (0, 3)) for pair in PAIRS]))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for batch, clicks in itertools.chain(rows.batches(100), rows.batches(100), rows.batches(100)):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(model(batch), clicks).backward()
        optimiser.step()
    tested = batch_of(400, seed=8)._replace(item_content=rows.batch.item_content)
    wanted = ((tested.user + tested.context[:, 1]) % 2).numpy()
    with torch.inference_mode():
        assert metrics.auc(wanted, model.eval()(tested).numpy()) > 0.9


def test_what_is_kept_follows_from_the_seed_alone() -> None:
    model, kept = new(deep=False, search_threshold=0.5, search_batch=50), []
    for seed, attempt in ((1, 0), (1, 1), (2, 0)):
        initialise(model, 0, attempt, -1.0)
        model.prepare(Planted(), seed)
        kept.append(model.kept.tolist())
    assert kept[0] == kept[1] != kept[2]
    assert 1 < sum(kept[0]) < 15


def test_the_defaults_find_a_pair_in_few_rows() -> None:
    kept = []
    for seed in range(3):
        model = new(hidden=(200, 80))
        model.prepare(Planted(4_000), seed)
        kept.append(model.kept.tolist())
    assert all(one[PAIRS.index((0, 3))] for one in kept) and max(map(sum, kept)) <= 3


def test_one_pair_stays_where_all_gates_close() -> None:
    model = new(deep=False, search_threshold=1e9)
    model.prepare(Planted(), seed=1)
    assert model.kept.sum() == 1


def test_without_a_search_or_shrinking_every_pair_is_kept() -> None:
    for options in ({"search_epochs": 0}, {"search_threshold": 0.0, "search_batch": 400}):
        model = new(dropout=0.5, **options)
        model.prepare(Planted(), seed=1)
        assert model.kept.all()
        assert model.tower.layers[3].p == 0.5  # what is not dropped in the search is in the refit


def test_dropped_pairs_get_no_gradient_and_gates_start_alike() -> None:
    model, batch = new(), batch_of()
    assert ((model.output.weight - 0.6).abs() <= 0.0011).all()
    assert model.output.weight.unique().numel() > 1
    assert model.output.bias == -1
    model.kept[3:] = 0
    model(batch).sum().backward()
    assert not model.output.weight.grad[0, 3:].any()


@pytest.mark.parametrize("deep", [True, False])
def test_every_input_counts_and_no_row_counts_for_another(deep: bool) -> None:
    model, batch = new(deep=deep).eval(), batch_of()
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": 0}, "embedding is 0, expected 1 or more"),
        ({"search_batch": 0}, "search_batch is 0, expected 1 or more"),
        ({"search_epochs": -1}, "search_epochs is -1, expected 0 or more"),
        ({"search_threshold": -0.5}, "search_threshold is -0.5, expected 0 or more"),
        ({"search_rate": 0.0}, "search_rate is 0, expected a number above 0"),
        ({"search_gate_rate": -1.0}, "search_gate_rate is -1, expected a number above 0"),
        ({"hidden": ()}, r"hidden is \(\), expected widths of 1 or more"),
        ({"dropout": 1.0}, "dropout is 1, expected a share from 0 to below 1"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Config(**options)
