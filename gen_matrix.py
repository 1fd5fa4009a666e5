"""Step 5: the item features of a single modality.

Reads   multi_modal/ (with --dense also bipartite_graph/)
Writes  matrix/: each modality, unscaled, reduced to 128 columns where it is wider; a modality that is not is kept as a
        reference to its matrix in multi_modal/
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from load_path import load_path
from mma4ctr import cli, reduction
from mma4ctr.catalogue import ITEM_FEATURE_LENGTH
from mma4ctr.data.registry import DATASETS
from mma4ctr.features import matrices
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SCRIPT = Path(__file__).name


def write(settings: Settings, dataset: str, modalities: Sequence[str]) -> tuple[list[Path], dict]:
    """Build the single-modality features of one data set; return the files and the counts."""
    files, counts = [], {}
    for modality in cli.track(modalities):
        keys = {"dataset": dataset, "modality": modality}
        matrix = artifacts.load(settings, "modality", **keys)
        table, note = matrices.reference("modality", **keys), " (not written again)"
        if matrix.shape[1] > ITEM_FEATURE_LENGTH:
            matrix = reduction.at_most(matrix, ITEM_FEATURE_LENGTH)
            files.append(artifacts.save(settings, "single_table", matrix, dataset=dataset, feature=modality))
            table, note = matrices.reference("single_table", dataset=dataset, feature=modality), ""
        items = matrices.reference("modality_items", **keys)
        files.append(matrices.save_joins(settings, dataset, modality, items, [table]))
        counts[modality] = f"{len(matrix):,} items, {matrix.shape[1]} columns{note}"
    return files, counts


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 5 for the chosen data sets."""
    args = matrices.parser(__doc__, DATASETS, PROTOCOLS).parse_args(argv)
    settings = load_path(args.paths)
    for dataset in args.dataset:
        ancestors = matrices.ancestors_of(settings, dataset)
        modalities = records.modalities_of(ancestors[0])
        build = records.Build(settings, SCRIPT, dataset, built_on=ancestors)
        records.rebuild(build, functools.partial(write, settings, dataset, modalities), force=args.force)
        if args.dense:
            records.require(settings, "preprocess_inter.py", dataset)
            matrices.write_all_dense(settings, dataset, modalities, args.protocol or settings.protocol)


if __name__ == "__main__":
    main()
