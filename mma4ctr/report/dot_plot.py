"""The main figure of a task: the AUC of every model with its interval, a panel for each protocol."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mma4ctr.evaluation.label_rates import NAMES as LABEL_RATES
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.published.tables import MODEL
from mma4ctr.report import plots, provenance
from mma4ctr.report.cells import published_cell
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.standings import RATES, Standing, label_rates, standings

AUC_AXIS = "test AUC (0.5 is chance)"
LONGEST_NAME = 28  # characters
WIDTH = 4.9  # inches, as wide as the ROC curves that it stands beside


def heading(runs: TaskRuns, what: str, protocols: Sequence[str]) -> tuple[str, str]:
    """Return the two lines above a figure that shows runs of some protocols."""
    named = list(dict.fromkeys(protocols))
    how = f"{' and '.join(named)} protocol{'s' if len(named) > 1 else ''}"
    return provenance.heading(runs.results.settings, runs.task, what, how)


def draw_models(runs: TaskRuns) -> Figure | None:
    """Draw the AUC of every model with its interval, the highest on top: a panel for each protocol with runs."""
    panels = {protocol: found for protocol in reversed(PROTOCOLS) if (found := standings(runs, protocol))}
    if not panels:
        return None
    shown = {protocol: sorted([*found, *label_rates(runs, found).values()], key=lambda one: -one.auc)
             for protocol, found in panels.items()}  # fmt: skip
    longest = max(map(len, shown.values()))
    figure, grid = plots.figure(WIDTH * (1 if len(panels) == 1 else 1.45), 1.4 + 0.19 * longest,
                                columns=len(panels))  # fmt: skip
    for axes, (protocol, found) in zip(grid[0], shown.items(), strict=True):
        draw_dots(axes, found)
        plots.label(axes, AUC_AXIS, "", f"{protocol} protocol" if len(panels) > 1 else "")
        theirs = published_auc(runs) if protocol == "published" else None
        if theirs is not None:
            axes.axvline(theirs, color=plots.COLOURS[-1], linestyle=":", linewidth=1, label=f"published {MODEL}")
    plots.head(figure, *heading(runs, "AUC of every model on the same test rows", list(panels)))
    entries = {name: handle for axes in grid[0]
               for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}  # fmt: skip
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3)
    return figure


def published_auc(runs: TaskRuns) -> float | None:
    """Return what the publication prints for MMa4CTR after the fewest epochs at which it compares models."""
    experiment = runs.experiments["performance"]
    number = experiment.number(runs.subsection)
    return published_cell(number, "", experiment.epochs[0], MODEL, "auc").value


def short(name: str) -> str:
    """Return a name that leaves room for the points."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def draw_dots(axes: Axes, found: Sequence[Standing]) -> None:
    """Draw a row for each model: its AUC and interval, by whether it sees content, and a line at `RATES`."""
    kinds = {"sees content": [one.sees_content for one in found],
             "click rates alone": [one.name in LABEL_RATES for one in found]}  # fmt: skip
    kinds["sees no content"] = [not any(flags) for flags in zip(*kinds.values(), strict=True)]
    for k, (name, chosen) in enumerate(kinds.items()):
        rows = [(one, place) for place, (one, is_one) in enumerate(zip(found, chosen, strict=True)) if is_one]
        if rows:
            summaries = [one.summary for one, _ in rows]
            ends = ([one.interval[0] for one in summaries], [one.interval[1] for one in summaries])
            plots.dots(axes, [one.auc for one, _ in rows], [place for _, place in rows], k, name, ends)
    for one in found:
        if one.name == RATES:
            axes.axvline(one.auc, color=plots.CHANCE, linestyle="--", linewidth=0.8, label=RATES)
    axes.set(yticks=range(len(found)), yticklabels=[short(one.name) for one in found], ylim=(len(found) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
