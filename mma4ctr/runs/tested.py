"""The finished runs of every other model than MMa4CTR: the package's own and RecBole's, grouped over seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mma4ctr.cli import UserError
from mma4ctr.data.registry import modalities_of
from mma4ctr.features import fusion
from mma4ctr.models import registry
from mma4ctr.published import tables as published
from mma4ctr.runs import finished
from mma4ctr.runs.find import FinishedRuns
from mma4ctr.runs.finished import Evaluation, FinishedRun
from mma4ctr.runs.run import COMP, MLP, code_of, references_of, split_of
from mma4ctr.schedule import TUNED
from mma4ctr.settings import Settings
from mma4ctr.store import records

WATCHED = "@watched"  # ends the names of RecBole's runs in the published setting, which is another task
TUNED_REMARK = "the best of"  # is part of the remark on what was chosen so
# What two runs may differ in and still be repeats of one another.
REPEATS = ("seed", "epochs", "eval_every", "tested", "device", "versions", "built_on")


@dataclasses.dataclass(frozen=True)
class Tested:
    """One model in one protocol, with the runs of its seeds.

    Attributes
    ----------
    model : str
        Its name in the package, or RecBole's.
    native : bool
        Whether it is a model of the package.
    protocol : str
        For RecBole's models ``published`` means the published setting, which is another task.
    remarks : tuple of str
        How it was run otherwise than by default.
    ablation : str
        Which of the model's ablations it is, "" for none; see `registry.ablations_of`.
    runs : tuple of FinishedRun
        In the order of their seeds; several of one seed if they were tested after other numbers of epochs.
    """

    model: str
    native: bool
    protocol: str
    remarks: tuple[str, ...]
    runs: tuple[FinishedRun, ...]
    ablation: str = ""

    @property
    def watched(self) -> bool:
        """Whether it tells watched videos from sampled unwatched ones, which is not comparable with MMa4CTR."""
        return not self.native and self.protocol == "published"

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return self.model + (WATCHED if self.watched else "")

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said where the model alone is named."""
        return (*((WATCHED,) if self.watched else ()), *self.remarks)

    @property
    def epochs(self) -> list[int]:
        """After how many epochs it was tested."""
        return sorted({epochs for run in self.runs for epochs in run.epochs})

    @property
    def longest(self) -> FinishedRun:
        """The run with the most epochs, of the first seed that has so many."""
        return max(self.runs, key=lambda run: len(run.history))

    @property
    def on_fused_rows(self) -> bool:
        """Whether it was tested on the rows of the fused features, which all but single modalities share."""
        return not self.native or fusion.covers(self.longest.metrics["feature"]) == fusion.FUSED

    def fits(self, protocol: str, reduction: str) -> bool:
        """Tell whether it belongs to the columns of a protocol and of a reduction of user embeddings, if it has one."""
        return (self.protocol, self.longest.config.get("reduction", reduction)) == (protocol, reduction)

    def tested(self, epochs: int) -> list[FinishedRun]:
        """Return the runs that were tested after so many epochs, one for each seed."""
        by_seed = {run.metrics["seed"]: run for run in self.runs if run.figures(epochs) is not None}
        return list(by_seed.values())

    def evaluations(self, epochs: int) -> list[Evaluation]:
        """Return what it scored after so many epochs, one evaluation for each seed."""
        found = (run.evaluation(epochs) for run in self.tested(epochs))
        return [one for one in found if one is not None]

    def mean(self, epochs: int, figure: str) -> float | None:
        """Return a figure's mean over seeds, None where it does not exist."""
        values = ((run.figures(epochs) or {}).get(figure) for run in self.tested(epochs))
        known = [value for value in values if value is not None and not math.isnan(value)]
        return sum(known) / len(known) if known else None


def is_current(settings: Settings, run: FinishedRun) -> bool:
    """Tell whether a run stands on the artefacts, the split and the code as they are now."""
    config = run.config
    if "reduction" in config:
        settings = settings.with_embedding(config["reduction"], config["user_embedding_length"])
    script = MLP if run.metrics.get("baseline") is None else COMP
    split = split_of(settings, script, config["protocol"])
    if {name: config.get(name) for name in split} != split:
        return False
    try:
        if config.get("code") != code_of(script, config["protocol"], config["model"]):
            return False
        return all(records.require(settings, **reference).id == config["built_on"][name]
                   for name, reference in references_of(settings, config).items())  # fmt: skip
    except UserError:
        return False


def load(results: FinishedRuns, *, native: bool) -> Iterator[FinishedRun]:
    """Yield the runs of the package's other models, or of RecBole's, that stand on the artefacts as they are now."""
    for content in results.metrics:
        model = finished.native_model(content)
        wanted = model not in (None, finished.MMA4CTR) if native else content.get("baseline") is not None
        if wanted and is_current(results.settings, found := finished.load(results.settings, content)):
            yield found


def remarks_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how a run of RecBole's was run otherwise than by the published options."""
    observed = ("observed negatives",) if content["negatives"] == "observed" else ()
    return (*observed, *(f"options of {Path(file).name}" for file in content.get("laid_over", ())))


def in_order(runs: Iterable[FinishedRun]) -> tuple[FinishedRun, ...]:
    """Return runs by their seeds, then by their lengths."""
    return tuple(sorted(runs, key=lambda run: (run.metrics["seed"], len(run.history))))


def baselines(results: FinishedRuns, task: str) -> list[Tested]:
    """Return RecBole's models, in the order of the published tables, those with the published options first.

    The published setting has no labels, so that it is the same for all tasks of a data set.
    """
    order = published.load()["model"].unique(maintain_order=True).to_list()
    groups: dict[tuple, list[FinishedRun]] = {}
    for run in load(results, native=False):
        content = run.metrics
        watched = content["protocol"] == "published"
        of_both = [results.settings.dataset_of(one) for one in (content["task"], task)]
        if len(set(of_both)) == 1 if watched else content["task"] == task:
            options = records.identity(run.config["options"])
            key = (content["protocol"], content["baseline"], remarks_of(content), options)
            groups.setdefault(key, []).append(run)

    def place(group: tuple[tuple, list[FinishedRun]]) -> tuple:
        protocol, model, *others = group[0]
        return (protocol, order.index(model) if model in order else len(order), model, *others)

    return [Tested(model, False, protocol, remarks, in_order(found))
            for (protocol, model, remarks, _), found in sorted(groups.items(), key=place)]  # fmt: skip


def own_settings(config: Mapping[str, Any]) -> frozenset[str]:
    """Return what a run was set to, ``name=value`` each, apart from what its repeats may differ in."""
    flat = {name: value for name, value in config.items() if name not in REPEATS}
    for name in [name for name, value in flat.items() if isinstance(value, Mapping)]:
        flat |= flat.pop(name)
    return frozenset(f"{name}={value}" for name, value in flat.items())


Groups = dict[frozenset[str], list[FinishedRun]]  # what runs were set to -> these runs


def is_tuned(setting: str) -> bool:
    """Tell whether a setting, ``name=value``, is one that is chosen on validation rows."""
    return setting.partition("=")[0] in TUNED


def best_of(tried: Groups) -> tuple[tuple[str, ...], list[FinishedRun]]:
    """Return the runs with the highest validation AUC, and what they were set to, of some that differ in that alone.

    They are compared from the first seed, from which all were tried, after the longest run.
    """

    def valid_auc(own: frozenset[str]) -> float:
        longest = min(tried[own], key=lambda run: (run.metrics["seed"], -run.config["epochs"]))
        return longest.valid_auc

    best = max(sorted(tried, key=sorted), key=valid_auc)
    words = sorted(best - frozenset.intersection(*tried))
    return (f"{', '.join(words)}: {TUNED_REMARK} {len(tried)} on validation rows",) if len(tried) > 1 else (), tried[
        best
    ]


def natives(results: FinishedRuns, task: str) -> list[Tested]:
    """Return the package's models but MMa4CTR by name, those with fewest settings of their own first.

    What a model was set to is remarked where its runs were not all set to the same, its ablations apart. Of those that
    differ in what is tuned alone, the best on validation rows is returned.
    """
    groups: dict[tuple[str, str, str], Groups] = {}
    modalities = modalities_of(results.settings, task)
    for run in load(results, native=True):
        if run.metrics["task"] == task:
            protocol, model = run.metrics["protocol"], run.metrics["model"]
            of_model = groups.setdefault((protocol, model, registry.ablation_of(model, modalities, run.config)), {})
            of_model.setdefault(own_settings(run.config), []).append(run)
    found = []
    for (protocol, model, ablation), of_model in groups.items():
        shared = frozenset.intersection(*of_model)
        alike: dict[frozenset[str], Groups] = {}
        for own, runs in of_model.items():
            alike.setdefault(frozenset(one for one in own - shared if not is_tuned(one)), {})[own] = runs
        for own, tried in alike.items():
            remarks, runs = best_of(tried)
            found.append(Tested(model, True, protocol, (*sorted(own), *remarks), in_order(runs), ablation))
    return sorted(found, key=lambda one: (one.protocol, one.model, one.ablation, len(one.remarks), one.remarks))


def of_task(results: FinishedRuns, task: str) -> list[Tested]:
    """Return every other model that was tested on a task: the package's, then RecBole's."""
    return [*natives(results, task), *baselines(results, task)]


def commands(results: FinishedRuns) -> list[list[str]]:
    """Return the words after ``python baseline/comp.py`` that give RecBole's runs again, one command for each task."""
    groups: dict[tuple, list[FinishedRun]] = {}
    tasks = [task.name for dataset in results.settings.datasets.values() for task in dataset.tasks]
    for run in sorted(load(results, native=False), key=lambda run: tasks.index(run.metrics["task"])):
        content = run.metrics
        key = (content["protocol"], content["task"], content["negatives"] == "observed")
        groups.setdefault((*key, tuple(run.config["tested"]), tuple(content.get("laid_over", ()))), []).append(run)
    return [words_of(group) for group in groups.values()]


def words_of(group: Sequence[FinishedRun]) -> list[str]:
    """Return the words of the command that gives runs of RecBole's again, which differ in model and seed alone."""
    content, tested = group[0].metrics, group[0].config["tested"]
    models = dict.fromkeys(run.metrics["baseline"] for run in group)
    seeds = 1 + max(run.metrics["seed"] for run in group)
    words = ["--dataset", content["task"], "--setting", content["protocol"], "--models", *models]
    words += ["--epochs", *map(str, tested)]
    words += ["--seeds", str(seeds)] if seeds > 1 else []
    words += ["--negatives", "observed"] if content["negatives"] == "observed" else []
    return [*words, *(["--config", *content["laid_over"]] if content.get("laid_over") else [])]
