"""The builder of every table: its rows are models or settings, its columns small functions of a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mma4ctr.grid.experiments import Variant
from mma4ctr.published import tables as published
from mma4ctr.report.cells import BLANK, OTHERWISE, compared_cell, marked, number_cell, published_cell
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import Source
from mma4ctr.runs.finished import Evaluation


def no_reference(variant: Variant | None) -> Sequence[Evaluation]:
    """Return nothing: the row is compared with no other."""
    return ()


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a table before it is shown.

    Attributes
    ----------
    label : Cell
        The first cell.
    epochs : int or None
    sources : dict of Variant to Source
        Where the figures in the columns of a variant come from; None is the key in tables without such columns.
    model, setting : str
        What the row is called in the published tables.
    reference : callable
        Returns what its AUC in the columns of a variant is compared with.
    """

    label: Cell
    epochs: int | None
    sources: Mapping[Any, Source]
    model: str = published.MODEL
    setting: str = ""
    reference: Callable[[Variant | None], Sequence[Evaluation]] = no_reference

    def value(self, variant: Variant | None, figure: str) -> float | None:
        """Return the mean over seeds of a figure, None where there is none."""
        source = self.sources.get(variant)
        return None if source is None else source.mean(self.epochs, figure)

    def cell(self, variant: Variant | None, figure: str) -> Cell:
        """Return our figure for the columns of a variant, an AUC with all that says how sure it is."""
        source = self.sources.get(variant)
        if source is None:
            return BLANK
        if figure != "auc":
            return number_cell(source.mean(self.epochs, figure))
        return compared_cell(source.evaluations(self.epochs), self.reference(variant))

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the longest run of the row's only source; empty where none has run."""
        longest = self.sources[None].longest if None in self.sources else None
        return {} if longest is None else longest.metrics


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: its head, and what gives the cell of a row."""

    head: str
    cell: Callable[[Row], Cell]


EPOCHS = Column("epochs", lambda row: BLANK if row.epochs is None else Cell(str(row.epochs), row.epochs))


def build(title: str, columns: Sequence[Column], rows: Sequence[Row], note: str = "") -> Table:
    """Return the table of some rows and columns."""
    cells = tuple(tuple(column.cell(row) for column in columns) for row in rows)
    return Table(title, tuple(column.head for column in columns), cells, note)


def label_column(head: str) -> Column:
    """Return the first column."""
    return Column(head, lambda row: row.label)


def published_column(head: str, number: str | None, figure: str) -> Column:
    """Return the column of a published table."""
    return Column(head, lambda row: published_cell(number, row.setting, row.epochs, row.model, figure))


def our_column(head: str, figure: str, variant: Variant | None = None) -> Column:
    """Return the column of one of our figures; that of a variant marks special runs, and says how at the AUC."""

    def cell(row: Row) -> Cell:
        found = row.cell(variant, figure)
        notes = () if variant is None or found == BLANK else row.sources[variant].notes
        said = notes if figure == "auc" else ()
        return dataclasses.replace(marked(found, OTHERWISE), details=(*found.details, *said)) if notes else found

    return Column(head, cell)
