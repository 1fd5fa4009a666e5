"""What a report is made of, apart from how it looks: sections of tables and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text : str
        The figure as it is read; empty where there is none.
    value : float or None
        What the column is sorted by; None sorts last. A cell of words sorts by its text.
    details : tuple of str
        Smaller lines below the figure: interval, spread over seeds, difference from the reference.
    mark : str
        A short sign beside the figure, explained in the table's note.
    """

    text: str
    value: float | None = None
    details: tuple[str, ...] = ()
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; `columns` are the heads, every row has as many cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure before it is drawn: the text that stands for it, and what draws it, if there is anything to draw."""

    caption: str
    draw: Callable[..., Figure | None]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure: an SVG file with the text that stands for it."""

    file: Path
    caption: str


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs, then tables, then figures, then commands as they are typed."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Report:
    """The whole report; `warning` stands above everything where the data are made up."""

    title: str
    subtitle: str
    warning: str
    sections: tuple[Section, ...]
