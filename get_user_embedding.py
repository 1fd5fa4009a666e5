"""Step 3: what each user clicked minus what the user passed by, for each task and modality.

Reads   bipartite_graph/, multi_modal/
Writes  user_all_embeddings/: for each task and modality a (users, user_embedding_length + 1) float32 matrix, whose
        last column is the device; protocol, user_reduction and user_embedding_length of path.json are in its name.
        With user_history "causal" also the items reduced to the same length, from which each row's embedding is made
"""

from __future__ import annotations

from collections.abc import Sequence

from load_path import load_path
from mma4ctr import cli
from mma4ctr.catalogue import USER_HISTORIES
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import embedding_name


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 3 for the tasks of the chosen data sets."""
    parser = cli.step_parser(__doc__)
    cli.add_protocol_argument(parser, PROTOCOLS)
    parser.add_argument("--user_history", choices=USER_HISTORIES,
                        help="of all rows of a user, or of those before a row (default: of path.json); what path.json "
                        "does not say lies below saved/settings/, where mlp.py --user_history finds it")  # fmt: skip
    args = parser.parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data.registry import chosen
    from mma4ctr.features import build_users

    settings = load_path(args.paths)
    if args.user_history:
        name = embedding_name(settings.user_reduction, args.user_history)
        settings = build_users.settings_of(settings, name, settings.user_embedding_length)
    for dataset in chosen(settings, args.dataset):
        build_users.user_embeddings(settings, dataset, args.protocol or settings.protocol, force=args.force)


if __name__ == "__main__":
    main()
