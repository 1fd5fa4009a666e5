"""What has been run for one task, and where the figures of a table's row come from: one model in one setting."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol

from mma4ctr.data.registry import modalities_of, task_of
from mma4ctr.evaluation import leak_audit
from mma4ctr.grid.experiments import CAUSAL_OF, EXPERIMENTS, VARIANTS, Point, Setting, Variant, adaptive, experiments_of
from mma4ctr.grid.results import Results
from mma4ctr.models import registry
from mma4ctr.published.tables import MODEL
from mma4ctr.report import provenance
from mma4ctr.runs import tested
from mma4ctr.runs.comparison import summarise
from mma4ctr.runs.finished import Evaluation, FinishedRun

PERFORMANCE = ("performance", "performance_by_epoch")  # the experiments that set models beside one another


class Source(Protocol):
    """What a row needs to know of the runs behind it; `runs.tested.Tested` is one, and the last two classes here are.

    Attributes
    ----------
    model : str
        What it is called in the published tables; nothing for what is not there.
    name : str
        What it is called in ours.
    remarks : tuple of str
        What is said below its name.
    notes : tuple of str
        What is said below its figures where only the model is named.
    epochs : sequence of int
        After how many epochs it was tested; None alone for what is not trained.
    longest : FinishedRun or None
        The run with the most epochs.
    """

    @property
    def model(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def remarks(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def epochs(self) -> Sequence[int | None]: ...
    @property
    def longest(self) -> FinishedRun | None: ...

    def evaluations(self, epochs: Any) -> Sequence[Evaluation]:
        """Return what it scored after so many epochs, one evaluation for each seed."""

    def mean(self, epochs: Any, figure: str) -> float | None:
        """Return a figure's mean over seeds, None where it does not exist."""


class TaskRuns:
    """The finished runs of one task, as tables and curves ask for them."""

    def __init__(self, results: Results, task: str) -> None:
        self.results, self.task = results, task
        declared = task_of(results.settings, task)
        self.subsection = declared.subsection
        self.ours = provenance.ours(results.settings, declared.dataset)
        self.modalities = modalities_of(results.settings, task)
        self.experiments, self.adaptive = experiments_of(self.modalities), adaptive(self.modalities)
        self.variants = [variant for variant in VARIANTS if self._has_runs(variant)]
        self.causal = {whole: causal for whole, causal in CAUSAL_OF.items()
                       if whole in self.variants and self._has_runs(causal)}  # fmt: skip

    @functools.cached_property
    def every_other(self) -> list[tested.Tested]:
        """The other models that have run, in every setting, with their ablations."""
        return tested.of_task(self.results, self.task)

    @property
    def others(self) -> list[tested.Tested]:
        """The other models that have run, in every setting that is no ablation."""
        return [one for one in self.every_other if not one.ablation]

    def ablations(self, model: str) -> list[tested.Tested]:
        """Return the ablations of a model that have run under the clean protocol, in the order of its own."""
        order = list(registry.ablations_of(model, self.modalities))
        found = [one for one in self.every_other if (one.model, one.protocol) == (model, "clean") and one.ablation]
        return sorted(found, key=lambda one: order.index(one.ablation))

    def _has_runs(self, variant: Variant) -> bool:
        return any(self._has_experiment(variant, name) for name in self.experiments)

    def _has_experiment(self, variant: Variant, name: str) -> bool:
        experiment = self.experiments[name]
        return any(self.evaluations(variant, setting, epochs)
                   for setting in experiment.rows.values() for epochs in experiment.epochs)  # fmt: skip

    def has_run(self, name: str) -> bool:
        """Tell whether a run has finished that stands in the table of an experiment."""
        return any(self._has_experiment(variant, name) for variant in self.variants)

    @functools.cache  # noqa: B019 - one object lives as long as the script
    def audit(self, protocol: str) -> leak_audit.Audit:
        """Return what click rates alone score under a protocol."""
        return leak_audit.audit(self.results.settings, self.task, protocol)

    @functools.cache  # noqa: B019 - one object lives as long as the script
    def evaluations(self, variant: Variant, setting: Setting, epochs: int) -> tuple[Evaluation, ...]:
        """Return what MMa4CTR's runs of a setting scored after so many epochs, one for each seed that has run."""
        points = (Point(self.task, variant, setting, seed, epochs) for seed in range(self.results.seeds))
        return tuple(evaluation for evaluation in map(self.results.find, points) if evaluation is not None)

    def any_evaluation(self, variant: Variant) -> Evaluation | None:
        """Return an evaluation of all modalities with the published settings, None where there is none."""
        found = (
            one
            for name in ("performance_by_epoch", "epochs")
            for setting in self.experiments[name].rows.values()
            for epochs in self.experiments[name].epochs
            for one in self.evaluations(variant, setting, epochs)
        )
        return next(found, None)

    def longest_run(self, variant: Variant, setting: Setting | None = None) -> FinishedRun | None:
        """Return the longest run of a setting, by default all modalities as published, from the first seed."""
        lengths = reversed(EXPERIMENTS["performance_by_epoch"].epochs)
        points = (Point(self.task, variant, setting or self.adaptive, 0, epochs) for epochs in lengths)
        return next((found for point in points if (found := self.results.trajectory(point)) is not None), None)


@dataclasses.dataclass(frozen=True)
class Ours:
    """MMa4CTR in one setting under one variant."""

    runs: TaskRuns
    variant: Variant
    setting: Setting
    model: str = MODEL
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{MODEL} ({self.variant.reduction})"

    @property
    def epochs(self) -> list[int]:
        """After which of the numbers of epochs at which models are compared it was tested."""
        wanted = sorted({epochs for name in PERFORMANCE for epochs in EXPERIMENTS[name].epochs})
        return [epochs for epochs in wanted if self.evaluations(epochs)]

    @property
    def longest(self) -> FinishedRun | None:
        """The longest run from the first seed."""
        return self.runs.longest_run(self.variant, self.setting)

    def evaluations(self, epochs: int) -> tuple[Evaluation, ...]:
        """Return what it scored after so many epochs, one evaluation for each seed."""
        return self.runs.evaluations(self.variant, self.setting, epochs)

    def mean(self, epochs: int, figure: str) -> float | None:
        """Return a figure's mean over seeds, None where it does not exist."""
        found = self.evaluations(epochs)
        return summarise(found).figures.get(figure) if found else None


@dataclasses.dataclass(frozen=True)
class LabelRate:
    """A label-rate predictor, which is not trained, on some test rows."""

    name: str
    evaluation: Evaluation
    model: str = ""
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    epochs: tuple[None, ...] = (None,)
    longest: None = None

    def evaluations(self, epochs: int | None) -> list[Evaluation]:
        """Return what it scored."""
        return [self.evaluation]

    def mean(self, epochs: int | None, figure: str) -> float | None:
        """Return a figure."""
        return self.evaluation.figures.get(figure)
