"""One table of every model of a task, for a terminal: each after the epochs that its validation rows choose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from mma4ctr.cli import print_table
from mma4ctr.evaluation.calibration import NAME as CALIBRATED
from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.experiments import VARIANTS
from mma4ctr.report.cells import bracketed
from mma4ctr.report.sources import LabelRate, Ours, Source, TaskRuns
from mma4ctr.runs import folder
from mma4ctr.runs.comparison import summarise
from mma4ctr.runs.finished import Evaluation

COLUMNS = ("model", "epochs", "AUC", "95 % interval", "± seeds", "GAUC", "LogLoss", "calibrated", "AP", "seconds",
           "parameters")  # fmt: skip


def validation_auc(evaluations: Sequence[Evaluation]) -> float:
    """Return the mean over seeds of the validation AUC when these runs were tested."""
    found = [folder.load_json(one.folder, "history")[(one.kept or one.epoch) - 1]["valid_auc"] for one in evaluations]
    return sum(found) / len(found)


def chosen(source: Source) -> tuple[int | None, Sequence[Evaluation]]:
    """Return after how many epochs a model is shown, by its validation rows alone, and what it scored then."""
    found = {epochs: source.evaluations(epochs) for epochs in source.epochs}
    best = max(found, key=lambda epochs: validation_auc(found[epochs])) if None not in found else None
    return best, found[best]


def sources_of(task: TaskRuns) -> Iterator[Source]:
    """Yield MMa4CTR on all modalities and on each alone, other models, and the label-rate predictors, if they ran."""
    (variant,) = [one for one in task.variants if one.protocol == "clean" and one.reduction == "pca"]
    ours = [task.adaptive, *task.experiments["single_modal"].rows.values()]
    yield from (one for one in (Ours(task, variant, setting) for setting in ours) if one.epochs)
    if variant in task.causal and (causal := Ours(task, task.causal[variant], task.adaptive)).epochs:
        yield causal
    yield from (one for one in task.others if one.protocol == "clean")
    known = task.any_evaluation(variant)
    if known is not None:
        yield from (LabelRate(name, task.results.label_rate(known, name)) for name in LABEL_RATES)


def name_of(source: Source) -> str:
    """Return what a model is called in the table."""
    if not isinstance(source, Ours):
        return source.name
    causal = "" if source.variant in VARIANTS else ", causal"
    return f"MMa4CTR, {'all' if source.setting == source.runs.adaptive else source.setting.feature}{causal}"


def cells_of(source: Source) -> tuple[str, ...]:
    """Return the row of a model: `COLUMNS`."""
    epochs, evaluations = chosen(source)
    found = summarise(evaluations)
    figures = found.figures
    kept = sorted({one.kept for one in evaluations if one.kept is not None})
    ends = dict.fromkeys((kept[0], kept[-1])) if kept else () if epochs is None else (epochs,)
    calibrated, longest = figures.get(CALIBRATED), source.longest
    return (
        name_of(source), "-".join(map(str, ends)), f"{figures['auc']:.4f}", bracketed(found.interval),
        "" if epochs is None or found.seeds < 2 else f"{found.spread:.4f}", f"{figures['gauc']:.4f}",
        f"{figures['logloss']:.4f}", "" if calibrated is None or math.isnan(calibrated) else f"{calibrated:.4f}",
        f"{figures['average_precision']:.4f}",
        "" if longest is None else f"{longest.metrics['train_seconds']:,.0f}",
        "" if longest is None or "parameters" not in longest.metrics else f"{longest.metrics['parameters']:,}",
    )  # fmt: skip


def show(task: TaskRuns, title: str) -> None:
    """Print the table."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, justify="left" if name == "model" else "right")
    for source in sources_of(task):
        table.add_row(*cells_of(source))
    print_table(table)
