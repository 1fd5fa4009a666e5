"""Step 5: the item features of a single modality.

Reads   multi_modal/ (with --dense also bipartite_graph/ and user_all_embeddings/)
Writes  matrix/: each modality, unscaled, reduced to 128 columns where it is wider; a modality that is not is kept as a
        reference to its matrix in multi_modal/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from load_path import load_path
from mma4ctr import cli
from mma4ctr.catalogue import LAYOUTS
from mma4ctr.protocol import PROTOCOLS


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 5 for the chosen data sets."""
    args = cli.matrix_parser(__doc__, PROTOCOLS, LAYOUTS).parse_args(argv)
    # late: nobody who asks for --help waits for them
    from mma4ctr.data.registry import chosen
    from mma4ctr.features import build, dense

    settings = load_path(args.paths)
    for dataset in chosen(settings, args.dataset):
        features = build.matrices(settings, dataset, Path(__file__).name, force=args.force)
        if args.dense:
            dense.write_all(settings, dataset, features, args.protocol or settings.protocol, args.dense)


if __name__ == "__main__":
    main()
