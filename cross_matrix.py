"""Step 4: fuse the modalities of the items: crossed element by element, and side by side.

Reads   multi_modal/ (with --dense also bipartite_graph/)
Writes  matrix/: the items that have every modality, the scaled modalities of those items, each crossed feature and each
        concatenated feature that is reduced to 128 columns; a feature that only joins tables is kept as the list of
        what it joins
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from load_path import load_path
from mma4ctr import cli
from mma4ctr.catalogue import FEATURES
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import DATASETS
from mma4ctr.features import fusion, matrices
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SCRIPT = Path(__file__).name


def features_with(modalities: Sequence[str]) -> list[str]:
    """Return the fused features whose modalities are all there."""
    fused = ((name, row) for name, row in FEATURES.items() if row.fusion in fusion.FUSIONS)
    return [name for name, row in fused if set(row.modalities) <= set(modalities)]


def load_fusable(
    settings: Settings, dataset: str, modalities: Sequence[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the ids (n,) of the items that have every modality, and each modality (n, columns) ready to be fused."""
    ids = {
        modality: artifacts.load(settings, "modality_items", dataset=dataset, modality=modality)
        for modality in modalities
    }  # fmt: skip
    fused = functools.reduce(lambda common, own: common[places_in(own, common) >= 0], ids.values())
    tables = {}
    for modality in modalities:
        matrix = artifacts.load(settings, "modality", dataset=dataset, modality=modality)
        tables[modality] = fusion.fusable(ids[modality], matrix, fused)
    return fused, tables


def write(settings: Settings, dataset: str, modalities: Sequence[str]) -> tuple[list[Path], dict]:
    """Build the fused features of one data set; return the files and the counts."""
    fused, tables = load_fusable(settings, dataset, modalities)
    if len(fused) == 0:
        raise cli.UserError(f"{dataset}: no item has all of {', '.join(modalities)}, so that nothing can be fused")
    files = [artifacts.save(settings, "fused_items", fused, dataset=dataset)]
    for modality, table in tables.items():
        files.append(artifacts.save(settings, "fused_modality", table, dataset=dataset, modality=modality))
    counts = {"items with every modality": len(fused)}
    for feature in cli.track(features_with(modalities)):
        row = FEATURES[feature]
        table = fusion.FUSIONS[row.fusion]([tables[modality] for modality in row.modalities])
        if table is None:
            joined = [matrices.reference("fused_modality", dataset=dataset, modality=name) for name in row.modalities]
            columns, note = sum(tables[name].shape[1] for name in row.modalities), " (joined, not written)"
        else:
            files.append(artifacts.save(settings, "fused_table", table, dataset=dataset, feature=feature))
            joined, columns, note = (
                [matrices.reference("fused_table", dataset=dataset, feature=feature)],
                table.shape[1],
                "",
            )
        files.append(
            matrices.save_joins(settings, dataset, feature, matrices.reference("fused_items", dataset=dataset), joined)
        )
        counts[feature] = f"{columns} columns{note}"
    return files, counts


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 4 for the chosen data sets."""
    args = matrices.parser(__doc__, DATASETS, PROTOCOLS).parse_args(argv)
    settings = load_path(args.paths)
    for dataset in args.dataset:
        ancestors = matrices.ancestors_of(settings, dataset)
        modalities = records.modalities_of(ancestors[0])
        build = records.Build(settings, SCRIPT, dataset, built_on=ancestors)
        records.rebuild(build, functools.partial(write, settings, dataset, modalities), force=args.force)
        if args.dense:
            records.require(settings, "preprocess_inter.py", dataset)
            matrices.write_all_dense(settings, dataset, features_with(modalities), args.protocol or settings.protocol)


if __name__ == "__main__":
    main()
