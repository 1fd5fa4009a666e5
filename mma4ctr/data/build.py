"""What steps 1 and 2 do: the labelled rows of each task, and one matrix for each modality of the items."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import interactions, raw_files, raw_folder
from mma4ctr.data.blocks import Modality, doubts_of
from mma4ctr.data.registry import dataset_of, task_of, tasks_of
from mma4ctr.executor import Executor
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, disk, reading
from mma4ctr.store.building import Build, Built, rebuild
from mma4ctr.store.records import INTER, MULTIMODAL

MOST_WITHOUT = 0.5  # of the kept items: where more have no line of a modality, files are likely to be missing

# ---- step 1


def histogram(counts: pl.Series) -> np.ndarray:
    """Return (distinct counts, 2) int64: each count and how many users or items have it, sorted."""
    return counts.alias("rows").value_counts().sort("rows").cast(pl.Int64).to_numpy(order="c")


def active_users(settings: Settings, dataset: str, counts: pl.DataFrame, what: str = "rows") -> np.ndarray:
    """Return the users (n,) int64 with enough of what was counted (user, len)."""
    least = settings.min_interactions[dataset]
    active = counts.filter(pl.col("len") >= least)["user"]
    if active.is_empty():
        most = int(counts["len"].to_numpy().max(initial=0))
        raise UserError(
            f"{settings.file}: min_interactions of {dataset} is {least}, but the most active user has {most} {what}, "
            "so that no user is left; lower it"
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
    with disk.replacing(file) as temporary:
        frame.write_csv(temporary, separator="\t")
    return file


def write_task(settings: Settings, task: str, frame: pl.DataFrame, users: np.ndarray, items: np.ndarray) -> Built:
    """Write the rows of one task under both protocols and its RecBole file."""
    files, counts = [], {}
    for protocol in PROTOCOLS:
        rows = interactions.task_rows(frame, task_of(settings, task).label, PROTOCOLS[protocol])
        files.append(artifacts.save(settings, "rows", rows, task=task, protocol=protocol))
        counts[f"{task} {protocol}"] = {"rows": len(rows), "clicks": int(rows[:, 2].sum())}
    click = {"label:float": rows[:, 2]}  # of the clean rows, which baselines and MMa4CTR are compared on
    ids = users[rows[:, 0]], items[rows[:, 1]]
    files.append(write_recbole(artifacts.path(settings, "task_inter", task=task), *ids, click))
    return Built(files, counts, [task])


def write_interactions(settings: Settings, dataset: str, executor: Executor) -> Built:
    """Write every artefact that comes from the interactions of one data set."""
    reader, own = dataset_of(settings, dataset), settings.own_of(dataset)
    raw = reader.interaction_files(settings.raw_folder(dataset))
    parts = raw_files.parts(executor, raw, streamed=True)
    user_counts, item_counts, totals = interactions.count(executor, parts, reader, own)
    if totals["rows"][0] == 0:
        raise UserError(f"{raw[0]}: has no rows after its header; download it again")
    frame = interactions.keep(executor, parts, active_users(settings, dataset, user_counts), reader, own)
    if reader.minimum_counts:  # fewer than raw rows, so that all users that have enough are among the kept ones
        distinct = interactions.count_distinct(frame, reader.minimum_counts)
        what = f"distinct rows of {', '.join(('user', *reader.minimum_counts))}"
        frame = interactions.of_users(frame, active_users(settings, dataset, distinct, what))
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
    counts: dict[str, object] = {
        "raw": {"rows": totals["rows"][0], "users": len(user_counts), "items": len(item_counts)},
        "kept": {"rows": len(frame), "users": len(users), "items": len(items)},
        "rows of a user sorted by": reader.order(raw[0]),
    }
    untimed = int((frame["time"] < 0).sum())
    warnings = [f"{untimed:,} kept rows have a time below 0 and come before all others of their user"] * bool(untimed)
    tasks = list(tasks_of(settings, [dataset]))
    for task in tasks:
        written = write_task(settings, task, by_id, users, items)
        files += written.files
        counts |= written.counts
    return Built(files, counts, tasks, warnings)


def labelled_rows(settings: Settings, dataset: str, executor: Executor, *, force: bool) -> None:
    """Build the rows of every task of a data set unless they are current.

    Raises
    ------
    UserError
        If a raw file is missing or broken, or no user is left.
    """
    raw = dataset_of(settings, dataset).interaction_files(settings.raw_folder(dataset))
    for file in raw:
        raw_files.require_file(file, dataset_of(settings, dataset).key)
    build = Build(settings, INTER, dataset, expected=list(tasks_of(settings, [dataset])), raw=raw)
    rebuild(build, functools.partial(write_interactions, settings, dataset, executor), force=force)


# ---- step 2


def coverage(found: Modality, kept: np.ndarray, files: str) -> tuple[str, list[str]]:
    """Return how many of the `kept` (n,) items have no line of a modality, and a warning if most of them have none."""
    without = int((~np.isin(kept, found.items)).sum())
    said = f"{without:,} of {len(kept):,} kept items ({without / max(len(kept), 1):.1%})"
    doubtful = without > MOST_WITHOUT * len(kept)
    return said, [f"{found.modality}: {said} have no line in {files}; look whether files are missing"] * doubtful


def write_modalities(settings: Settings, dataset: str, executor: Executor) -> Built:
    """Write the item ids and the matrix of each modality of one data set."""
    reader, folder = dataset_of(settings, dataset), settings.raw_folder(dataset)
    kept = reading.load(settings, "items", dataset=dataset) if reader.needs_kept_items else np.zeros(0, np.int64)
    values: Mapping[str, object] = {key: settings.value(key, dataset) for key in reader.modality_settings}
    read = {modality: raw_folder.listed(files) for modality, files in reader.feature_files(folder).items()}
    files: list[Path] = []
    counts: dict[str, object] = {}
    warnings: list[str] = []
    for found in reader.read_modalities(folder, kept, values, executor):
        warnings += [*found.warnings, *doubts_of(found.modality, found.matrix)]
        if len(found.items):
            keys = {"dataset": dataset, "modality": found.modality}
            files.append(artifacts.save(settings, "modality_items", found.items, **keys))
            files.append(artifacts.save(settings, "modality", found.matrix, **keys))
            counts[found.modality] = {"items": len(found.items), "columns": found.matrix.shape[1]}
        counts[f"{found.modality} read from"] = read[found.modality]
        if reader.needs_kept_items:
            said, doubts = coverage(found, kept, read[found.modality])
            counts[f"{found.modality} without a line"] = said
            warnings += doubts
    there = [modality for modality in reader.modalities if modality in counts]
    for modality in reader.modalities:
        if modality not in counts:
            counts[modality] = "no feature lines: every step that does not need it goes on without it"
    if not files:
        raise UserError(f"{folder}: no item has any feature; put the feature files there")
    return Built(files, counts, there, warnings)


def modalities(settings: Settings, dataset: str, executor: Executor, *, force: bool) -> None:
    """Build the modalities of a data set unless they are current.

    Raises
    ------
    UserError
        If there are no feature files, or one is broken; if step 1 has not run for a data set that needs it.
    """
    files = dataset_of(settings, dataset).feature_files(settings.raw_folder(dataset))
    raw = list(dict.fromkeys(file for parts in files.values() for file in parts))
    build = Build(settings, MULTIMODAL, dataset, expected=list(files), raw=raw)
    rebuild(build, functools.partial(write_modalities, settings, dataset, executor), force=force)
