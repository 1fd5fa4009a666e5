"""Write a report as one HTML file that needs nothing else: no network, no other file, and no script to be read."""

from __future__ import annotations

import base64
import dataclasses
import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from mma4ctr.cli import UserError
from mma4ctr.report.cells import BLANK
from mma4ctr.report.model import Picture, Report, Table
from mma4ctr.store import disk

TEMPLATE = "report.html.jinja"
PIXELS_OF_UNIT = {"pt": 4 / 3, "px": 1.0, "": 1.0, "in": 96.0}
ENLARGED = 1.08  # figures are drawn for print; a screen is further away
DEFAULT_WIDTH = 480  # pixels, of a picture that does not say how wide it is
LONG = 40  # characters from which words may wrap
SHORT = 20  # and up to which the second line of a cell may not: an interval has 16, one of differences 18
SIZE_OF_SVG = re.compile(r'<svg[^>]*?\swidth="([\d.]+)(\w*)"')


@dataclasses.dataclass(frozen=True)
class Embedded:
    """A picture as the page holds it: the whole file as an address, and its width in pixels."""

    address: str
    width: int
    caption: str
    seen: str


def embed(picture: Picture) -> Embedded:
    """Return a picture whose file is part of the page.

    Raises
    ------
    UserError
        If the file is missing.
    """
    try:
        content = picture.file.read_bytes()
    except OSError as error:
        raise UserError(
            f"{picture.file}: cannot be read ({error.strerror}), expected the figure {picture.caption!r}; "
            "run python statis_and_draw.py and python viewer.py --force"
        ) from None
    found = SIZE_OF_SVG.search(content[:4096].decode(errors="replace"))
    width: float = DEFAULT_WIDTH
    if found is not None and found[2] in PIXELS_OF_UNIT:
        width = float(found[1]) * PIXELS_OF_UNIT[found[2]] * ENLARGED
    address = f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"
    return Embedded(address, round(width), picture.caption, picture.seen)


def within(title: str, section: str) -> str:
    """Return the title of a table as it is listed below that of its section, whose words are not said again."""
    short = title.removeprefix(section).lstrip(",: ")
    return f"{short[:1].upper()}{short[1:]}"


def breakable(text: str) -> Markup:
    """Return a text that may break after each underscore, so that a long name does not widen its column.

    Paths stay as they are, to be searched for and copied; they are long enough to break anywhere.
    """
    whole = str(escape(text))
    return Markup(whole if "/" in whole else whole.replace("_", "_<wbr>"))


def without_blank_columns(table: Table) -> Table:
    """Return a table without the columns in which no row has anything."""
    kept = [k for k in range(len(table.columns)) if not table.rows or any(row[k] != BLANK for row in table.rows)]
    rows = tuple(tuple(row[k] for k in kept) for row in table.rows)
    return dataclasses.replace(table, columns=tuple(table.columns[k] for k in kept), rows=rows)


def numeric_columns(table: Table) -> list[bool]:
    """Return for each column whether it is one of numbers: aligned on the right and sorted by value."""
    return [any(row[column].value is not None for row in table.rows) for column in range(len(table.columns))]


def render(report: Report) -> str:
    """Return the page of a report; equal reports give equal pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    filters = (embed, breakable, within, without_blank_columns, numeric_columns)
    environment.globals |= {"long": LONG, "short": SHORT}  # macros see these alone
    environment.filters |= {one.__name__: one for one in filters}
    return environment.get_template(TEMPLATE).render(report=report)


def write(report: Report, file: Path) -> Path:
    """Write a report to `file`, whole or not at all, and return the file."""
    page = render(report)
    with disk.replacing(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return file
