"""Step 8: statistics of the unfiltered logs, and curves of the experiments, beside the published ones.

Reads   bipartite_graph/statistics/ of step 1, the finished runs of step 7 in saved/
Writes  saved/figures/, each figure as .svg and as .png:
        <data set>_ratios            rows without an action for each row with it
        <data set>_users             users by number of interactions
        <data set>_items             items by times watched
        <task>_epochs                AUC against epochs
        <task>_learning_rate         AUC against learning rate
        <task>_batch_size            AUC against batch size
        <task>_<epochs>_TrainLoss    loss of the training rows of the longest run
        <task>_<epochs>_ValidLoss    loss of the validation rows of the longest run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from load_path import load_path
from mma4ctr import cli
from mma4ctr.data.registry import TASKS
from mma4ctr.report import curves, plots, provenance, statistics
from mma4ctr.report.statistics import PUBLISHED
from mma4ctr.report.tables import TaskTables
from mma4ctr.runs.find import Results
from mma4ctr.settings import Settings
from mma4ctr.store import records

SCRIPT = Path(__file__).name
STEP_1 = "preprocess_inter.py"  # writes the statistics


def draw_ratios(settings: Settings, dataset: str) -> Figure:
    """Draw bars of the negative rows for each positive one: this log's above the published ones."""
    ratios = statistics.ratios_of(settings, dataset)
    values = np.array(list(ratios.values()))
    drawable = values[np.isfinite(values) & (values > 0)]
    left, right = min(1.0, 10 ** np.floor(np.log10(drawable.min()))), 4 * drawable.max()
    figure, ((axes,),) = plots.figure(plots.PAGE * 0.75, 0.9 + 0.32 * len(ratios))
    places = np.arange(len(ratios))
    for k, name in enumerate(
        (f"{dataset}, {provenance.data_name(settings, dataset)}", f"published ({PUBLISHED[dataset].source})")
    ):
        widths = np.where(np.isfinite(values[:, k]), np.maximum(values[:, k], left), left)
        bars = plots.horizontal_bars(axes, places, widths, k, of=2, name=name)
        axes.bar_label(bars, [statistics.in_words(pair)[k] for pair in ratios.values()], padding=2, fontsize=6.5)
    axes.set(xscale="log", xlim=(left, right), yticks=places, yticklabels=list(ratios))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    plots.label(axes, "rows without the action for each row with it (log scale)", "")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def draw_shares(settings: Settings, dataset: str, artefact: str, things: str, by: str) -> Figure:
    """Draw two pies of users or items in the published buckets: this log's and the published one."""
    computed, buckets, number = statistics.buckets_of(settings, dataset, artefact)
    figure, ((ours, theirs),) = plots.figure(plots.PAGE, 2.3, columns=2)
    names = [bucket.name.replace("-", "–") for bucket in buckets]
    plots.pie(ours, computed, names, f"{provenance.data_name(settings, dataset)}, {number:,} {things}")
    total = getattr(PUBLISHED[dataset], things)
    plots.pie(theirs, np.array([bucket.share for bucket in buckets]), names, f"published, {total:,} {things}")
    figure.suptitle(f"{dataset}: {things} by {by}", x=0.01, ha="left", fontsize=9)
    return figure


def draw_users(settings: Settings, dataset: str) -> Figure:
    """Draw the users by number of interactions."""
    return draw_shares(settings, dataset, "user_lengths", "users", "number of interactions")


def draw_items(settings: Settings, dataset: str) -> Figure:
    """Draw the items by times watched."""
    return draw_shares(settings, dataset, "item_popularities", "items", "times watched")


# Figure of a data set -> what draws it; the files are called <data set>_<figure>.
DATASET_FIGURES: dict[str, Callable[[Settings, str], Figure]] = {
    "ratios": draw_ratios,
    "users": draw_users,
    "items": draw_items,
}


def print_statistics(settings: Settings, dataset: str) -> None:
    """Print the ratios and shares of this log beside the published ones."""
    rows = statistics.actions_of(settings, dataset)["rows"]
    published, ours = PUBLISHED[dataset], provenance.data_name(settings, dataset)
    print(f"  {rows:,} rows, unfiltered; published: {published.source}, {published.rows:,} rows")
    print(f"  {'rows without the action for each row with it':<52}{ours:>14}{'published':>14}")
    for name, ratios in statistics.ratios_of(settings, dataset).items():
        print(f"    {name:<50}" + "".join(f"{text:>14}" for text in statistics.in_words(ratios)))
    for artefact, title in {
        "user_lengths": "users by interactions",
        "item_popularities": "items by times watched",
    }.items():
        shares, buckets, number = statistics.buckets_of(settings, dataset, artefact)
        print(f"  {f'{title} ({number:,})':<52}{ours:>14}{'published':>14}")
        for bucket, share in zip(buckets, shares, strict=True):
            print(f"    {bucket.name:<50}{100 * share:>12.2f} %{100 * bucket.share:>12.2f} %")


def write(settings: Settings, figures: Mapping[str, Figure]) -> None:
    """Write figures as SVG and PNG, and print their names."""
    for name, figure in figures.items():
        files = plots.save(figure, settings.saved_path / "figures", name)
        print(f"  wrote {', '.join(map(str, files))}")


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 8 for the chosen tasks."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    parser.add_argument("--dataset", nargs="+", choices=TASKS, default=list(TASKS), help="tasks; default: all of them")
    args = parser.parse_args(argv)
    settings = load_path(args.paths)
    for dataset in dict.fromkeys(TASKS[task].dataset for task in args.dataset):
        records.require(settings, STEP_1, dataset)
        figures = {f"{dataset}_{name}": draw(settings, dataset) for name, draw in DATASET_FIGURES.items()}
        print(f"{SCRIPT} {dataset}")
        print_statistics(settings, dataset)
        write(settings, figures)
    results = Results(settings)
    for task in args.dataset:
        figures = curves.task_figures(TaskTables(results, task))
        none = "" if figures else ": no finished run to draw curves of; run python adjust_hyperparameter.py"
        print(f"{SCRIPT} {task}{none}")
        write(settings, figures)


if __name__ == "__main__":
    main()
