"""AUC against epochs, learning rate and batch size, ours and published; and the losses of a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mma4ctr.grid.experiments import EXPERIMENTS, Setting
from mma4ctr.published import tables as published
from mma4ctr.report import plots
from mma4ctr.report.tables import TaskTables, published_cell
from mma4ctr.runs.comparison import summarise

PUBLISHED = "published figures"
AXES = {"epochs": "epochs", "learning_rate": "learning rate (log scale)", "batch_size": "batch size (rows, log scale)"}


def draw_lines(tables: TaskTables, axes: Axes, points: list[tuple[float, str, Setting, int]], experiment: str) -> None:
    """Draw the published AUC and ours for every variant, with its interval over test users.

    Parameters
    ----------
    points : list of (x, name of the setting in the published table, setting, epochs)
    """
    number = EXPERIMENTS[experiment].number(tables.task)
    cells = [(x, published_cell(number, name, epochs, published.MODEL, "auc").value) for x, name, _, epochs in points]
    printed = [(x, value) for x, value in cells if value is not None]
    if printed:
        plots.line(axes, *zip(*printed, strict=True), 0, PUBLISHED)
    for k, variant in enumerate(tables.variants, start=1):
        evaluated = [(x, tables.evaluations(variant, setting, epochs)) for x, _, setting, epochs in points]
        found = [(x, summarise(evaluations)) for x, evaluations in evaluated if evaluations]
        if found:
            ends = [one.low for _, one in found], [one.high for _, one in found]
            plots.line(axes, [x for x, _ in found], [one.auc for _, one in found], k, f"{tables.ours}: {variant}", ends)


def draw_epochs(tables: TaskTables) -> Figure | None:
    """Draw AUC against epochs (published tables 4.x.1)."""
    experiment = EXPERIMENTS["epochs"]
    ((name, setting),) = experiment.rows.items()
    points = [(epochs, name, setting, epochs) for epochs in experiment.epochs]
    return _panels(tables, "epochs", {"": points})


def draw_values(tables: TaskTables, key: str) -> Figure | None:
    """Draw AUC against the values of one setting, a panel for each number of epochs (published tables 4.x.2, 4.x.3)."""
    experiment = EXPERIMENTS[key]
    panels = {
        f"{epochs} epochs": [(getattr(setting, key), name, setting, epochs)
                             for name, setting in experiment.rows.items()]
        for epochs in experiment.epochs
    }  # fmt: skip
    return _panels(tables, key, panels, log=True)


def _panels(
    tables: TaskTables, key: str, panels: dict[str, list[tuple[float, str, Setting, int]]], *, log: bool = False
) -> Figure | None:
    """Return a figure with a panel for each entry that runs have finished for, None if there is none."""
    drawable = {
        title: points
        for title, points in panels.items()
        if any(tables.evaluations(variant, *point[2:]) for variant in tables.variants for point in points)
    }
    if not drawable:
        return None
    figure, grid = plots.figure(plots.PAGE if len(drawable) > 1 else plots.PAGE * 0.75, 3.0, columns=len(drawable))
    for axes, (title, points) in zip(grid[0], drawable.items(), strict=True):
        draw_lines(tables, axes, sorted(points, key=lambda point: point[0]), key)
        plots.label(axes, AXES[key], "AUC of the test rows", title)
        if log:
            axes.set_xscale("log")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def draw_loss(tables: TaskTables, part: str) -> Figure | None:
    """Draw the loss of the training or validation rows (`part` is train or valid) against epochs.

    Each protocol has a panel: the loss depends on how many clicks a batch has, which protocols do not share.
    """
    runs = {variant: run for variant in tables.variants if (run := tables.longest_run(variant)) is not None}
    protocols = list(dict.fromkeys(variant.protocol for variant in runs))
    if not runs:
        return None
    figure, grid = plots.figure(plots.PAGE * (1 if len(protocols) > 1 else 0.6), 3.0, columns=len(protocols))
    what = {"train": "training", "valid": "validation"}[part]
    for axes, protocol in zip(grid[0], protocols, strict=True):
        for k, (variant, run) in enumerate(runs.items(), start=1):
            if variant.protocol == protocol:
                losses = [entry[f"{part}_loss"] for entry in run.history]
                plots.line(axes, np.arange(1, len(losses) + 1), losses, k, f"{tables.ours}: {variant}")
        plots.label(axes, "epochs", f"{what} loss, batch softmax")
        axes.legend()
    return figure


# Figure of a task -> what draws it; None where no run is finished for it. {epochs} is how long the longest run is.
TASK_FIGURES: dict[str, Callable[[TaskTables], Figure | None]] = {
    "{task}_epochs": draw_epochs,
    "{task}_learning_rate": lambda tables: draw_values(tables, "learning_rate"),
    "{task}_batch_size": lambda tables: draw_values(tables, "batch_size"),
    "{task}_{epochs}_TrainLoss": lambda tables: draw_loss(tables, "train"),
    "{task}_{epochs}_ValidLoss": lambda tables: draw_loss(tables, "valid"),
}


def task_figures(tables: TaskTables) -> dict[str, Figure]:
    """Return every figure of a task that its finished runs give, by file name."""
    lengths = [len(run.history) for variant in tables.variants if (run := tables.longest_run(variant))]
    figures = {
        name.format(task=tables.task, epochs=max(lengths, default=0)): draw(tables)
        for name, draw in TASK_FIGURES.items()
    }
    return {name: figure for name, figure in figures.items() if figure is not None}
