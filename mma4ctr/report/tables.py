"""The published tables of a task beside our own figures."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import polars as pl

from mma4ctr.data.registry import TASKS
from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.grid.experiments import EXPERIMENTS, VARIANTS, Experiment, Point, Setting, Variant
from mma4ctr.published import tables as published
from mma4ctr.report import provenance
from mma4ctr.report.model import Cell, Table
from mma4ctr.runs import baselines as baseline_runs
from mma4ctr.runs.comparison import Difference, Summary, difference, summarise
from mma4ctr.runs.find import Evaluation, Results, Trajectory

# Figure -> how it is shown; others as they are printed.
PUBLISHED_FORMS = {"auc": ".4f", "logloss": ".4f", "parameters": ",.0f"}
DIFFERENT, CONTRADICTED = "≠", "‡"
BLANK = Cell("")
NOTE = (
    "Each AUC is the mean over seeds, with its 95 % interval over test users, the standard deviation over seeds, the "
    "AUC within users (GAUC), average precision (AP) and the number of test positives. Δ is the difference from the "
    f"reference, {{}}, with its paired 95 % interval over test users; {DIFFERENT} marks rows whose interval excludes "
    "0, all others are not told apart from the reference. "
)
CONTRADICTED_NOTE = f"{CONTRADICTED}: another published table gives another value for the same settings. "
TRAJECTORY_NOTE = "Epoch counts of one setting are read from one run, so that they are one trajectory, not repeats. "


def signed(number: float) -> str:
    """Return a difference with its sign."""
    return f"{number:+.4f}".replace("-", "−")


def published_cell(table: str | None, setting: str, epochs: int | None, model: str, figure: str) -> Cell:
    """Return what is printed in a published table, and what other published tables print for the same settings."""
    key = (table, setting, epochs, model, figure)
    printed = all_published_cells().get(key)
    if printed is None:
        return BLANK
    others = contradicting_values().get(key, ())
    details = tuple(f"table {name}: {float(value):.4f}" for name, value in others)
    digits = f"{float(printed):{PUBLISHED_FORMS[figure]}}" if figure in PUBLISHED_FORMS else printed
    return Cell(digits, float(printed), details, CONTRADICTED if others else "")


@functools.cache
def all_published_cells() -> dict[tuple, str | None]:
    """Return what is printed, by table, setting, epochs, model and figure; None for a cell that is blank there."""
    columns = ("table", "setting", "epochs", "model", "figure", "printed")
    return {row[:-1]: row[-1] for row in published.load().select(columns).iter_rows()}


@functools.cache
def contradicting_values() -> dict[tuple, tuple[tuple[str, str], ...]]:
    """Return, for each printed value that another table contradicts, the other tables and their values."""
    keys = ["task", "model", *published.CONFIGURATION, "epochs", "figure"]
    cells = published.configurations().drop_nulls("printed")
    found = published.contradictions().select(*keys, "tables", pl.col("printed").alias("values"))
    joined = cells.join(found, on=keys, nulls_equal=True).select(
        "table", "setting", "epochs", "model", "figure", "tables", "values"
    )
    return {
        row[:5]: tuple((name, value) for name, value in zip(row[5], row[6], strict=True) if name != row[0])
        for row in joined.iter_rows()
    }


class TaskTables:
    """The tables of one task, from the runs that are finished."""

    def __init__(self, results: Results, task: str) -> None:
        self.results, self.task = results, task
        self.ours = provenance.ours(results.settings, TASKS[task].dataset)
        self.variants = [variant for variant in VARIANTS if self._has_runs(variant)]

    @functools.cached_property
    def baselines(self) -> list[baseline_runs.Baseline]:
        """The baselines that have run, in both settings."""
        return baseline_runs.of_task(self.results, self.task)

    def _has_runs(self, variant: Variant) -> bool:
        return any(
            self.evaluations(variant, setting, epochs)
            for experiment in EXPERIMENTS.values()
            for setting in experiment.rows.values()
            for epochs in experiment.epochs
        )

    @functools.cache  # noqa: B019 - one object lives as long as the script
    def evaluations(self, variant: Variant, setting: Setting, epochs: int) -> tuple[Evaluation, ...]:
        """Return what the finished runs of a setting scored after so many epochs, one for each seed that has run."""
        found = (
            self.results.find(Point(self.task, variant, setting, seed, epochs)) for seed in range(self.results.seeds)
        )
        return tuple(evaluation for evaluation in found if evaluation is not None)

    def compared(self, experiment: Experiment, variant: Variant, setting: Setting, epochs: int) -> Difference | None:
        """Return the difference of a row from the table's reference, None for the reference itself."""
        reference, after = experiment.reference
        if (setting, epochs) == (reference, after or epochs):
            return None
        ours = self.evaluations(variant, setting, epochs)
        base = self.evaluations(variant, reference, after or epochs)
        return difference(ours, base) if base else None

    def our_cells(self, experiment: Experiment, variant: Variant, setting: Setting, epochs: int) -> Cell:
        """Return our AUC with all that says how sure it is."""
        found = self.evaluations(variant, setting, epochs)
        if not found:
            return BLANK
        compared = self.compared(experiment, variant, setting, epochs)
        cell = auc_cell(found)
        if compared is None:
            return cell
        mark = DIFFERENT if compared.is_one else ""
        return dataclasses.replace(cell, details=(*cell.details, *difference_lines(compared)), mark=mark)

    def row(self, experiment: Experiment, name: str, setting: Setting, epochs: int) -> tuple[Cell, ...]:
        """Return one row: setting, epochs, published, difference, then ours for each variant."""
        printed = published_cell(experiment.number(self.task), name, epochs, published.MODEL, "auc")
        ours = [self.our_cells(experiment, variant, setting, epochs) for variant in self.variants]
        gap = BLANK
        if VARIANTS[0] in self.variants and printed.value is not None and ours[0].value is not None:
            gap = Cell(signed(ours[0].value - printed.value), ours[0].value - printed.value)
        return (Cell(name or "default"), Cell(str(epochs), epochs), printed, gap, *ours)

    def label_rate_rows(self) -> list[tuple[Cell, ...]]:
        """Return a row for each label-rate predictor, on the test rows of the fused features."""
        found = {variant: self.any_evaluation(variant) for variant in self.variants}
        return [
            (Cell(name), BLANK, BLANK, BLANK,
             *(evaluation_cell(self.results.label_rate(one, name)) if one else BLANK for one in found.values()))
            for name in LABEL_RATES
        ]  # fmt: skip

    def any_evaluation(self, variant: Variant) -> Evaluation | None:
        """Return an evaluation of vat_concat with the published settings, None where there is none."""
        found = (
            one
            for name in ("performance_by_epoch", "epochs")
            for setting in EXPERIMENTS[name].rows.values()
            for epochs in EXPERIMENTS[name].epochs
            for one in self.evaluations(variant, setting, epochs)
        )
        return next(found, None)

    def experiment(self, name: str) -> Table:
        """Return the table of one experiment: published, ours, difference; then every other variant."""
        experiment = EXPERIMENTS[name]
        rows = [self.row(experiment, label, setting, epochs)
                for label, setting in experiment.rows.items() for epochs in experiment.epochs]  # fmt: skip
        rows += self.label_rate_rows()
        return Table(self.title(experiment), self.columns(), tuple(rows), self.note(experiment, rows))

    def title(self, experiment: Experiment) -> str:
        """Return the title of an experiment's table, with its published number."""
        number = experiment.number(self.task)
        return f"{number}: {experiment.title}" if number else f"{experiment.title} (no published table)"

    def columns(self) -> tuple[str, ...]:
        """Return the heads of an experiment's table."""
        return ("setting", "epochs", "published", "ours − published", *(f"{self.ours}: {v}" for v in self.variants))

    def note(self, experiment: Experiment, rows: Sequence[tuple[Cell, ...]]) -> str:
        """Return what has to be known to read a table."""
        setting, after = experiment.reference
        names = [label for label, one in experiment.rows.items() if one == setting and label]
        what = names[0] if names else "vat_concat with the published settings"
        contradicted = any(cell.mark == CONTRADICTED for row in rows for cell in row)
        return (
            NOTE.format(f"{what} after {after} epochs" if after else f"{what} after as many epochs")
            + TRAJECTORY_NOTE
            + (CONTRADICTED_NOTE if contradicted else "")
        )

    def longest_run(self, variant: Variant) -> Trajectory | None:
        """Return the longest run of vat_concat with the published settings, from the first seed."""
        for epochs in reversed(EXPERIMENTS["performance_by_epoch"].epochs):
            found = self.results.trajectory(Point(self.task, variant, Setting(), 0, epochs))
            if found is not None:
                return found
        return None


def number_cell(number: float, form: str = ".4f") -> Cell:
    """Return a number as a cell."""
    return Cell(f"{number:{form}}".replace("-", "−"), float(number))


def summary_lines(summary: Summary) -> tuple[str, ...]:
    """Return the smaller lines below an AUC."""
    spread = "1 seed" if math.isnan(summary.spread) else f"± {summary.spread:.4f} over {summary.seeds} seeds"
    gauc = "none" if math.isnan(summary.gauc) else f"{summary.gauc:.4f}"
    return (
        f"[{summary.low:.4f}, {summary.high:.4f}], {spread}",
        f"GAUC {gauc}, AP {summary.average_precision:.4f}",
        f"{summary.test_positives:,} positives",
    )


def difference_lines(found: Difference) -> tuple[str, ...]:
    """Return how a row differs from the reference."""
    line = f"Δ {signed(found.auc)} [{signed(found.low)}, {signed(found.high)}]"
    return (line,) if found.rows is None else (line, f"on the {found.rows:,} rows of both")


def auc_cell(evaluations: Sequence[Evaluation]) -> Cell:
    """Return the AUC of one setting over its seeds, with all that says how sure it is."""
    summary = summarise(evaluations)
    return Cell(f"{summary.auc:.4f}", summary.auc, summary_lines(summary))


def evaluation_cell(evaluation: Evaluation) -> Cell:
    """Return the AUC of one evaluation."""
    summary = summarise([evaluation])
    interval = f"[{summary.low:.4f}, {summary.high:.4f}]"
    return Cell(f"{summary.auc:.4f}", summary.auc, (interval, *summary_lines(summary)[1:]))
