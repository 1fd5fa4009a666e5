"""Every model of a task on the test rows of one protocol, the highest AUC first."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.models import registry
from mma4ctr.report.leaderboard import chosen
from mma4ctr.report.sources import LabelRate, Ours, TaskRuns
from mma4ctr.runs.comparison import Summary, summarise
from mma4ctr.runs.finished import Evaluation
from mma4ctr.runs.tested import TUNED_REMARK, Tested

CONTENT = {"content", "item_content"}  # what a model may need that is content; the rest are ids, clicks and context
RATES = "user_item_rate"  # the label-rate predictor that models are set against


@dataclasses.dataclass(frozen=True)
class Standing:
    """One model and what it scored.

    Attributes
    ----------
    name : str
    evaluations : sequence of Evaluation
        One for each seed.
    sees_content : bool
        Whether it is given what items show, sound like or say.
    """

    name: str
    evaluations: Sequence[Evaluation]
    sees_content: bool

    @functools.cached_property
    def summary(self) -> Summary:
        """Its figures over the seeds."""
        return summarise(self.evaluations)

    @property
    def auc(self) -> float:
        """The mean AUC over seeds."""
        return self.summary.figures["auc"]


def name_of(tested: Tested, others: Sequence[Tested]) -> str:
    """Return the name of a model, with how it was run where it ran in several ways; what was tuned is not one."""
    alike = [one for one in others if one.name == tested.name]
    own = [remark for remark in tested.remarks if TUNED_REMARK not in remark]
    return f"{tested.name} ({', '.join(own)})" if len(alike) > 1 and own else tested.name


def sees_content(tested: Tested) -> bool:
    """Tell whether a model is given content; those of RecBole are given ids alone."""
    return tested.native and bool(CONTENT & registry.load(tested.model).needs)


def of_others(runs: TaskRuns, protocol: str) -> list[Tested]:
    """Return the other models that were tested on the rows of MMa4CTR's fused features under a protocol."""
    return [one for one in runs.others if one.protocol == protocol and one.on_fused_rows and not one.watched]


def standings(runs: TaskRuns, protocol: str) -> list[Standing]:
    """Return every model of a task under a protocol, on the rows of the fused features.

    Each is shown after the epochs that its validation rows choose; test rows never do.
    """
    variants = [variant for variant in runs.variants if variant.protocol == protocol]
    ours = [one for variant in variants if (one := Ours(runs, variant, runs.adaptive)).epochs]
    others = of_others(runs, protocol)
    found = [Standing(one.name, chosen(one)[1], True) for one in ours]
    found += [Standing(name_of(one, others), chosen(one)[1], sees_content(one)) for one in others]
    return sorted(found, key=lambda one: -one.auc)


def label_rates(runs: TaskRuns, on: Sequence[Standing]) -> dict[str, Standing]:
    """Return the label-rate predictors, by name, on the test rows of some standings; none where there are none."""
    if not on:
        return {}
    first = on[0].evaluations[0]
    sources = {name: LabelRate(name, runs.results.label_rate(first, name)) for name in LABEL_RATES}
    return {name: Standing(name, source.evaluations(None), False) for name, source in sources.items()}
