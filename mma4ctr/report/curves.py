"""AUC against epochs, learning rate and batch size, ours and published; and the losses of a run."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mma4ctr.grid.experiments import Setting
from mma4ctr.grid.results import Results
from mma4ctr.published.tables import MODEL
from mma4ctr.report import plots
from mma4ctr.report.cells import published_cell
from mma4ctr.report.dot_plot import AUC_AXIS, draw_models, heading
from mma4ctr.report.model import Drawn
from mma4ctr.report.sources import TaskRuns
from mma4ctr.runs.comparison import summarise

PUBLISHED = "published figures"
Points = list[tuple[float, str, Setting, int]]  # see draw_lines
AXES = {"epochs": "epochs trained", "learning_rate": "learning rate (log scale)",
        "batch_size": "batch size (rows, log scale)"}  # fmt: skip
TITLES = {key: f"AUC against {key.replace('_', ' ')}" for key in AXES}
MAIN_FIGURE = "{task}_AUC"


def draw_lines(runs: TaskRuns, axes: Axes, points: Points, experiment: str) -> None:
    """Draw the published AUC and ours for every variant, with its interval over test users.

    Parameters
    ----------
    runs : TaskRuns
    axes : Axes
    points : list of (x, name of the setting in the published table, setting, epochs)
    experiment : str
    """
    number = runs.experiments[experiment].number(runs.subsection)
    cells = [(x, published_cell(number, name, epochs, MODEL, "auc").value) for x, name, _, epochs in points]
    printed = [(x, value) for x, value in cells if value is not None]
    if printed:
        plots.line(axes, [x for x, _ in printed], [value for _, value in printed], 0, PUBLISHED)
    for k, variant in enumerate(runs.variants, start=1):
        evaluated = [(x, runs.evaluations(variant, setting, epochs)) for x, _, setting, epochs in points]
        found = [(x, summarise(evaluations)) for x, evaluations in evaluated if evaluations]
        if found:
            ends = [one.interval[0] for _, one in found], [one.interval[1] for _, one in found]
            aucs = [one.figures["auc"] for _, one in found]
            plots.line(axes, [x for x, _ in found], aucs, k, f"{runs.ours}: {variant}", ends)


def draw_epochs(runs: TaskRuns) -> Figure | None:
    """Draw AUC against epochs (published tables 4.x.1)."""
    experiment = runs.experiments["epochs"]
    ((name, setting),) = experiment.rows.items()
    points: Points = [(epochs, name, setting, epochs) for epochs in experiment.epochs]
    return _panels(runs, "epochs", {"": points})


def draw_values(runs: TaskRuns, key: str) -> Figure | None:
    """Draw AUC against the values of one setting, a panel for each number of epochs (published tables 4.x.2, 4.x.3)."""
    experiment = runs.experiments[key]
    panels: dict[str, Points] = {
        f"{epochs} epochs": [(getattr(setting, key), name, setting, epochs)
                             for name, setting in experiment.rows.items()]
        for epochs in experiment.epochs
    }  # fmt: skip
    return _panels(runs, key, panels, log=True)


def _panels(runs: TaskRuns, key: str, panels: dict[str, Points], *, log: bool = False) -> Figure | None:
    """Return a figure with a panel for each entry that runs have finished for, None if there is none."""
    drawable = {
        title: points
        for title, points in panels.items()
        if any(runs.evaluations(variant, *point[2:]) for variant in runs.variants for point in points)
    }
    if not drawable:
        return None
    figure, grid = plots.figure(plots.PAGE if len(drawable) > 1 else plots.PAGE * 0.75, 3.0, columns=len(drawable))
    for axes, (title, points) in zip(grid[0], drawable.items(), strict=True):
        draw_lines(runs, axes, sorted(points, key=lambda point: point[0]), key)
        plots.label(axes, AXES[key], AUC_AXIS, title)
        if log:
            axes.set_xscale("log")
    what = TITLES[key]
    wanted = [point[2:] for points in drawable.values() for point in points]
    shown = [one.protocol for one in runs.variants if any(runs.evaluations(one, *point) for point in wanted)]
    plots.head(figure, *heading(runs, what, shown))
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_loss(runs: TaskRuns, part: str) -> Figure | None:
    """Draw the loss of the training or validation rows (`part` is train or valid) against epochs.

    Each protocol has a panel: the loss depends on how many clicks a batch has, which protocols do not share.
    """
    longest = {variant: run for variant in runs.variants if (run := runs.longest_run(variant)) is not None}
    protocols = list(dict.fromkeys(variant.protocol for variant in longest))
    if not longest:
        return None
    figure, grid = plots.figure(plots.PAGE * (1 if len(protocols) > 1 else 0.6), 3.0, columns=len(protocols))
    what = {"train": "training", "valid": "validation"}[part]
    titles = {protocol: f"{protocol} protocol" if len(protocols) > 1 else "" for protocol in protocols}
    for axes, protocol in zip(grid[0], protocols, strict=True):
        for k, (variant, run) in enumerate(longest.items(), start=1):
            if variant.protocol == protocol:
                losses = [entry[f"{part}_loss"] for entry in run.history]
                plots.line(axes, range(1, len(losses) + 1), losses, k, f"{runs.ours}: {variant}")
        plots.label(axes, "epochs trained", f"{what} loss (nats, sum over a batch)", titles[protocol])
        axes.legend()
    plots.head(figure, *heading(runs, f"{what} loss of all modalities, batch softmax", protocols))
    return figure


CURVES_SEEN = (
    "Bands are 95 % intervals over test users. Where a band holds the published figure, the two agree; a flat line is "
    "a setting that does not matter."
)
# Figure of a task -> what draws it; None where no run is finished for it. {epochs} is how long the longest run is.
TASK_FIGURES: dict[str, Drawn] = {
    MAIN_FIGURE: Drawn(
        "AUC of every model on the same test rows, with 95 % intervals", draw_models,
        "Points to the right of the broken line know more than the click rates of users and items. Bars are 95 % "
        "intervals over test users; models whose bars overlap may still differ, which the tables tell by paired "
        "intervals.",
    ),
    "{task}_epochs": Drawn("AUC against epochs", draw_epochs, CURVES_SEEN),
    "{task}_learning_rate": Drawn("AUC against learning rate", lambda runs: draw_values(runs, "learning_rate"),
                                  CURVES_SEEN),
    "{task}_batch_size": Drawn("AUC against batch size", lambda runs: draw_values(runs, "batch_size"), CURVES_SEEN),
    "{task}_{epochs}_TrainLoss": Drawn(
        "training loss against epochs", lambda runs: draw_loss(runs, "train"),
        "A line that no longer falls has learned what it can. The loss is summed over the clicks of a batch, so that "
        "its height depends on the batch size and compares within a panel only.",
    ),
    "{task}_{epochs}_ValidLoss": Drawn(
        "validation loss against epochs", lambda runs: draw_loss(runs, "valid"),
        "Where the line rises while the training loss falls, the model learns its training rows by heart. Compare "
        "within a panel only.",
    ),
}  # fmt: skip


def task_figures(runs: TaskRuns) -> dict[str, Figure]:
    """Return every figure of a task that its finished runs give, by file name."""
    lengths = [len(run.history) for variant in runs.variants if (run := runs.longest_run(variant))]
    figures = {
        name.format(task=runs.task, epochs=max(lengths, default=0)): drawn.draw(runs)
        for name, drawn in TASK_FIGURES.items()
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def write(results: Results, task: str, script: str) -> None:
    """Draw every curve of a task for which runs have finished, and print the names of the files."""
    figures = task_figures(TaskRuns(results, task))
    none = "" if figures else ": no finished run to draw curves of; run python adjust_hyperparameter.py"
    print(f"{script} {task}{none}")
    plots.save_all(figures, results.settings.saved_path / "figures")
