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

# Figure -> how it is shown; others as they are printed.
PUBLISHED_FORMS = {"auc": ".4f", "logloss": ".4f", "parameters": ",.0f"}
DIFFERENT, CONTRADICTED = "≠", "‡"
BLANK = Cell("")
NO_INTERVAL = f"fewer than {FEWEST_USERS} test users have both classes"


def words(*texts: object) -> tuple[Cell, ...]:
    """Return a row of words."""
    return tuple(Cell(str(text)) for text in texts)


def signed(number: float) -> str:
    """Return a difference with its sign."""
    return f"{number:+.4f}".replace("-", "−")


def number_cell(number: float | None, form: str = ".4f") -> Cell:
    """Return a number as a cell, blank where there is none."""
    return BLANK if number is None or math.isnan(number) else Cell(f"{number:{form}}".replace("-", "−"), float(number))


def published_cell(table: str | None, setting: str, epochs: int | None, model: str, figure: str) -> Cell:
    """Return what is printed in a published table, and what other published tables print for the same settings."""
    key = (table, setting, epochs, model, figure)
    printed = published.printed().get(key)
    if printed is None:
        return BLANK
    others = published.contradicting().get(key, ())
    details = tuple(f"table {name}: {float(value):.4f}" for name, value in others)
    digits = f"{float(printed):{PUBLISHED_FORMS[figure]}}" if figure in PUBLISHED_FORMS else printed
    return Cell(digits, float(printed), details, CONTRADICTED if others else "")


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
    interval = (
        f"no interval: {NO_INTERVAL}"
        if math.isnan(summary.interval[0])
        else "[{:.4f}, {:.4f}]".format(*summary.interval)
    )
    spread = "1 seed" if math.isnan(summary.spread) else f"± {summary.spread:.4f} over {summary.seeds} seeds"
    kept = [str(one.kept) for one in evaluations if one.kept is not None]
    early = (f"stopped early, best epoch {', '.join(kept)}",) if kept else ()
    lines = (
        f"{interval}, {spread}" if seeds and evaluations[0].epoch else interval,
        *metrics.lines(summary.figures),
        *early,
    )
    remarks = dict.fromkeys(f"BEWARE: {remark}" for one in evaluations for remark in one.remarks)
    return Cell(f"{summary.figures['auc']:.4f}", summary.figures["auc"], (*lines, *remarks))


def difference_lines(found: Difference) -> tuple[str, ...]:
    """Return how a row differs from the reference."""
    if math.isnan(found.low):
        return (f"Δ not told: {NO_INTERVAL}",)
    line = f"Δ {signed(found.auc)} [{signed(found.low)}, {signed(found.high)}]"
    return (line,) if found.rows is None else (line, f"on the {found.rows:,} rows of both")


def compared_cell(evaluations: Sequence[Evaluation], reference: Sequence[Evaluation]) -> Cell:
    """Return an AUC with its difference from a reference, unless it is the reference itself or there is none."""
    cell = auc_cell(evaluations)
    if not evaluations or not reference or tuple(evaluations) == tuple(reference):
        return cell
    found = difference(evaluations, reference)
    mark = DIFFERENT if found.is_one else ""
    return dataclasses.replace(cell, details=(*cell.details, *difference_lines(found)), mark=mark)
