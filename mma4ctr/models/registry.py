"""Find the models: every file of this folder that is not part of the house is one, called as its file is."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
import pkgutil
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mma4ctr import models
from mma4ctr.cli import UserError
from mma4ctr.schedule import TUNED, Schedule

if TYPE_CHECKING:  # the names of models are asked for without PyTorch, by every --help
    from mma4ctr.models.contract import Graph, Model, Sizes

DEFAULT = "mma4ctr"
HOUSE = ("contract", "layers", "losses", "parts", "registry")
TRUTHS = {"true": True, "false": False}


def names() -> list[str]:
    """Return the names of all models, the default first."""
    found = sorted(module.name for module in pkgutil.iter_modules(models.__path__) if module.name not in HOUSE)
    return sorted(found, key=lambda name: name != DEFAULT)


@functools.cache
def load(name: str) -> type[Model]:
    """Return the class of a model.

    Raises
    ------
    UserError
        If there is no such model.
    TypeError
        If its file does not have exactly one class that derives from `Model`, or that needs what nothing offers.
    """
    from mma4ctr.models.contract import NEEDS, Model

    if name not in names():
        raise UserError(f"unknown model {name!r:.60}; the models are {', '.join(names())}")
    module = importlib.import_module(f"{models.__name__}.{name}")
    classes = [one for _, one in inspect.getmembers(module, inspect.isclass)
               if issubclass(one, Model) and one.__module__ == module.__name__]  # fmt: skip
    if len(classes) != 1:
        raise TypeError(f"{module.__file__}: has {len(classes)} classes that derive from Model, expected one")
    unknown = sorted(classes[0].needs - set(NEEDS))
    if unknown:
        raise TypeError(f"{module.__file__}: needs {', '.join(unknown)}; what there is: {', '.join(NEEDS)}")
    return classes[0]


def _truth(text: str) -> bool:
    if text.lower() not in TRUTHS:
        raise ValueError
    return TRUTHS[text.lower()]


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


# Type of a field of a model's Config -> how ``--set`` reads it, and what to call it.
READERS: dict[object, tuple[Callable[[str], object], str]] = {
    int: (int, "a whole number"),
    float: (_finite, "a number"),
    bool: (_truth, "true or false"),
    str: (str, "text"),
    tuple[int, ...]: (_whole_numbers, "whole numbers between commas"),
}


def config_of(name: str, given: Sequence[str] = ()) -> typing.Any:
    """Return the configuration of a model from words like ``activation=relu``.

    Raises
    ------
    UserError
        If a word is not of this form, names a field that the model does not have or that was named before, or has a
        value that it cannot take.
    """
    config = load(name).Config
    types, values = typing.get_type_hints(config), {}
    for word in given:
        field, equals, text = word.partition("=")
        if not equals or field not in types:
            known = ", ".join(types) or "none at all"
            raise UserError(f"--set {word!r:.60}: expected name=value; the model {name} has the names {known}")
        if field in values:
            raise UserError(f"--set {field}: given twice, expected once; leave one of them out")
        if not text:
            raise UserError(f"--set {field}=: the value is empty; give one, or leave the name out for its default")
        read, expected = READERS[types[field]]
        try:
            values[field] = read(text)
        except ValueError:
            raise UserError(f"--set {field}={text!r:.60}: expected {expected}") from None
    return config(**values)


def options_of(config: object) -> dict[str, object]:
    """Return the fields of a configuration that are not at their default: part of a run's identity."""
    default = type(config)()
    return {name: value for name, value in dataclasses.asdict(config).items()  # type: ignore[call-overload]
            if value != getattr(default, name)}  # fmt: skip


def ablations_of(name: str, modalities: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the ablations of a model on data with some modalities, as `contract.Model` has them; none for most models.

    Where the content is left out, so is each modality after it, of data that have several.
    """
    model = load(name)
    found = {what: dict(changes) for what, changes in model.ablations.items()}
    if found and len(modalities) > 1 and "modalities" in {field.name for field in dataclasses.fields(model.Config)}:
        for one in modalities:
            found[f"without {one}"] = {"modalities": ",".join(other for other in modalities if other != one)}
    return found


def split_changes(name: str, changes: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Return what of an ablation's changes is of the model's options, and what of its schedule."""
    fields = {field.name for field in dataclasses.fields(load(name).Config)}
    options = {key: value for key, value in changes.items() if key in fields}
    return options, {key: value for key, value in changes.items() if key not in fields}


def ablation_of(name: str, modalities: Sequence[str], config: Mapping[str, typing.Any]) -> str:
    """Return which ablation of a model a run with this configuration is, "" for none.

    Parameters
    ----------
    name : str
    modalities : sequence of str
        Of the data.
    config : mapping
        Of a run: its `options`, and the fields of its schedule.
    """
    usual = {**dataclasses.asdict(Schedule()), **load(name).schedule}
    told = {key: value for key, value in config["options"].items() if key not in TUNED}
    for what, changes in ablations_of(name, modalities).items():
        options, schedule = split_changes(name, changes)
        if told == options and all(config.get(key) == schedule.get(key, usual[key]) for key in (*schedule, "loss")):
            return what
    return ""


def build(name: str, options: Mapping[str, object], sizes: Sizes, graph: Graph | None = None) -> Model:
    """Return a new model; see `layers.initialise` for how it starts."""
    model = load(name)
    return model(model.Config(**options), sizes, graph)
