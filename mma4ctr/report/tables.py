"""The published tables of a task beside our own figures: its experiments, and MMa4CTR beside other models."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.experiments import VARIANTS, Experiment, Variant
from mma4ctr.published import tables as published
from mma4ctr.report.builder import EPOCHS, Column, Row, build, label_column, our_column, published_column
from mma4ctr.report.cells import BLANK, CONTRADICTED, DECIMALS, DIFFERENT, DOUBTFUL, OTHERWISE, signed
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import PERFORMANCE, LabelRate, Ours, TaskRuns
from mma4ctr.runs.tested import Tested

PERFORMANCE_FIGURES = {"performance": {"AUC": "auc", "LogLoss": "logloss"}, "performance_by_epoch": {"AUC": "auc"}}
NOTE = "Δ is the difference from {}."
# What has to be known to read the tables, said once: what it is about, and what is to be known.
HOW_TO_READ = {
    "A cell": "Each AUC is the mean over seeds, above its 95 % interval over test users. Open it for the standard "
    "deviation over seeds, the AUC within users (GAUC), average precision (AP), the test positives, and Δ, the "
    f"difference from the reference of its table with the paired 95 % interval. {DECIMALS}",
    "Marks": f"{DIFFERENT}: the interval of Δ excludes 0; all other rows are not told apart from the reference. "
    f"{CONTRADICTED}: another published table gives another value for the same settings, which stands below. "
    f"{DOUBTFUL}: the run is doubtful. {OTHERWISE}: it was run otherwise than by default. The AUC says how.",
    "Columns": "They are named after the protocol and the reduction of user embeddings. The published protocol with "
    "average pooling, which is what the published scripts ran, stands first, beside the difference from the published "
    "figure.",
    "Epochs": "Numbers of epochs of one setting are read from one run, so that they are one trajectory, not repeats.",
}
BASELINES = (
    "The published baselines are not comparable with MMa4CTR's column: their interaction files hold every watched "
    "video without a label, so that they rank watched against sampled unwatched videos, on a random split of their "
    "own. Ours in columns of the published protocol repeat that setting (@watched); those in columns of the clean "
    "protocol have the rows, labels and split of MMa4CTR there. They know no reduction of user embeddings, so that "
    "both reductions show the same figure."
)


def title_of(runs: TaskRuns, experiment: Experiment) -> str:
    """Return the title of an experiment's table: the task and the published number."""
    number = experiment.number(runs.subsection)
    named = f"{number}: {experiment.title}" if number else f"{experiment.title} (no published table)"
    return f"{runs.task}, {named}"


def note_of(experiment: Experiment) -> str:
    """Return what the rows of an experiment's table are compared with."""
    setting, after = experiment.reference
    names = [label for label, one in experiment.rows.items() if one == setting and label]
    what = names[0] if names else f"{setting.feature} with the published settings"
    return NOTE.format(f"{what} after {after} epochs" if after else f"{what} after as many epochs")


def with_note(table: Table, runs: TaskRuns, name: str) -> Table:
    """Return an experiment's table with its note, folded where it has no published counterpart or no run."""
    experiment = runs.experiments[name]
    folded = experiment.number(runs.subsection) is None or not runs.has_run(name)
    return dataclasses.replace(table, note=note_of(experiment), folded=folded)


def is_shown(runs: TaskRuns, name: str) -> bool:
    """Tell whether the table of an experiment has anything to show: published figures, or runs."""
    others = name in PERFORMANCE and runs.variants and runs.others
    return runs.experiments[name].number(runs.subsection) is not None or runs.has_run(name) or bool(others)


def has_figures(row: Row, number: str | None) -> bool:
    """Tell whether a row stands in the published table, be it as a blank, or has any figure of ours."""
    printed = (number, row.setting, row.epochs, row.model, "auc") in published.printed()
    return printed or any(row.value(variant, "auc") is not None for variant in row.sources)


def our_row(runs: TaskRuns, experiment: Experiment, label: str, name: str, epochs: int) -> Row:
    """Return MMa4CTR in one setting of an experiment after so many epochs, under every variant."""
    reference, after = experiment.reference
    sources = {variant: Ours(runs, variant, experiment.rows[name]) for variant in runs.variants}
    return Row(Cell(label), epochs, sources, setting=name,
               reference=lambda variant: runs.evaluations(variant, reference, after or epochs))  # fmt: skip


def label_rates(runs: TaskRuns, name: str) -> dict[Variant, LabelRate]:
    """Return a label-rate predictor under every variant, on the test rows of the fused features."""
    known = {variant: found for variant in runs.variants if (found := runs.any_evaluation(variant)) is not None}
    return {variant: LabelRate(name, runs.results.label_rate(on, name)) for variant, on in known.items()}


def experiment_table(runs: TaskRuns, name: str) -> Table:
    """Return the table of one experiment: published, ours, difference; then every other variant."""
    experiment = runs.experiments[name]
    rows = [our_row(runs, experiment, label or "default", label, epochs)
            for label in experiment.rows for epochs in experiment.epochs]  # fmt: skip
    rows = [row for row in rows if has_figures(row, experiment.number(runs.subsection))]
    rows += [Row(Cell(rate), None, label_rates(runs, rate), model=rate) for rate in LABEL_RATES]
    printed = published_column("published", experiment.number(runs.subsection), "auc")

    def gap(row: Row) -> Cell:
        theirs, ours = printed.cell(row).value, row.value(VARIANTS[0], "auc")
        return BLANK if theirs is None or ours is None else Cell(signed(ours - theirs), ours - theirs)

    columns = [label_column("setting"), EPOCHS, printed, Column("ours − published", gap),
               *(our_column(f"{runs.ours}: {variant}", "auc", variant) for variant in runs.variants)]  # fmt: skip
    return with_note(build(title_of(runs, experiment), columns, rows), runs, name)


def models_of(runs: TaskRuns, number: str | None) -> list[tuple[str, bool]]:
    """Return name, and whether it is native, of each model beside MMa4CTR: native ones, published ones, others."""
    ran = [(one.model, one.native) for one in runs.others]
    printed = [(key[3], False) for key in published.printed() if key[0] == number and key[3] != published.MODEL]
    return list(dict.fromkeys([*(one for one in ran if one[1]), *printed, *ran]))


def first(found: Sequence[Tested], epochs: int | None = None) -> Tested | None:
    """Return the first that was tested after so many epochs: with the published options if it ran with them."""
    return next((one for one in found if epochs is None or one.tested(epochs)), None)


def performance_table(runs: TaskRuns, name: str) -> Table:
    """Return the table that sets MMa4CTR beside the others after so many epochs, with LogLoss where it has one."""
    experiment = runs.experiments[name]
    number = experiment.number(runs.subsection)
    rows = [our_row(runs, experiment, published.MODEL, "", epochs) for epochs in experiment.epochs]
    for model, native in models_of(runs, number):
        same = [one for one in runs.others if (one.model, one.native) == (model, native)]
        for epochs in experiment.epochs:
            found = {variant: first([one for one in same if one.fits(variant.protocol, variant.reduction)], epochs)
                     for variant in runs.variants}  # fmt: skip
            sources = {variant: one for variant, one in found.items() if one is not None}
            rows.append(Row(Cell(model), epochs, sources, model))
    rows = [row for row in rows if has_figures(row, number)]
    columns = [label_column("model"), EPOCHS]
    for title, figure in PERFORMANCE_FIGURES[name].items():
        columns.append(published_column(f"{title}, published", number, figure))
        columns += [our_column(f"{title}, {runs.ours}: {variant}", figure, variant) for variant in runs.variants]
    return with_note(build(title_of(runs, experiment), columns, rows), runs, name)
