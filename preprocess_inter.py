"""Step 1: turn the raw logs into the labelled rows of each task.

Reads   the interactions of the raw logs (wechat: user_action.csv; tiktok: final_track1_train.txt or track 2's)
Writes  bipartite_graph/: users with their device, items, the rows of each task under both protocols,
        statistics/ of the unfiltered log, recbole/ interaction files
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from load_path import load_path
from mma4ctr import cli
from mma4ctr import executor as cluster
from mma4ctr.data import interactions, raw_files
from mma4ctr.data.registry import DATASETS, READERS, TASKS
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

SCRIPT = Path(__file__).name


def histogram(counts: pl.Series) -> np.ndarray:
    """Return (distinct counts, 2) int64: each count and how many users or items have it, sorted."""
    return counts.alias("rows").value_counts().sort("rows").cast(pl.Int64).to_numpy(order="c")


def active_users(settings: Settings, dataset: str, counts: pl.DataFrame) -> np.ndarray:
    """Return the users (n,) int64 with enough raw rows."""
    least = settings.min_interactions[dataset]
    active = counts.filter(pl.col("len") >= least)["user"]
    if active.is_empty():
        most = counts["len"].max() or 0
        raise cli.UserError(
            f"{settings.file}: min_interactions of {dataset} is {least}, but the most active user has {most} rows, so "
            "that no user is left; lower it"
        )
    return active.to_numpy()


def main_devices(frame: pl.DataFrame) -> pl.DataFrame:
    """Return each user's most frequent device, ties to the smallest: columns user, device, sorted by user."""
    counted = frame.group_by("user", "device").len().sort("user", "len", "device", descending=[False, True, False])
    return counted.unique("user", keep="first", maintain_order=True).select("user", "device")


def write_recbole(file: Path, users: np.ndarray, items: np.ndarray, columns: dict[str, np.ndarray]) -> Path:
    """Write a RecBole interaction file; the timestamp is the place in the sorted rows.

    RecBole keeps timestamps as float32, which tells neither seconds near 5.3e10 apart nor rows without a time.
    """
    frame = pl.DataFrame({
        "user_id:token": users, "item_id:token": items, **columns, "timestamp:float": np.arange(len(users)),
    })  # fmt: skip
    with artifacts.replacing(file) as temporary:
        frame.write_csv(temporary, separator="\t")
    return file


def write_task(settings: Settings, task: str, frame: pl.DataFrame, users: np.ndarray, items: np.ndarray) -> dict:
    """Write the rows of one task under both protocols and its RecBole file; return the files and counts."""
    files, counts = [], {}
    for protocol in PROTOCOLS:
        task_rows = interactions.task_rows(frame, TASKS[task].label, PROTOCOLS[protocol])
        files.append(artifacts.save(settings, "rows", task_rows, task=task, protocol=protocol))
        counts[f"{task} {protocol}"] = {"rows": len(task_rows), "clicks": int(task_rows[:, 2].sum())}
    click = {"label:float": task_rows[:, 2]}  # of the clean rows, which baselines and MMa4CTR are compared on
    ids = users[task_rows[:, 0]], items[task_rows[:, 1]]
    files.append(write_recbole(artifacts.path(settings, "task_inter", task=task), *ids, click))
    return {"files": files, "counts": counts}


def write(settings: Settings, dataset: str, executor: cluster.Executor) -> tuple[list[Path], dict]:
    """Build every artefact of one data set; return the files and the counts."""
    raw = READERS[dataset].interaction_files(settings.raw_folder(dataset))
    parts, reading = executor.parts(raw, streamed=True), (dataset, settings.click_threshold)
    user_counts, item_counts, totals = interactions.count(executor, parts, *reading)
    if totals["rows"][0] == 0:
        raise cli.UserError(f"{raw[0]}: has no rows after its header; download it again")
    frame = interactions.keep(executor, parts, active_users(settings, dataset, user_counts), *reading)
    device = main_devices(frame)
    users, items = device["user"].to_numpy(), frame["item"].unique().sort().to_numpy()
    by_id = frame.with_columns(
        user=pl.Series(np.searchsorted(users, frame["user"].to_numpy())),
        item=pl.Series(np.searchsorted(items, frame["item"].to_numpy())),
    )
    files = [
        artifacts.save(settings, "users", device.cast(pl.Int64).to_numpy(), dataset=dataset),
        artifacts.save(settings, "items", items, dataset=dataset),
        artifacts.save(settings, "user_lengths", histogram(user_counts["len"]), dataset=dataset),
        artifacts.save(settings, "item_popularities", histogram(item_counts["len"]), dataset=dataset),
        artifacts.save_json(settings, "actions", totals.row(0, named=True), dataset=dataset),
        write_recbole(
            artifacts.path(settings, "watched_inter", dataset=dataset), frame["user"].to_numpy(),
            frame["item"].to_numpy(), {},
        ),
    ]  # fmt: skip
    counts = {
        "raw": {"rows": totals["rows"][0], "users": len(user_counts), "items": len(item_counts)},
        "kept": {"rows": len(frame), "users": len(users), "items": len(items)},
    }
    for task in (name for name, row in TASKS.items() if row.dataset == dataset):
        written = write_task(settings, task, by_id, users, items)
        files += written["files"]
        counts |= written["counts"]
    return files, counts


def plan(settings: Settings, dataset: str) -> records.Build:
    """Return what this step is about to build, after checking that the raw files are there."""
    reader, folder = READERS[dataset], settings.raw_folder(dataset)
    raw = reader.interaction_files(folder)
    for file in raw:
        raw_files.require_file(file, reader.KEY)
    return records.Build(settings, SCRIPT, dataset, raw=raw)


@cli.step
def main(argv: Sequence[str] | None = None) -> None:
    """Run step 1 for the chosen data sets."""
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
