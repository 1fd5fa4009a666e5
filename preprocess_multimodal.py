"""Step 2: turn the raw features into one float32 matrix for each modality of the items.

Reads   the feature files of the raw logs (wechat: feed_info.csv; tiktok: the video, audio and title files),
        bipartite_graph/ (for tiktok, the items of kept users: lines of other items are not parsed)
Writes  multi_modal/: for each modality the item ids and their matrix
"""

from __future__ import annotations

from collections.abc import Sequence

from load_path import load_path
from mma4ctr import cli


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 2 for the chosen data sets."""
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
            build.modalities(settings, dataset, executor, force=args.force)


if __name__ == "__main__":
    main()
