"""The look of every figure: for print, for the colour-blind, and readable in grey.

A figure is made by `figure`, drawn on by the helpers, and written by `save` as SVG and as PNG. Nothing here uses
pyplot: figures are objects like any other, and no window is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from mma4ctr.catalogue import feature_named, features_among
from mma4ctr.ending import from_here
from mma4ctr.store import disk

# Okabe and Ito (2008), told apart under every kind of colour blindness; yellow, too pale on white, is left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CLASSES = {"no click": COLOURS[0], "click": COLOURS[4]}  # of projections: those that are furthest apart in grey
SHADES = "cividis"  # of the slices of a pie, from dark to light
CHANCE = "0.6"  # the line of scores that know nothing
# What a colour does not say in grey: the k-th line has the k-th of each, and no two lists have the same length.
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "////", "....", "xxxx")
COLUMN, PAGE = 3.5, 7.2  # inches: a figure as wide as one printed column, or as the page
DOTS_PER_INCH = 300  # of the PNG, and of what is rasterised within the SVG
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "errorbar.capsize": 2,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 8,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "savefig.dpi": DOTS_PER_INCH,
    "svg.fonttype": "path",  # letters as outlines: an SVG looks the same where the font is missing
    "svg.hashsalt": "mma4ctr",  # ids within an SVG do not change from run to run
}


def colours_of(modalities: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    """Return the colour of a ROC curve, which says which modalities its feature is made of.

    Of three modalities every part has a colour of its own; of more, colours come again.
    """
    made_of = dict.fromkeys(feature_named(name).modalities for name in features_among(modalities))
    return dict(zip(made_of, itertools.cycle(COLOURS), strict=False))


# Artists take these values when they are made, so a setting for a moment would miss some; and the user's own
# matplotlibrc must not change a figure.
matplotlib.rcdefaults()
matplotlib.rcParams.update(STYLE)
# Format -> metadata without a date, so that equal figures are equal files.
FORMATS = {"svg": {"Date": None}, "png": {"Software": None}}
MOST_MARKERS = 20  # on a line; more would hide its style


def figure(width: float = COLUMN, height: float = 2.6, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """Return an empty figure of `width` by `height` inches and its (rows, columns) axes."""
    made = Figure(figsize=(width, height))
    return made, made.subplots(rows, columns, squeeze=False)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `figure` as ``<name>.svg`` and ``<name>.png``, each whole or not at all; return the two files."""
    files = [folder / f"{name}.{form}" for form in FORMATS]
    for file, (form, metadata) in zip(files, FORMATS.items(), strict=True):
        with disk.replacing(file) as temporary:
            figure.savefig(temporary, format=form, metadata=metadata)
    return files


def save_all(figures: Mapping[str, Figure | None], folder: Path) -> None:
    """Write the figures that there are by their names, and print the names of the files."""
    for name, made in figures.items():
        if made is not None:
            print(f"  wrote {', '.join(map(from_here, save(made, folder, name)))}")


def head(figure: Figure, what: str, how: str) -> None:
    """Write above a figure what it shows of which task or data set, and below that how it was measured."""
    figure.suptitle(f"{what}\n{how}", x=0.01, ha="left", fontsize=9, linespacing=1.35)


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name both axes, with their units, and the axes themselves."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left")


def line(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    k: int,
    name: str | None,
    interval: tuple[Sequence[float], Sequence[float]] | None = None,
) -> None:
    """Draw the `k`-th line of `axes`, with a band between the low and high ends of its `interval`, if it has one."""
    colour = COLOURS[k % len(COLOURS)]
    axes.plot(
        x, y, color=colour, linestyle=LINE_STYLES[k % len(LINE_STYLES)], marker=MARKERS[k % len(MARKERS)], label=name,
        markevery=max(1, len(x) // MOST_MARKERS),
    )  # fmt: skip
    if interval is not None:
        axes.fill_between(x, *interval, color=colour, alpha=0.18, linewidth=0)


def dot(k: int) -> dict[str, Any]:
    """Return the look of the `k`-th kind of point."""
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    k: int,
    name: str | None,
    interval: tuple[Sequence[float], Sequence[float]],
) -> None:
    """Draw the `k`-th set of points of `axes` with error bars from the low to the high ends of their `interval`."""
    low, high = (np.abs(np.subtract(end, y)) for end in interval)
    axes.errorbar(x, y, yerr=(low, high), linestyle="none", label=name, **dot(k))


def dots(
    axes: Axes, x: Sequence[float], y: Sequence[float], k: int, name: str, interval: tuple[Sequence[float], ...]
) -> None:
    """Draw the `k`-th kind of points of a dot plot, each at its place y, with the ends of its `interval` along x."""
    low, high = (np.abs(np.subtract(end, x)) for end in interval)
    axes.errorbar(x, y, xerr=(low, high), linestyle="none", capsize=0, elinewidth=1, label=name, **dot(k))


def scatter(axes: Axes, x: Sequence[float], y: Sequence[float], k: int, name: str | None, size: float = 2) -> None:
    """Draw the `k`-th cloud of points of `axes`, as pixels in the SVG too: a cloud may have a million points."""
    axes.scatter(x, y, s=size, linewidths=0, alpha=0.6, rasterized=True, label=name, **dot(k))


def horizontal_bars(axes: Axes, y: np.ndarray, widths: Sequence[float], k: int, of: int, name: str) -> BarContainer:
    """Draw the `k`-th of the `of` bars that stand together at each place of `y`, the first on top."""
    height = 0.8 / of
    return axes.barh(
        y + (k - (of - 1) / 2) * height, widths, height, label=name, color=COLOURS[k], hatch=HATCHES[k],
        edgecolor="white", linewidth=0.5,
    )  # fmt: skip


def pie(axes: Axes, parts: np.ndarray, names: Sequence[str], title: str) -> None:
    """Draw ordered parts of a whole clockwise from the top, from dark to light, with a legend of their percentages.

    Names would not fit into the slices, nor beside thin ones, so they stand in the legend, in the slices' order.

    Parameters
    ----------
    parts : (slices,) float, fractions of 1 as they are to be printed
    names : (slices,) what each part is
    """
    shades = matplotlib.colormaps[SHADES](np.linspace(0, 1, len(parts)))
    slices, _, percentages = axes.pie(
        parts, colors=list(map(tuple, shades)), startangle=90, counterclock=False, radius=1.15,
        autopct=lambda percent: f"{percent:.0f} %" if percent >= 5 else "",
        pctdistance=0.72, textprops={"fontsize": 6.5}, wedgeprops={"edgecolor": "white", "linewidth": 0.8},
    )  # fmt: skip
    for text, shade in zip(percentages, shades, strict=True):
        text.set_color("white" if shade[:3].mean() < 0.5 else "black")
    entries = [f"{name}: {100 * part:.2f} %" for name, part in zip(names, parts, strict=True)]
    axes.legend(slices, entries, loc="center left", bbox_to_anchor=(1.05, 0.5), handlelength=1, handleheight=1)
    axes.set_title(title, loc="left")
