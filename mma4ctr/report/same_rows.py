"""Other models beside MMa4CTR on the same rows, and RecBole's in the published setting, which is another task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from mma4ctr.evaluation import calibration, metrics, unseen
from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.experiments import EXPERIMENTS
from mma4ctr.inputs.rows import load_fused
from mma4ctr.published.tables import MODEL
from mma4ctr.report.builder import EPOCHS, Column, Row, build, label_column, our_column, published_column
from mma4ctr.report.cells import number_cell
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import LabelRate, Ours, Source, TaskRuns
from mma4ctr.report.standings import of_others
from mma4ctr.runs.tested import Tested

SAME_ROWS = (
    "Every model was trained and tested on the rows, labels and split of MMa4CTR's clean protocol, for the fused "
    "features. LogLoss clips scores that are no probabilities; calibrated, they went through Platt's scaling on the "
    "validation rows. AUC of seen users and items leaves out test rows whose user or item has no training row."
)
COMPARED = "Δ is the difference from {}."
WATCHED_NOTE = (
    "NOT comparable with MMa4CTR: here the baselines tell watched videos from sampled unwatched ones, on a random "
    "split, as the published interaction files suggest that they did. It shows where the published figures come from. "
    "Without labels it is the same for all tasks of a data set, so that it ran once for them."
)


def rows_of(sources: Sequence[Source]) -> list[Row]:
    """Return a row for each source and number of epochs after which it was tested."""
    return [
        Row(Cell(one.name, None, one.remarks), epochs, {None: one}, one.model)
        for one in sources for epochs in one.epochs
    ]  # fmt: skip


def seen_column(runs: TaskRuns) -> Column:
    """Return the AUC on the test rows whose user and item have training rows, with how many these are."""
    task = load_fused(runs.results.settings, runs.task, "clean")
    test = task.part("test")
    seen, counts = unseen.seen_rows(task.part("training"), test)
    details = (f"{counts['rows_seen']:,} of {len(test):,} rows",
               f"{counts['unseen_users']:,} users, {counts['unseen_items']:,} items unseen")  # fmt: skip

    def cell(row: Row) -> Cell:
        found = row.sources[None].evaluations(row.epochs)
        aucs = [metrics.auc(test[seen, 2], one.predictions[seen]) for one in found]
        auc = None if math.isnan(aucs[0]) else sum(aucs) / len(aucs)
        return dataclasses.replace(number_cell(auc), details=details)

    return Column("AUC, seen users and items", cell)


def same_rows_table(runs: TaskRuns, others: Sequence[Tested]) -> Table:
    """Return all models on the rows of MMa4CTR's clean protocol, set against its longest run."""
    trained = [Ours(runs, variant, runs.adaptive) for variant in runs.variants if variant.protocol == "clean"]
    rates = [LabelRate(name, runs.results.label_rate(others[0].longest.last, name)) for name in LABEL_RATES]
    compared = [*rows_of(trained), *rows_of(others)]
    note = ""
    ours = [row for row in compared if row.model == MODEL]
    if ours:
        reference = max(ours, key=lambda row: row.epochs or 0)
        evaluations = reference.sources[None].evaluations(reference.epochs)
        compared = [dataclasses.replace(row, reference=lambda variant: evaluations) for row in compared]
        note = COMPARED.format(f"{reference.label.text} after {reference.epochs} epochs")
    columns = [label_column("model"), EPOCHS, our_column("AUC", "auc"), our_column("LogLoss", "logloss"),
               our_column("LogLoss, calibrated", calibration.NAME), seen_column(runs)]  # fmt: skip
    title = f"{runs.task}: every model on the same rows, clean protocol; {runs.ours}"
    return build(title, columns, [*compared, *rows_of(rates)], note)


def watched_table(runs: TaskRuns, baselines: Sequence[Tested]) -> Table:
    """Return RecBole's models in the published setting beside the published figures."""
    number = EXPERIMENTS["performance"].number(runs.subsection)
    columns = [label_column("model"), EPOCHS]
    for title, figure in {"AUC": "auc", "LogLoss": "logloss"}.items():
        columns += [published_column(f"{title}, published", number, figure),
                    our_column(f"{title}, {runs.ours}", figure)]  # fmt: skip
    title = f"{runs.task}: the published setting, watched against sampled unwatched videos"
    return build(title, columns, rows_of(baselines), WATCHED_NOTE)


def tables(runs: TaskRuns) -> list[Table]:
    """Return the tables of the other models of one task, none where none has run."""
    same = of_others(runs, "clean")
    watched = [one for one in runs.others if one.watched]
    return [*([same_rows_table(runs, same)] if same else []), *([watched_table(runs, watched)] if watched else [])]
