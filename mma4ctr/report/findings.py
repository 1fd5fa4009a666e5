"""What was found, in sentences, before the tables that it is read from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from mma4ctr.grid.experiments import VARIANTS
from mma4ctr.published import tables as published
from mma4ctr.report import absent, provenance
from mma4ctr.report.cells import NO_INTERVAL, bracketed, signed, told
from mma4ctr.report.model import Finding
from mma4ctr.report.sources import Ours, TaskRuns
from mma4ctr.report.standings import RATES, Standing, label_rates, standings
from mma4ctr.runs.comparison import Difference, Summary, difference, summarise

SHOWN = 3  # of the best models
CLOSE = 0.01  # AUC, from which a published figure is no longer called near ours
INTERVALS = "Numbers in brackets are 95 % intervals over test users; those of a difference are paired."


def scored(summary: Summary) -> str:
    """Return an AUC with its interval."""
    there = not math.isnan(summary.interval[0])
    interval = bracketed(summary.interval) if there else f"(no interval: {NO_INTERVAL})"
    return f"{summary.figures['auc']:.4f} {interval}"


def set_against(found: Difference, reference: str) -> str:
    """Return what a model scores more or less than a reference, or that the two are not told apart."""
    said = f"scores {abs(found.auc):.4f} {{}}{'more' if found.auc > 0 else 'less'} than {reference}"
    if math.isnan(found.low):
        return f"{said.format('')} (no interval: {NO_INTERVAL})"
    if not found.is_one:
        return f"is not told apart from {reference} (Δ {told(found)})"
    low, high = sorted(map(abs, (found.low, found.high)))
    return said.format(f"{bracketed((low, high))} ")


def counted_seeds(found: Sequence[Standing]) -> str:
    """Return from how many seeds some models were trained."""
    low, *_, high = sorted(one.summary.seeds for one in (found[0], *found))
    each = " each" if len(found) > 1 else ""
    if high == 1:
        return f"one seed{each}, so that how much seeds differ is not known"
    return f"{high} seeds{each}" if low == high else f"{low} to {high} seeds{each}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def best_models(runs: TaskRuns) -> list[str]:
    """Return which models are best under the clean protocol, and where MMa4CTR stands among them."""
    found = standings(runs, "clean")
    if not found:
        leaky = standings(runs, "published")
        said = ["Nothing has run under the clean protocol, so that no model can be called better than another."]
        first = next((one for one in leaky if one.name.startswith(published.MODEL)), None)
        return said + ([f"Under the published one, which leaks, {first.name} scores {scored(first.summary)}."]
                       if first else [])  # fmt: skip
    if len(found) == 1:
        return [f"{found[0].name} is the only model that has run under the clean protocol: {scored(found[0].summary)}, "
                f"{counted_seeds(found)}."]  # fmt: skip
    top, *others = found
    highest = listed([f"{one.name} {scored(one.summary)}" for one in found[:SHOWN]])
    among = f"{len(found)} models on the same test rows (clean protocol, {counted_seeds(found)})"
    said = [f"Of {among}, the highest AUCs are {highest}."]
    if not math.isnan(top.summary.interval[0]):
        near = [one.name for one in others if not difference(one.evaluations, top.evaluations).is_one]
        said.append(f"Not told apart from {top.name}: {listed(near)}." if near else f"{top.name} is above all others.")
    places = {one.name: place for place, one in enumerate(found, 1) if one.name.startswith(published.MODEL)}
    said += [f"{name} is number {place} of {len(found)}: {scored(found[place - 1].summary)}."
             for name, place in places.items() if place > SHOWN]  # fmt: skip
    return said


def beyond_rates(runs: TaskRuns) -> list[str]:
    """Return what models score beyond click rates under the clean protocol: with content, without, and MMa4CTR."""
    found = standings(runs, "clean")
    if not found:
        return []
    rate = label_rates(runs, found)[RATES]

    def against_rates(one: Standing) -> str:
        return set_against(difference(one.evaluations, rate.evaluations), RATES)

    seeing = next((one for one in found if one.sees_content), None)
    blind = next((one for one in found if not one.sees_content), None)
    ours = next((one for one in found if one.name.startswith(published.MODEL)), None)
    said = [f"The click rates of users and items alone ({RATES}) score {scored(rate.summary)}."]
    if seeing:
        said.append(f"{seeing.name}, the best model that sees content, {against_rates(seeing)}.")
    if blind:
        said.append(f"{blind.name}, the best that sees none, {against_rates(blind)}.")
    if seeing and blind:
        between = set_against(difference(seeing.evaluations, blind.evaluations), blind.name)
        said.append(f"Of these two, {seeing.name} {between}; they differ in more than content.")
    if ours and ours is not seeing:
        said.append(f"{ours.name} {against_rates(ours)}.")
    return said


def of_both_protocols(runs: TaskRuns) -> list[tuple[Ours, Ours, int]]:
    """Return MMa4CTR under the published and the clean protocol, and the most epochs after which both were tested."""
    pairs = []
    for variant in (one for one in runs.variants if one.protocol == "published"):
        clean = next((one for one in runs.variants
                      if (one.protocol, one.reduction) == ("clean", variant.reduction)), None)  # fmt: skip
        if clean is not None:
            theirs, ours = Ours(runs, variant, runs.adaptive), Ours(runs, clean, runs.adaptive)
            shared = sorted(set(theirs.epochs) & set(ours.epochs))
            pairs += [(theirs, ours, shared[-1])] if shared else []
    return pairs


def leak(runs: TaskRuns) -> list[str]:
    """Return what the published protocol scores more than the clean one, and what click rates alone score there."""
    said = []
    for theirs, ours, epochs in of_both_protocols(runs)[:1]:
        high, low = (summarise(one.evaluations(epochs)) for one in (theirs, ours))
        gap = high.figures["auc"] - low.figures["auc"]
        said.append(f"{theirs.name} after {epochs} epochs scores {scored(high)} under the published protocol and "
                    f"{scored(low)} under the clean one, a gap of {signed(gap)}.")  # fmt: skip
    settings = runs.results.settings
    if not absent.has_run(settings, "cross_matrix.py", settings.dataset_of(runs.task)):
        return said
    leaky, honest = runs.audit("published"), runs.audit("clean")
    if math.isnan(leaky.auc):
        return [*said, f"No audit without a model: {NO_INTERVAL}."]
    above = (leaky.shuffled - 0.5) / leaky.standard_error
    said.append(f"The click rate of each user over all rows, test rows included, which is the least that a published "
                f"user embedding holds, scores {leaky.auc:.4f} by itself on the published protocol's test rows; with "
                f"all labels shuffled still {leaky.shuffled:.4f}, {above:.1f} standard errors above 0.5.")  # fmt: skip
    if not math.isnan(honest.auc):
        said.append(f"Over training rows alone it scores {honest.auc:.4f} on the clean protocol's, and "
                    f"{honest.shuffled:.4f} with labels shuffled.")  # fmt: skip
    return said


@dataclasses.dataclass(frozen=True)
class Pair:
    """A published AUC of MMa4CTR beside ours of the same settings."""

    where: str
    theirs: float
    ours: Summary

    @property
    def gap(self) -> float:
        """Ours minus the published one."""
        return self.ours.figures["auc"] - self.theirs

    @property
    def agrees(self) -> bool:
        """Whether the published one lies within our interval, or near ours."""
        low, high = self.ours.interval
        return low <= self.theirs <= high or abs(self.gap) <= CLOSE


def published_pairs(runs: TaskRuns) -> list[Pair]:
    """Return every published AUC of MMa4CTR that a run of what the published scripts ran stands beside."""
    pairs = []
    for experiment in runs.experiments.values():
        number = experiment.number(runs.subsection)
        for name, setting in experiment.rows.items():
            for epochs in experiment.epochs:
                printed = published.printed().get((number, name, epochs, published.MODEL, "auc"))
                evaluations = runs.evaluations(VARIANTS[0], setting, epochs) if printed is not None else ()
                if printed is not None and evaluations:
                    where = f"table {number}, {name + ' ' if name else ''}after {epochs} epochs"
                    pairs.append(Pair(where, float(printed), summarise(evaluations)))
    return pairs


def agreement(runs: TaskRuns) -> list[str]:
    """Return how many published figures ours agree with, and which is farthest off."""
    if runs.subsection is None:
        return []
    pairs = published_pairs(runs)
    if not pairs:
        return [f"Nothing to compare: no finished run of {VARIANTS[0].reduction} under the {VARIANTS[0].protocol} "
                "protocol, which is what the published scripts ran."]  # fmt: skip
    agreeing = sum(pair.agrees for pair in pairs)
    farthest = max(pairs, key=lambda pair: abs(pair.gap))
    settings = runs.results.settings
    is_sample = provenance.is_sample(settings, settings.dataset_of(runs.task))
    made_up = "These rows are made up, so that published figures are not to be expected of them. " if is_sample else ""
    return [f"{made_up}{agreeing} of the {len(pairs)} published AUCs of {published.MODEL} that a run stands beside "
            f"({VARIANTS[0]}) lie within our interval or within {CLOSE:g} of ours.",
            f"Farthest off is {farthest.where}: published {farthest.theirs:.4f}, ours {scored(farthest.ours)}, "
            f"{signed(farthest.gap)}."]  # fmt: skip


# What is found of a task -> what says it; what says nothing is left out.
FINDINGS: dict[str, Callable[[TaskRuns], list[str]]] = {
    "The best models": best_models,
    "Beyond click rates": beyond_rates,
    "The leak": leak,
    "The published figures": agreement,
}


def of_task(runs: TaskRuns) -> Finding:
    """Return what was found of one task."""
    said = {lead: " ".join(find(runs)) for lead, find in FINDINGS.items()}
    return Finding(runs.task, tuple((lead, text) for lead, text in said.items() if text))
