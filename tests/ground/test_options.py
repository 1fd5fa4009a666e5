"""What a command line or a schedule cannot mean is refused in one line; nothing is passed over in silence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

import adjust_hyperparameter
import mlp
from bad_input import refusal
from mma4ctr import catalogue
from mma4ctr.cli import UserError
from mma4ctr.models import registry
from mma4ctr.schedule import Schedule


@pytest.mark.parametrize(("script", "words", "said"), [
    (mlp, ["--feature", "visual", "--modal_select", "only_one"], "found both, expected one"),
    (mlp, ["--feature", "vat_concat", "--modal_select", "tri_concat"], "found both, expected one"),
    (mlp, ["--set", "hidden="], "--set hidden=: the value is empty"),
    (mlp, ["--set", "hidden=8", "hidden=4"], "--set hidden: given twice"),
    (mlp, ["--set", "hidden=8,,4"], "expected whole numbers between commas"),
    (mlp, ["--set", "depth=3"], "the model mma4ctr has the names hidden, activation"),
    (mlp, ["--eval_every", "31"], "eval_every is 31, more than the 30 epochs"),
    (adjust_hyperparameter, ["--longest", "4"], "--longest 4: leaves nothing of"),
])  # fmt: skip
def test_what_says_nothing_or_two_things_is_refused(
    script, words: list[str], said: str, capfd: pytest.CaptureFixture
) -> None:
    line = refusal(capfd, script.main, words)
    assert said in line
    assert "x" * 81 not in line


@pytest.mark.parametrize(
    ("option", "text"),
    [("--learning_rate", "inf"), ("--learning_rate", "1e-300"), ("--epochs", "\u0663"), ("--seed", "-1")],
)
def test_numbers_that_mean_nothing_are_refused(option: str, text: str, capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        mlp.main([option, text])
    assert ended.value.code == 2
    assert "number from" in capfd.readouterr().err


def test_features_are_named_by_one_of_two_options() -> None:
    three = catalogue.MODALITIES
    assert catalogue.features_of(three, None, None) == ("vat_concat",)
    assert catalogue.features_of(three, None, "only_one") == three
    assert catalogue.features_of(three, "va_cross", None) == ("va_cross",)
    for feature, group in (("", None), ("visual", "only_one"), ("", "only_one"), (None, "quad_cross")):
        with pytest.raises(UserError):
            catalogue.features_of(three, feature, group)


@pytest.mark.parametrize(("field", "value"), [
    ("learning_rate", math.nan), ("learning_rate", math.inf), ("learning_rate", 0.0), ("learning_rate", -1.0),
    ("learning_rate", "0.1"), ("batch_size", 0), ("batch_size", 2.5), ("epochs", -1), ("patience", 0), ("seed", -1),
    ("eval_every", 0), ("batch_size", 2**40),
])  # fmt: skip
def test_a_schedule_is_checked_whoever_makes_it(field: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^{field} is "):
        Schedule(**{field: value})
    with pytest.raises(UserError, match=f"^{field} is "):
        dataclasses.replace(Schedule(), **{field: value})


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_of_a_model_is_finite(text: str) -> None:
    read: Callable = registry.READERS[float][0]
    assert read("0.5") == 0.5
    with pytest.raises(ValueError):
        read(text)
