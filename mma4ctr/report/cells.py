"""Cells of tables: published figures, and ours with all that says how sure they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from mma4ctr.evaluation import metrics
from mma4ctr.evaluation.bootstrap import FEWEST_USERS
from mma4ctr.published import tables as published
from mma4ctr.report.model import Cell
from mma4ctr.runs.comparison import Difference, difference, summarise
from mma4ctr.runs.finished import Evaluation

# The one rule of decimals: scores and their differences have four, what is counted none, all else that is measured two.
SCORE, COUNT, MEASURE = ".4f", ",.0f", ",.2f"
DECIMALS = "Scores and their differences have four decimals, seconds and ratios two."
PUBLISHED_FORMS = {"auc": SCORE, "logloss": SCORE, "parameters": COUNT, "train_seconds": MEASURE,
                   "test_seconds": MEASURE}  # fmt: skip
DIFFERENT, CONTRADICTED, DOUBTFUL, OTHERWISE = "≠", "‡", "!", "†"
BLANK = Cell("")
NO_INTERVAL = f"fewer than {FEWEST_USERS} test users have both classes"


def words(*texts: object) -> tuple[Cell, ...]:
    """Return a row of words."""
    return tuple(Cell(str(text)) for text in texts)


def signed(number: float) -> str:
    """Return a difference with its sign."""
    return f"{number:+.4f}".replace("-", "−")


def bracketed(interval: tuple[float, float]) -> str:
    """Return an interval of scores as it is written."""
    low, high = interval
    return f"[{low:{SCORE}}, {high:{SCORE}}]"


def number_cell(number: float | None, form: str = SCORE) -> Cell:
    """Return a number as a cell, blank where there is none."""
    return BLANK if number is None or math.isnan(number) else Cell(f"{number:{form}}".replace("-", "−"), float(number))


def published_cell(table: str | None, setting: str, epochs: int | None, model: str, figure: str) -> Cell:
    """Return what is printed in a published table, and what other published tables print for the same settings."""
    key = (table, setting, epochs, model, figure)
    printed = published.printed().get(key)
    if printed is None:
        return BLANK
    others = published.contradicting().get(key, ())
    details = tuple(f"table {name}: {float(value):{SCORE}}" for name, value in others)
    digits = f"{float(printed):{PUBLISHED_FORMS[figure]}}"
    return Cell(digits, float(printed), details, CONTRADICTED if others else "")


def marked(cell: Cell, mark: str) -> Cell:
    """Return a cell with one more mark."""
    return dataclasses.replace(cell, mark=f"{cell.mark}{mark}")


def auc_cell(evaluations: Sequence[Evaluation], *, seeds: bool = True) -> Cell:
    """Return the AUC of one setting over its seeds, with all that says how sure it is; blank without evaluations.

    Parameters
    ----------
    evaluations : sequence of Evaluation
    seeds : bool
        Whether to say how much the seeds differ; what is not trained has none.
    """
    if not evaluations:
        return BLANK
    summary = summarise(evaluations)
    there = not math.isnan(summary.interval[0])
    interval = (bracketed(summary.interval),) if there else ("no interval", NO_INTERVAL)
    spread = "1 seed" if math.isnan(summary.spread) else f"± {summary.spread:.4f} over {summary.seeds} seeds"
    kept = [str(one.kept) for one in evaluations if one.kept is not None]
    lines = (
        *interval,
        *((spread,) if seeds and evaluations[0].epoch else ()),
        *metrics.lines(summary.figures),
        *((f"stopped early, best epoch {', '.join(kept)}",) if kept else ()),
    )
    remarks = dict.fromkeys(f"BEWARE: {remark}" for one in evaluations for remark in one.remarks)
    text = f"{summary.figures['auc']:{SCORE}}"
    return Cell(text, summary.figures["auc"], (*lines, *remarks), DOUBTFUL if remarks else "")


def told(found: Difference) -> str:
    """Return a difference with its interval as it is written."""
    return f"{signed(found.auc)} [{signed(found.low)}, {signed(found.high)}]"


def difference_lines(found: Difference) -> tuple[str, ...]:
    """Return how a row differs from the reference."""
    if math.isnan(found.low):
        return (f"Δ not told: {NO_INTERVAL}",)
    line = f"Δ {told(found)}"
    return (line,) if found.rows is None else (line, f"on the {found.rows:,} rows of both")


def compared_cell(evaluations: Sequence[Evaluation], reference: Sequence[Evaluation]) -> Cell:
    """Return an AUC with its difference from a reference, unless it is the reference itself or there is none."""
    cell = auc_cell(evaluations)
    if not evaluations or not reference or tuple(evaluations) == tuple(reference):
        return cell
    found = difference(evaluations, reference)
    cell = marked(cell, DIFFERENT) if found.is_one else cell
    return dataclasses.replace(cell, details=(*cell.details, *difference_lines(found)))
