"""Step 2: turn the raw features into one float32 matrix for each modality of the items.

Reads   the feature files of the raw logs (wechat: feed_info.csv; tiktok: the video, audio and title files),
        bipartite_graph/ (for tiktok, the items of kept users: lines of other items are not parsed)
Writes  multi_modal/: for each modality the item ids and their matrix
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from load_path import load_path
from mma4ctr import cli
from mma4ctr import executor as cluster
from mma4ctr.catalogue import MODALITIES
from mma4ctr.data.registry import DATASETS, READERS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SCRIPT = Path(__file__).name


def write(settings: Settings, dataset: str, executor: cluster.Executor) -> tuple[list[Path], dict]:
    """Build the modalities of one data set; return the files and the counts."""
    reader = READERS[dataset]
    kept = artifacts.load(settings, "items", dataset=dataset) if reader.NEEDS_KEPT_ITEMS else np.zeros(0, np.int64)
    files, counts = [], {}
    for found in reader.read_modalities(settings.raw_folder(dataset), kept, settings.seed, executor):
        if len(found.items) == 0:
            continue
        keys = {"dataset": dataset, "modality": found.modality}
        files.append(artifacts.save(settings, "modality_items", found.items, **keys))
        files.append(artifacts.save(settings, "modality", found.matrix, **keys))
        counts[found.modality] = {"items": len(found.items), "columns": found.matrix.shape[1]}
    for modality in MODALITIES:
        if modality not in counts:
            counts[modality] = "no feature lines: every step that does not need it goes on without it"
    if not files:
        raise cli.UserError(f"{settings.raw_folder(dataset)}: no item has any feature; put the feature files there")
    return files, counts


def plan(settings: Settings, dataset: str) -> records.Build:
    """Return what this step is about to build, after checking what it builds on."""
    reader, folder = READERS[dataset], settings.raw_folder(dataset)
    raw = dict.fromkeys(file for parts in reader.feature_files(folder).values() for file in parts)
    built_on = [records.require(settings, "preprocess_inter.py", dataset)] if reader.NEEDS_KEPT_ITEMS else []
    return records.Build(settings, SCRIPT, dataset, raw=list(raw), built_on=built_on)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 2 for the chosen data sets."""
    parser = cli.step_parser(__doc__, DATASETS)
    cli.add_scheduler_argument(parser)
    args = parser.parse_args(argv)
    settings = load_path(args.paths)
    with cluster.connected(args.scheduler) as executor:
        for dataset in args.dataset:
            build = functools.partial(write, settings, dataset, executor)
            records.rebuild(plan(settings, dataset), build, force=args.force)


if __name__ == "__main__":
    main()
