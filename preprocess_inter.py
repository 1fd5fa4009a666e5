"""Step 1: turn the raw logs into the labelled rows of each task.

Reads   the interactions of the raw logs (wechat: user_action.csv; tiktok: final_track1_train.txt or track 2's)
Writes  bipartite_graph/: users with their device, items, the rows of each task under both protocols,
        statistics/ of the unfiltered log
"""

from __future__ import annotations

from collections.abc import Sequence

from load_path import load_path
from mma4ctr import cli


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 1 for the chosen data sets."""
    parser = cli.step_parser(__doc__)
    cli.add_scheduler_argument(parser)
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data import build
    from mma4ctr.data.registry import chosen
    from mma4ctr.executor import connected

    settings = load_path(args.paths)
    with connected(args.scheduler) as executor:
        for dataset in chosen(settings, args.dataset):
            build.labelled_rows(settings, dataset, executor, force=args.force)


if __name__ == "__main__":
    main()
