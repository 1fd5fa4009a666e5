"""What steps 1 to 5 cannot do without, by itself: the limits that pipeline.py measures them against.

Each is a command of its own, so that it is measured like a step: start of the interpreter, memory and all.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import polars as pl

sys.path.insert(0, str(measure.ROOT))

from load_path import load_path
from mma4ctr.data import json_lines, raw_files
from mma4ctr.data.datasets import tiktok
from mma4ctr.data.registry import DATASETS
from mma4ctr.executor import PART_BYTES
from mma4ctr.store import reading


def count_then_filter(paths_file: str, dataset: str, *also: str) -> None:
    """Count the rows of each user and keep those of users with enough: polars by itself, on the columns of step 1.

    Other columns to count by may be given besides.
    """
    settings, reader = load_path(paths_file), DATASETS[dataset]
    (file,) = reader.interaction_files(settings.raw_folder(dataset))
    scan = pl.scan_csv(file, separator="\t", has_header=False, new_columns=list(tiktok.COLUMNS)).select(tiktok.WANTED)
    user, least = tiktok.WANTED[0], settings.min_interactions[dataset]
    for column in also:
        print(len(scan.group_by(column).len().collect(engine="streaming")))
    counts = scan.group_by(user).len().collect(engine="streaming")
    kept = counts.filter(pl.col("len") >= least)[user]
    print(len(scan.filter(pl.col(user).is_in(kept.implode())).collect(engine="streaming")))


def kept_lines(paths_file: str, dataset: str) -> None:
    """Read the feature files and pull out the lines of kept items, without looking into them."""
    settings = load_path(paths_file)
    kept = reading.load(settings, "items", dataset=dataset)
    files = DATASETS[dataset].feature_files(settings.raw_folder(dataset))
    for file in dict.fromkeys(file for parts in files.values() for file in parts):
        print(file.name, len(json_lines.scan_kept(raw_files.Part(file), kept).collect(engine="streaming")))


def decoded_lines(paths_file: str, dataset: str) -> None:
    """Pull out the kept lines of the files of vectors and have Polars decode their numbers: no check, no matrix."""
    settings = load_path(paths_file)
    kept = reading.load(settings, "items", dataset=dataset)
    files = DATASETS[dataset].feature_files(settings.raw_folder(dataset))
    for modality, (_, key, _) in tiktok.VECTORS.items():
        vector = pl.col("line").str.json_decode(pl.Struct({key: pl.List(pl.Float64)}))
        for part in (part for file in files[modality] for part in raw_files.parts_of(file, PART_BYTES)):
            lines = json_lines.scan_kept(part, kept).select("item", vector=vector)
            print(part.name, len(lines.collect(engine="streaming")))


def write_again(paths_file: str, dataset: str) -> None:
    """Print the seconds that it takes to write the files of matrix/ again, and until they are on the disk."""
    settings = load_path(paths_file)
    arrays = [np.load(file, allow_pickle=False) for file in sorted(settings.matrix_path.glob(f"{dataset}_*.npy"))]
    with tempfile.TemporaryDirectory(dir=settings.matrix_path) as folder:
        started = time.perf_counter()
        for number, array in enumerate(arrays):
            np.save(Path(folder) / f"{number}.npy", array, allow_pickle=False)
        written = time.perf_counter() - started
        os.sync()
        print(json.dumps({"written": written, "on the disk": time.perf_counter() - started}))


LIMITS = {found.__name__: found for found in (count_then_filter, kept_lines, decoded_lines, write_again)}


if __name__ == "__main__":
    measure.run_one_of(LIMITS, __doc__)
