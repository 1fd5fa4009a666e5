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
        The first is the cell's second line, such as the interval; the rest, such as the spread over seeds and the
        difference from the reference, are shown on demand.
    mark : str
        A short sign beside the figure, explained in the report.
    """

    text: str
    value: float | None = None
    details: tuple[str, ...] = ()
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; `columns` are the heads, every row has as many cells. One that is `folded` is shown on demand."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is said of one subject, which may go without a title: texts, each behind what it is about."""

    title: str
    sentences: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure before it is drawn: what it is, what draws it, if there is anything to draw, and what is to be seen."""

    caption: str
    draw: Callable[..., Figure | None]
    seen: str


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure: an SVG file, the text that stands for it, and what is to be seen in it."""

    file: Path
    caption: str
    seen: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs, findings, its main figures, tables, other figures, commands as they are typed.

    `commands` are shown on demand.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    main: tuple[Picture, ...] = ()


@dataclasses.dataclass(frozen=True)
class Report:
    """The whole report; `warning` stands above everything where the data are made up."""

    title: str
    subtitle: str
    warning: str
    sections: tuple[Section, ...]
