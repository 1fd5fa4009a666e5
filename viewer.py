"""Step 9: ROC curves, UMAP of what the MLP is given and of its hidden layer, and the report of everything.

Reads   bipartite_graph/, user_all_embeddings/, matrix/, saved/<run>/ of adjust_hyperparameter.py (or mlp.py), and
        saved/figures/ of statis_and_draw.py
Writes  saved/figures/<protocol>_<reduction>/, each figure as .svg and as .png:
        <task>_10, <task>_30                     ROC of every feature after so many epochs
        <task>_UMAP_2D, <task>_UMAP_3D           test rows of vat_concat as the MLP is given them
        <task>_hidden_UMAP_2D, ..._UMAP_3D       the same rows in its last hidden layer
        saved/report.html: tables and figures in one file, to be opened in any browser

A figure is drawn again only when the runs that it comes from are others than before, or with --force.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from load_path import load_path
from mma4ctr import cli
from mma4ctr.catalogue import USER_REDUCTIONS
from mma4ctr.ending import from_here
from mma4ctr.protocol import PROTOCOLS

SCRIPT = Path(__file__).name


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 9 for the chosen tasks and variants."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    cli.add_tasks_argument(parser)
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, help="default: those that have runs")
    parser.add_argument("--reduction", nargs="+", choices=USER_REDUCTIONS, help="default: those that have runs")
    parser.add_argument("--force", action="store_true", help="draw again even where nothing has changed")
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.grid.results import Results
    from mma4ctr.report import absent, drawings, html, sections
    from mma4ctr.report.sources import TaskRuns

    settings = load_path(args.paths)
    tasks, results = absent.tasks(settings, args.dataset), Results(settings)
    drawings.write(results, tasks, args.protocol, args.reduction, SCRIPT, force=args.force)
    print(f"{SCRIPT} report")
    every = [TaskRuns(results, task) for task in absent.tasks(settings)]
    report = sections.build(results, every)
    absent.show(absent.sentences(settings, every))
    print(f"  wrote {from_here(html.write(report, settings.saved_path / 'report.html'))}", flush=True)


if __name__ == "__main__":
    main()
