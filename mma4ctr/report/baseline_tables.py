"""The baselines beside MMa4CTR on the same rows, and the published setting, which is another task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from mma4ctr import inputs
from mma4ctr.evaluation import metrics, unseen
from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.experiments import ADAPTIVE, EXPERIMENTS, Experiment
from mma4ctr.report.model import Cell, Section, Table
from mma4ctr.report.performance_tables import FIGURES
from mma4ctr.report.tables import (
    BLANK,
    DIFFERENT,
    TaskTables,
    auc_cell,
    difference_lines,
    evaluation_cell,
    number_cell,
    published_cell,
)
from mma4ctr.runs.baselines import Baseline
from mma4ctr.runs.comparison import difference, summarise
from mma4ctr.runs.find import Evaluation

HEADS = ("model", "epochs", "AUC", "LogLoss", "LogLoss, calibrated", "AUC, seen users and items")
SAME_ROWS = (
    "Every model was trained and tested on the rows, labels and split of MMa4CTR's clean protocol, for the fused "
    "features. LogLoss clips scores that are no probabilities; calibrated, they went through Platt's scaling on the "
    "validation rows. The last column leaves out test rows whose user or item has no training row. Each AUC has its "
    "95 % interval over test users. "
)
COMPARED = (
    f"Δ is the difference from {{}}, with its paired 95 % interval over test users; {DIFFERENT} marks rows whose "
    "interval excludes 0, all others are not told apart from it."
)
WATCHED_NOTE = (
    "NOT comparable with MMa4CTR: here the baselines tell watched videos from sampled unwatched ones, on a random "
    "split, as the published interaction files suggest that they did. It shows where the published figures come from. "
    "Without labels it is the same for all tasks of a data set, so that it ran once for them."
)


class SameRows:
    """The table of all models on the rows of MMa4CTR's clean protocol."""

    def __init__(self, tables: TaskTables, baselines: Sequence[Baseline]) -> None:
        self.tables, self.baselines = tables, baselines
        rows, parts = inputs.fused_rows(tables.results.settings, tables.task, "clean")
        self.test = rows[parts["test"]]
        self.seen, self.counts = unseen.seen_rows(rows[parts["training"]], self.test)
        epochs = sorted({epochs for name in FIGURES for epochs in EXPERIMENTS[name].epochs})
        keys = [(variant, after) for variant in tables.variants if variant.protocol == "clean" for after in epochs]
        found = {(variant, after): tables.evaluations(variant, ADAPTIVE, after) for variant, after in keys}
        self.ours = {key: evaluations for key, evaluations in found.items() if evaluations}

    @property
    def reference(self) -> tuple[str, tuple[Evaluation, ...]] | None:
        """What every row is compared with: MMa4CTR as its longest run left it, and what to call it."""
        if not self.ours:
            return None
        variant, epochs = max(self.ours, key=lambda key: key[1])
        return f"MMa4CTR ({variant.reduction}) after {epochs} epochs", self.ours[variant, epochs]

    def compared_cell(self, evaluations: Sequence[Evaluation]) -> Cell:
        """Return an AUC with its difference from the reference."""
        cell = auc_cell(evaluations)
        if self.reference is None or self.reference[1] == tuple(evaluations):
            return cell
        found = difference(evaluations, self.reference[1])
        mark = DIFFERENT if found.is_one else ""
        return dataclasses.replace(cell, details=(*cell.details, *difference_lines(found)), mark=mark)

    def seen_cell(self, auc: float | None) -> Cell:
        """Return an AUC on rows whose user and item have training rows, and what has none."""
        counts = self.counts
        details = (f"{counts['rows_seen']:,} of {len(self.test):,} rows",
                   f"{counts['unseen_users']:,} users, {counts['unseen_items']:,} items unseen")  # fmt: skip
        return dataclasses.replace(BLANK if auc is None else number_cell(auc), details=details)

    def seen_auc(self, evaluations: Sequence[Evaluation]) -> float | None:
        """Return the mean AUC over seeds on these rows, None where they have a single class."""
        aucs = [metrics.auc(self.test[self.seen, 2], one.predictions[self.seen]) for one in evaluations]
        return None if math.isnan(aucs[0]) else sum(aucs) / len(aucs)

    def our_rows(self) -> list[tuple[Cell, ...]]:
        """Return MMa4CTR's rows."""
        return [
            (Cell(f"MMa4CTR ({variant.reduction})"), Cell(str(epochs), epochs), self.compared_cell(found),
             number_cell(summarise(found).logloss), BLANK, self.seen_cell(self.seen_auc(found)))
            for (variant, epochs), found in self.ours.items()
        ]  # fmt: skip

    def baseline_rows(self) -> list[tuple[Cell, ...]]:
        """Return a row for each baseline and number of epochs."""
        return [
            (Cell(one.name, None, one.remarks), Cell(str(epochs), epochs), self.compared_cell(one.evaluations(epochs)),
             *(mean_cell(one, epochs, figure) for figure in ("logloss", "logloss_calibrated")),
             self.seen_cell(one.mean(epochs, "auc_seen")))
            for one in self.baselines for epochs in one.epochs
        ]  # fmt: skip

    def label_rate_rows(self) -> list[tuple[Cell, ...]]:
        """Return a row for each label-rate predictor."""
        any_run = self.baselines[0].longest
        on = any_run.evaluation(len(any_run.history))
        found = {name: self.tables.results.label_rate(on, name) for name in LABEL_RATES}
        return [
            (Cell(name), BLANK, evaluation_cell(one), number_cell(one.figures["logloss"]), BLANK,
             self.seen_cell(self.seen_auc([one])))
            for name, one in found.items()
        ]  # fmt: skip

    def table(self) -> Table:
        """Return the whole table."""
        rows = (*self.our_rows(), *self.baseline_rows(), *self.label_rate_rows())
        note = SAME_ROWS + (COMPARED.format(self.reference[0]) if self.reference else "")
        return Table(f"Baselines on the same rows ({self.tables.ours})", HEADS, rows, note)


def mean_cell(baseline: Baseline, epochs: int, figure: str) -> Cell:
    """Return the mean of a figure over seeds, blank where there is none."""
    found = baseline.mean(epochs, figure)
    return BLANK if found is None else number_cell(found)


def watched_table(tables: TaskTables, baselines: Sequence[Baseline]) -> Table:
    """Return the baselines in the published setting beside the published figures."""

    def cells(baseline: Baseline, experiment: Experiment, epochs: int, figure: str) -> tuple[Cell, ...]:
        printed = published_cell(experiment.number(tables.task), "", epochs, baseline.model, figure)
        ours = auc_cell(baseline.evaluations(epochs)) if figure == "auc" else mean_cell(baseline, epochs, figure)
        return printed, ours

    rows = [
        (Cell(one.name, None, one.remarks), Cell(str(epochs), epochs),
         *(cell for figure in ("auc", "logloss") for cell in cells(one, EXPERIMENTS["performance"], epochs, figure)))
        for one in baselines for epochs in one.epochs
    ]  # fmt: skip
    heads = [f"{figure}, {whose}" for figure in ("AUC", "LogLoss") for whose in ("published", tables.ours)]
    title = "The published setting: watched against sampled unwatched videos"
    return Table(title, ("model", "epochs", *heads), tuple(rows), WATCHED_NOTE)


def section(tables: TaskTables) -> Section | None:
    """Return the baselines of one task, None where none has run."""
    clean, watched = ([one for one in tables.baselines if one.setting == setting] for setting in ("clean", "published"))
    shown = [SameRows(tables, clean).table()] if clean else []
    shown += [watched_table(tables, watched)] if watched else []
    return Section(f"{tables.task}: baselines", (), tuple(shown)) if shown else None
