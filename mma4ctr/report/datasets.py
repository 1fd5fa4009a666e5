"""Figures and printed statistics of the unfiltered log of a data set, beside what was published about the full one."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from mma4ctr import cli
from mma4ctr.data.registry import dataset_of
from mma4ctr.report import plots, provenance, statistics
from mma4ctr.report.model import Drawn
from mma4ctr.settings import Settings
from mma4ctr.store import records

STEP_1 = "preprocess_inter.py"  # writes the statistics
HISTOGRAMS = {"user_lengths": "users by interactions", "item_popularities": "items by times watched"}


def draw_ratios(settings: Settings, dataset: str) -> Figure:
    """Draw bars of the negative rows for each positive one: this log's, above the published ones if there are any."""
    ratios, published = statistics.ratios_of(settings, dataset), dataset_of(settings, dataset).published
    names = [f"{dataset}, {provenance.data_name(settings, dataset)}"]
    names += [f"published ({published.source})"] if published and published.ratios else []
    values = np.array([pair[: len(names)] for pair in ratios.values()], dtype=float)
    drawable = values[np.isfinite(values) & (values > 0)]
    left, right = min(1.0, 10 ** np.floor(np.log10(drawable.min(initial=1.0)))), 4 * drawable.max(initial=1.0)
    figure, ((axes,),) = plots.figure(plots.PAGE * 0.75, 0.9 + 0.32 * len(ratios))
    places = np.arange(len(ratios))
    for k, name in enumerate(names):
        widths = np.where(np.isfinite(values[:, k]), np.maximum(values[:, k], left), left)
        bars = plots.horizontal_bars(axes, places, widths, k, of=len(names), name=name)
        axes.bar_label(bars, [statistics.in_words(pair)[k] for pair in ratios.values()], padding=2, fontsize=6.5)
    axes.set(xscale="log", xlim=(left, right), yticks=places, yticklabels=list(ratios))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    plots.label(axes, "rows without the action for each row with it (log scale)", "")
    plots.head(figure, f"{dataset}: rows without an action for each row with it", "unfiltered log")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def draw_shares(settings: Settings, dataset: str, artefact: str, things: str, by: str) -> Figure:
    """Draw pies of users or items by number: this log's, and the published one if there is one."""
    computed, buckets, number = statistics.buckets_of(settings, dataset, artefact)
    pies = [(computed, f"{provenance.data_name(settings, dataset)}, {number:,} {things}")]
    published = dataset_of(settings, dataset).published
    if published is not None and getattr(published, artefact):
        shares = np.array([bucket.share for bucket in buckets])
        pies.append((shares, f"published, {getattr(published, things):,} {things}"))
    figure, axes = plots.figure(plots.PAGE / 2 * len(pies), 2.3, columns=len(pies))
    names = [bucket.name.replace("-", "–") for bucket in buckets]
    for place, (parts, title) in zip(axes[0], pies, strict=True):
        plots.pie(place, parts, names, title)
    plots.head(figure, f"{dataset}: {things} by {by} (share of all {things})", "unfiltered log")
    return figure


def draw_users(settings: Settings, dataset: str) -> Figure:
    """Draw the users by number of interactions."""
    return draw_shares(settings, dataset, "user_lengths", "users", "number of interactions")


def draw_items(settings: Settings, dataset: str) -> Figure:
    """Draw the items by times watched."""
    return draw_shares(settings, dataset, "item_popularities", "items", "times watched")


# Figure of a data set -> what draws it; the files are called <data set>_<figure>.
DATASET_FIGURES = {
    "ratios": Drawn("rows without an action for each row with it", draw_ratios,
                    "The longer a bar, the rarer the action, and the harder a click is to predict well."),
    "users": Drawn("users by number of interactions", draw_users,
                   "Slices go clockwise from the users with the fewest interactions, dark, to those with the most."),
    "items": Drawn("items by times watched", draw_items,
                   "Slices go clockwise from the items that are watched least, dark, to those that are watched most."),
}  # fmt: skip


def print_line(name: str, ours: str, published: str) -> None:
    """Print a line of the statistics: what it is, this log's figure and the published one, if there is one."""
    print(f"{name:<54}{ours:>14}{published:>14}".rstrip())


def print_statistics(settings: Settings, dataset: str) -> None:
    """Print the ratios and shares of this log beside the published ones."""
    published, ours = dataset_of(settings, dataset).published, provenance.data_name(settings, dataset)
    beside = f"; published: {published.source}, {cli.count_in_words(published.sizes)}" if published else ""
    head = "published" if published and published.ratios else ""
    print(f"  {statistics.actions_of(settings, dataset)['rows']:,} rows, unfiltered{beside}")
    print_line("  rows without the action for each row with it", ours, head)
    for name, ratios in statistics.ratios_of(settings, dataset).items():
        print_line(f"    {name}", *statistics.in_words(ratios))
    for artefact, title in HISTOGRAMS.items():
        shares, buckets, number = statistics.buckets_of(settings, dataset, artefact)
        print_line(f"  {title} ({number:,})", ours, head)
        for bucket, share in zip(buckets, shares, strict=True):
            theirs = "" if math.isnan(bucket.share) else f"{100 * bucket.share:.2f} %"
            print_line(f"    {bucket.name}", f"{100 * share:.2f} %", theirs)


def write(settings: Settings, dataset: str, script: str) -> None:
    """Draw the figures of a data set, print its statistics and the names of the files.

    Raises
    ------
    UserError
        If step 1 has not run.
    """
    records.require(settings, STEP_1, dataset)
    figures = {f"{dataset}_{name}": drawn.draw(settings, dataset) for name, drawn in DATASET_FIGURES.items()}
    print(f"{script} {dataset}")
    print_statistics(settings, dataset)
    plots.save_all(figures, settings.saved_path / "figures")
