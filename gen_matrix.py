"""Step 5: the item features of a single modality.

Reads   multi_modal/ (with --dense also bipartite_graph/)
Writes  matrix/: each modality, unscaled, reduced to 128 columns where it is wider; a modality that is not is kept as a
        reference to its matrix in multi_modal/
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from load_path import Paths, load_path
from mma4ctr import artifacts, cli, matrices, records, reduction
from mma4ctr.tables import DATASETS, ITEM_FEATURE_LENGTH, PROTOCOLS

SCRIPT = Path(__file__).name


def write(paths: Paths, dataset: str, modalities: Sequence[str]) -> tuple[list[Path], dict]:
    """Build the single-modality features of one data set; return the files and the counts."""
    files, counts = [], {}
    for modality in cli.track(modalities):
        keys = {"dataset": dataset, "modality": modality}
        matrix = artifacts.load(paths, "modality", **keys)
        table, note = matrices.reference("modality", **keys), " (not written again)"
        if matrix.shape[1] > ITEM_FEATURE_LENGTH:
            matrix = reduction.at_most(matrix, ITEM_FEATURE_LENGTH)
            files.append(artifacts.save(paths, "single_table", matrix, dataset=dataset, feature=modality))
            table, note = matrices.reference("single_table", dataset=dataset, feature=modality), ""
        items = matrices.reference("modality_items", **keys)
        files.append(matrices.save_joins(paths, dataset, modality, items, [table]))
        counts[modality] = f"{len(matrix):,} items, {matrix.shape[1]} columns{note}"
    return files, counts


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 5 for the chosen data sets."""
    args = matrices.parser(__doc__, DATASETS, PROTOCOLS).parse_args(argv)
    paths = load_path(args.paths)
    for dataset in args.dataset:
        ancestors = matrices.ancestors_of(paths, dataset)
        modalities = records.modalities_of(ancestors[0])
        build = records.Build(paths, SCRIPT, dataset, built_on=ancestors)
        records.rebuild(build, functools.partial(write, paths, dataset, modalities), force=args.force)
        if args.dense:
            records.require(paths, "preprocess_inter.py", dataset)
            matrices.write_all_dense(paths, dataset, modalities, args.protocol or paths.protocol)


if __name__ == "__main__":
    main()
