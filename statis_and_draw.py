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

from collections.abc import Sequence
from pathlib import Path

from load_path import load_path
from mma4ctr import cli

SCRIPT = Path(__file__).name


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 8 for the chosen tasks."""
    parser = cli.parser(__doc__)
    cli.add_paths_argument(parser)
    cli.add_tasks_argument(parser)
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.grid.results import Results
    from mma4ctr.report import absent, curves, datasets
    from mma4ctr.report.sources import TaskRuns

    settings = load_path(args.paths)
    tasks = absent.tasks(settings, args.dataset)
    for dataset in dict.fromkeys(map(settings.dataset_of, tasks)):
        datasets.write(settings, dataset, SCRIPT)
    results = Results(settings)
    for task in tasks:
        curves.write(results, task, SCRIPT)
    absent.show(absent.sentences(settings, [TaskRuns(results, task) for task in tasks]))


if __name__ == "__main__":
    main()
