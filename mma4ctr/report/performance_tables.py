"""The published tables of section 6: MMa4CTR and the baselines, their AUC and LogLoss, seconds and parameters."""

from __future__ import annotations

import dataclasses

from mma4ctr.grid.experiments import EXPERIMENTS, SUBSECTIONS, Experiment, Variant
from mma4ctr.published import tables as published
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.tables import BLANK, TaskTables, all_published_cells, auc_cell, number_cell, published_cell
from mma4ctr.runs import baselines as baseline_runs
from mma4ctr.runs.baselines import Baseline
from mma4ctr.runs.comparison import summarise

FIGURES = {"performance": {"AUC": "auc", "LogLoss": "logloss"}, "performance_by_epoch": {"AUC": "auc"}}
SECONDS = {"training (s)": "train_seconds", "test (s)": "test_seconds"}
BASELINES_NOTE = (
    "The published baselines are not comparable with MMa4CTR's column: their interaction files hold every watched "
    "video without a label, so that they rank watched against sampled unwatched videos, on a random split of their "
    "own. Our baselines in columns of the published protocol repeat that setting (@watched); those in columns of the "
    "clean protocol have the rows, labels and split of MMa4CTR there. They know no reduction of user embeddings, so "
    "that both reductions show the same figure."
)
COMPUTATION_NOTE = (
    "Published on one NVIDIA GeForce RTX 3090; for how many epochs is not printed. Ours: all training epochs, without "
    "reading the input, and one pass over the test rows with AUC and LogLoss, on this machine and data. Machines "
    "differ, so that each model is set against MMa4CTR below its seconds: published seconds against published ones; "
    "ours, an epoch against an epoch of MMa4CTR on the rows of the clean protocol, which baseline/comp.py timed in the "
    "same process on the same device. @watched: the published setting, which is another task with other rows."
)


def models_of(tables: TaskTables, number: str | None) -> tuple[str, ...]:
    """Return the baselines of a published table, in its order, then others that have run."""
    printed = (key[3] for key in all_published_cells() if key[0] == number)
    names = dict.fromkeys([*printed, *(baseline.model for baseline in tables.baselines)])
    return tuple(name for name in names if name != published.MODEL)


def baseline_of(tables: TaskTables, model: str, setting: str, epochs: int | None = None) -> Baseline | None:
    """Return a baseline in one setting, tested after so many epochs: with the published options if it ran with them."""
    found = (one for one in tables.baselines if (one.model, one.setting) == (model, setting))
    return next((one for one in found if epochs is None or one.tested(epochs)), None)


def baseline_cell(tables: TaskTables, model: str, variant: Variant, epochs: int, figure: str) -> Cell:
    """Return our figure of a baseline for the columns of a variant."""
    found = baseline_of(tables, model, variant.protocol, epochs)
    if found is None:
        return BLANK
    cell = auc_cell(found.evaluations(epochs)) if figure == "auc" else number_cell(found.mean(epochs, figure))
    remarks = (*((baseline_runs.WATCHED,) if found.setting == "published" else ()), *found.remarks)
    return Cell(cell.text, cell.value, (*cell.details, *remarks))


def our_cell(tables: TaskTables, experiment: Experiment, variant: Variant, epochs: int, figure: str) -> Cell:
    """Return our figure of MMa4CTR for the columns of a variant."""
    setting = experiment.rows[""]
    if figure == "auc":
        return tables.our_cells(experiment, variant, setting, epochs)
    found = tables.evaluations(variant, setting, epochs)
    return number_cell(summarise(found).logloss) if found else BLANK


def performance(tables: TaskTables, name: str) -> Table:
    """Return the table that sets MMa4CTR beside the baselines after so many epochs, with LogLoss where it has one."""
    experiment, figures = EXPERIMENTS[name], FIGURES[name]
    number = experiment.number(tables.task)

    def cells(model: str, epochs: int, figure: str) -> tuple[Cell, ...]:
        printed = published_cell(number, "", epochs, model, figure)
        if model == published.MODEL:
            ours = (our_cell(tables, experiment, variant, epochs, figure) for variant in tables.variants)
        else:
            ours = (baseline_cell(tables, model, variant, epochs, figure) for variant in tables.variants)
        return (printed, *ours)

    rows = [
        (Cell(model), Cell(str(epochs), epochs), *(cell for figure in figures.values()
                                                   for cell in cells(model, epochs, figure)))
        for model in (published.MODEL, *models_of(tables, number)) for epochs in experiment.epochs
    ]  # fmt: skip
    heads = [f"{title}, {what}" for title in figures
             for what in ("published", *(f"{tables.ours}: {variant}" for variant in tables.variants))]  # fmt: skip
    note = tables.note(experiment, rows) + BASELINES_NOTE
    return Table(tables.title(experiment), ("model", "epochs", *heads), tuple(rows), note)


def with_ratio(cell: Cell, ratio: float | None) -> Cell:
    """Return seconds with how many times MMa4CTR's they are below them."""
    return cell if ratio is None else dataclasses.replace(cell, details=(f"{ratio:.2f} × MMa4CTR",))


def published_seconds(number: str | None, model: str) -> tuple[Cell, ...]:
    """Return the published seconds of training and test of a model, and its parameters."""
    cells = []
    for figure in SECONDS.values():
        here, base = (published_cell(number, "", None, name, figure) for name in (model, published.MODEL))
        known = here.value is not None and base.value is not None
        cells.append(with_ratio(here, here.value / base.value if known else None))
    return (*cells, published_cell(number, "", None, model, "parameters"))


def our_seconds(metrics: dict | None, reference: dict | None) -> tuple[Cell, ...]:
    """Return epochs, seconds of training and test, and parameters of one of our runs; blanks where there is none."""
    if metrics is None:
        return (BLANK,) * 4
    epochs, training, test = (metrics[name] for name in ("epochs_run", "train_seconds", "test_seconds"))
    return (
        Cell(str(epochs), epochs),
        with_ratio(number_cell(training, ".1f"), training / epochs / reference["epoch_seconds"] if reference else None),
        with_ratio(number_cell(test, ".2f"), test / reference["test_seconds"] if reference else None),
        number_cell(metrics["parameters"], ","),
    )


def own_reference(metrics: dict) -> dict[str, float]:
    """Return MMa4CTR's own seconds as those that others are set against: its row says 1."""
    epoch = metrics["train_seconds"] / metrics["epochs_run"]
    return {"epoch_seconds": epoch, "test_seconds": metrics["test_seconds"]}


def computation(tables: TaskTables) -> Table:
    """Return the computational comparison: seconds and parameters, published and ours."""
    number = f"6.{subsection} computation" if (subsection := SUBSECTIONS[tables.task]) else None
    trained = [run.metrics for variant in tables.variants if (run := tables.longest_run(variant)) is not None]
    mine = our_seconds(trained[0], own_reference(trained[0])) if trained else our_seconds(None, None)
    rows = [(Cell(published.MODEL), *published_seconds(number, published.MODEL), *mine)]
    for model in models_of(tables, number):
        # Where it has run in both settings it has two rows; what is published was measured in the published one.
        found = [one for setting in reversed(baseline_runs.SETTINGS) if (one := baseline_of(tables, model, setting))]
        if not found:
            rows.append((Cell(model), *published_seconds(number, model), *our_seconds(None, None)))
        for one in found:
            metrics = one.longest.metrics
            ours = our_seconds(metrics, metrics.get("mma4ctr"))
            rows.append((Cell(one.name, None, one.remarks), *published_seconds(number, model), *ours))
    heads = (*(f"{name}, published" for name in (*SECONDS, "parameters")),
             *(f"{name}, {tables.ours}" for name in ("epochs", *SECONDS, "parameters")))  # fmt: skip
    return Table("Computation" if number is None else number, ("model", *heads), tuple(rows), COMPUTATION_NOTE)
