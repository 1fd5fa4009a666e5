"""The finished runs of the baselines, those that differ in their seed alone together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

from mma4ctr.cli import UserError
from mma4ctr.data.registry import TASKS
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.published import tables as published
from mma4ctr.runs import folder as runs
from mma4ctr.runs.find import FIGURES, Evaluation, Results
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SETTINGS = PROTOCOLS  # each protocol's columns show the baselines of the setting of its name
WATCHED = "@watched"  # ends the names of runs in the published setting, which is another task


@dataclasses.dataclass(frozen=True)
class BaselineRun:
    """A finished run of a baseline: its configuration, metrics and history of epochs."""

    folder: Path
    config: dict
    metrics: dict
    history: list[dict]

    def entry(self, epochs: int) -> dict | None:
        """Return the entry of the history after so many epochs, None where the run was not tested then."""
        found = self.history[epochs - 1] if epochs <= len(self.history) else {}
        return found if "test_auc" in found else None

    def evaluation(self, epochs: int) -> Evaluation | None:
        """Return the run as it stood after so many epochs, None where it was not tested then."""
        entry = self.entry(epochs)
        if entry is None:
            return None
        figures = {name: entry[f"test_{name}"] for name in FIGURES}
        # As for MMa4CTR's runs: label-rate predictors are identified by their rows, among others.
        rows = self.metrics.get("label_rates", {}).get("user_rate", self.config["feature"])
        return Evaluation(self.metrics["run"], self.folder, epochs, figures, rows)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One baseline in one setting, with the runs of its seeds.

    Attributes
    ----------
    model : str
        RecBole's name.
    setting : str
        ``clean``, on MMa4CTR's rows, or ``published``, on another task.
    remarks : tuple of str
        How it was run otherwise than by the published options.
    runs : tuple of BaselineRun
        In the order of their seeds; several of one seed if they were tested after other numbers of epochs.
    """

    model: str
    setting: str
    remarks: tuple[str, ...]
    runs: tuple[BaselineRun, ...]

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return self.model + (WATCHED if self.setting == "published" else "")

    @property
    def epochs(self) -> list[int]:
        """After how many epochs it was tested."""
        return sorted({entry["epoch"] for run in self.runs for entry in run.history if "test_auc" in entry})

    @property
    def longest(self) -> BaselineRun:
        """The run with the most epochs, of the first seed that has so many."""
        return max(self.runs, key=lambda run: len(run.history))

    def tested(self, epochs: int) -> list[BaselineRun]:
        """Return the runs that were tested after so many epochs, one for each seed."""
        by_seed = {run.metrics["seed"]: run for run in self.runs if run.entry(epochs) is not None}
        return list(by_seed.values())

    def evaluations(self, epochs: int) -> list[Evaluation]:
        """Return what it scored after so many epochs, one evaluation for each seed."""
        return [run.evaluation(epochs) for run in self.tested(epochs)]

    def mean(self, epochs: int, figure: str) -> float | None:
        """Return a figure's mean over seeds, None where it does not exist."""
        values = (run.entry(epochs).get(f"test_{figure}") for run in self.tested(epochs))
        known = [value for value in values if value is not None and not math.isnan(value)]
        return sum(known) / len(known) if known else None


def is_current(settings: Settings, task: str, built_on: dict[str, str]) -> bool:
    """Tell whether a run stands on the artefacts as they are now."""
    try:
        return all(records.require(settings, step, TASKS[task].dataset).id == found for step, found in built_on.items())
    except UserError:
        return False


def load(results: Results, task: str) -> Iterable[BaselineRun]:
    """Yield the runs of a task, and those of the published setting, which has no labels, of its data set."""
    for content in results.metrics:
        if content.get("baseline") is None:
            continue
        watched = content["protocol"] == "published"
        same = TASKS[content["task"]].dataset == TASKS[task].dataset if watched else content["task"] == task
        if same:
            folder = runs.folder_of(results.settings, content["run"])
            again = f"python baseline/comp.py after removing the folder {folder}"
            config, history = (artifacts.read_json(folder / f"{name}.json", again) for name in ("config", "history"))
            if is_current(results.settings, task, config["built_on"]):
                yield BaselineRun(folder, config, content, history)


def remarks_of(content: dict) -> tuple[str, ...]:
    """Return how a run was run otherwise than by the published options."""
    observed = ("observed negatives",) if content["negatives"] == "observed" else ()
    return (*observed, *(f"options of {Path(file).name}" for file in content.get("laid_over", ())))


def of_task(results: Results, task: str) -> list[Baseline]:
    """Return the baselines of a task, in the order of the published tables, those with the published options first."""
    order = published.load()["model"].unique(maintain_order=True).to_list()
    groups: dict[tuple, list[BaselineRun]] = {}
    for run in load(results, task):
        content = run.metrics
        key = (content["protocol"], content["baseline"], remarks_of(content), records.identity(run.config["options"]))
        groups.setdefault(key, []).append(run)

    def place(group: tuple[tuple, list[BaselineRun]]) -> tuple:
        setting, model, *others = group[0]
        return (setting, order.index(model) if model in order else len(order), model, *others)

    return [
        Baseline(model, setting, remarks, tuple(sorted(found, key=lambda run: (run.metrics["seed"], len(run.history)))))
        for (setting, model, remarks, _), found in sorted(groups.items(), key=place)
    ]


def commands(results: Results) -> list[list[str]]:
    """Return the words after ``python baseline/comp.py`` that give every run again, one command for each task."""
    groups: dict[tuple, list[BaselineRun]] = {}
    for run in (run for task in TASKS for run in load(results, task) if run.metrics["task"] == task):
        content = run.metrics
        key = (content["protocol"], content["task"], content["negatives"] == "observed")
        groups.setdefault((*key, tuple(run.config["tested"]), tuple(content.get("laid_over", ()))), []).append(run)
    found = []
    for (setting, task, observed, tested, laid_over), group in groups.items():
        models = dict.fromkeys(run.metrics["baseline"] for run in group)
        seeds = 1 + max(run.metrics["seed"] for run in group)
        words = ["--dataset", task, "--setting", setting, "--models", *models, "--epochs", *map(str, tested)]
        words += ["--seeds", str(seeds)] if seeds > 1 else []
        words += ["--negatives", "observed"] if observed else []
        found.append([*words, *(["--config", *laid_over] if laid_over else [])])
    return found
