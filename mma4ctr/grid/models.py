"""Every model on the same rows with the same budget: what is tried from one seed, then the best of it from all seeds.

Learning rates are tried, then what else is to be tried at the best of them. Which is best say the validation rows
alone. What else a model is trained with are its own defaults.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

from mma4ctr.catalogue import default_feature
from mma4ctr.cli import UserError
from mma4ctr.data.registry import modalities_of
from mma4ctr.grid.experiments import EVERY
from mma4ctr.models import registry
from mma4ctr.runs import finished, fit, folder
from mma4ctr.runs.run import Run, native
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.training.devices import device_of


def models_called(names: Sequence[str]) -> list[str]:
    """Return the models of these names; ``all`` are all but MMa4CTR, which has experiments of its own.

    Raises
    ------
    UserError
        If there is no such model.
    """
    known = registry.names()
    for name in names:
        if name not in (*known, EVERY):
            raise UserError(f"--models {name!r:.60}: unknown, expected {EVERY} or some of {', '.join(known)}")
    every = [name for name in known if name != registry.DEFAULT]
    return list(dict.fromkeys(one for name in names for one in (every if name == EVERY else [name])))


@dataclasses.dataclass(frozen=True)
class Trial:
    """A model, trained for a task at a learning rate from a seed, and with something else than is its own."""

    task: str
    protocol: str
    model: str
    learning_rate: float
    seed: int
    also: tuple[tuple[str, float], ...] = ()  # fields of its schedule or configuration
    ablation: str = ""

    def run(self, settings: Settings) -> Run:
        """Return the run of it.

        Raises
        ------
        UserError
            If an earlier step has not run, or not since something changed.
        """
        usual, modalities = dict(registry.load(self.model).schedule), modalities_of(settings, self.task)
        changes = registry.ablations_of(self.model, modalities)[self.ablation] if self.ablation else {}
        options, own = registry.split_changes(self.model, {**dict(self.also), **changes})
        told: dict = {**usual, **own, "learning_rate": self.learning_rate, "seed": self.seed}
        return native(settings, self.task, default_feature(modalities), self.protocol, Schedule(**told),
                      device_of("auto").type, self.model, options)  # fmt: skip

    def do(self, settings: Settings) -> str:
        """Do the run on the device that is here and return its id; a `UserError` reaches the caller."""
        return fit.finish_in_silence(self.run(settings))

    def is_finished(self, settings: Settings) -> bool:
        """Tell whether it has run, on the artefacts as they are now."""
        return folder.is_finished(settings, self.run(settings).id)

    def valid_auc(self, settings: Settings) -> float:
        """Return the validation AUC that it ended with."""
        return finished.load(settings, folder.read_metrics(settings, self.run(settings).id)).valid_auc

    def __str__(self) -> str:
        what = (self.task, self.protocol, self.model, *([self.ablation] if self.ablation else []))
        also = "".join(f", {name}={value:g}" for name, value in self.also)
        return f"{', '.join(what)}, learning_rate={self.learning_rate:g}{also}, seed={self.seed}"


def trials(
    tasks: Iterable[str], protocols: Iterable[str], models: Iterable[str], rates: Iterable[float]
) -> list[Trial]:
    """Return what is tried from the first seed: every model at every learning rate, with its own weight decay."""
    return [Trial(*every, seed=0) for every in itertools.product(tasks, protocols, models, rates)]


def best(settings: Settings, tried: Iterable[Trial]) -> list[Trial]:
    """Return, of each model of a task and protocol, the best of what ran on validation rows."""
    groups: dict[tuple[str, str, str], list[Trial]] = {}
    for trial in tried:
        if trial.is_finished(settings):
            groups.setdefault((trial.task, trial.protocol, trial.model), []).append(trial)
    return [max(group, key=lambda trial: trial.valid_auc(settings)) for group in groups.values()]


def tried_also(settings: Settings, tried: Iterable[Trial], also: Iterable[tuple[str, float]]) -> list[Trial]:
    """Return the best of what ran, with each of what is to be tried besides, a name and a value, that it has."""
    of_schedule = {field.name for field in dataclasses.fields(Schedule)}
    found = []
    for one in best(settings, tried):
        has = of_schedule | {field.name for field in dataclasses.fields(registry.load(one.model).Config)}
        found += [dataclasses.replace(one, also=((name, value),)) for name, value in also if name in has]
    return found


def chosen(settings: Settings, tried: Iterable[Trial], seeds: int) -> list[Trial]:
    """Return the best of what ran, from the other seeds."""
    return [dataclasses.replace(one, seed=seed) for one in best(settings, tried) for seed in range(1, seeds)]


def ablated(settings: Settings, tried: Iterable[Trial], seeds: int) -> list[Trial]:
    """Return the ablations of the best of what ran, at its learning rate, from all seeds.

    Raises
    ------
    UserError
        If none of the models has any.
    """
    tried = list(tried)
    if not any(registry.load(trial.model).ablations for trial in tried):
        having = [name for name in registry.names() if registry.load(name).ablations]
        raise UserError(f"--ablations: none of the models has any, expected some of {', '.join(having)} among --models")
    return [
        dataclasses.replace(one, seed=seed, ablation=what)
        for one in best(settings, tried)
        for what in registry.ablations_of(one.model, modalities_of(settings, one.task)) for seed in range(seeds)
    ]  # fmt: skip
