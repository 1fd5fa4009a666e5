"""What steps 1 and 2 do: the labelled rows of each task, and one matrix for each modality of the items."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import interactions, labelled, names, raw_files, raw_folder, registry
from mma4ctr.data.blocks import Modality, RawModality, doubts_of
from mma4ctr.data.contract import DataSet
from mma4ctr.data.gathering import gathered
from mma4ctr.data.kept_log import KeptLog
from mma4ctr.executor import Executor, LocalExecutor
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading
from mma4ctr.store.building import Build, Built, rebuild
from mma4ctr.store.records import INTER, MULTIMODAL

MOST_WITHOUT = 0.5  # of the kept items: where more have no line of a modality, files are likely to be missing

# ---- step 1


def histogram(counts: pl.Series) -> np.ndarray:
    """Return (distinct counts, 2) int64: each count and how many users or items have it, sorted."""
    return counts.alias("rows").value_counts().sort("rows").cast(pl.Int64).to_numpy(order="c")


def active(settings: Settings, dataset: str, counts: np.ndarray, what: str = "rows") -> np.ndarray:
    """Tell (n,) bool which users have enough of what was counted (n,); raise `UserError` if none has."""
    least = settings.min_interactions[dataset]
    enough = counts >= least
    if not enough.any():
        raise UserError(
            f"{settings.file}: min_interactions of {dataset} is {least}, but the most active user has "
            f"{counts.max(initial=0)} {what}, so that no user is left; lower it"
        )
    return enough


def refuse_labels(file: Path, reader: DataSet, totals: Mapping[str, int]) -> None:
    """Raise `UserError` where a label of the log has no meaning: one class, or not every row a click."""
    for label in interactions.labels_of(reader):
        ones, rows = totals[label], totals["rows"]
        if reader.negatives is not None and ones != rows:
            raise UserError(f"{file}: {label} is 1 in {ones:,} of {rows:,} rows of the log, expected every row to be a "
                            "click, since negatives are drawn; leave out the other rows, or the negatives")  # fmt: skip
        if reader.negatives is None and reader.refuses_one_class and ones in (0, rows):
            raise UserError(f"{file}: {label} is {int(ones > 0)} in every one of {rows:,} rows of the log, expected "
                            "rows with 0 and rows with 1; correct the label, or declare negatives")  # fmt: skip


def kept_log(
    settings: Settings, reader: DataSet, executor: Executor, parts: list[raw_files.Part], users: pl.DataFrame,
    items: pl.Series,
) -> KeptLog:  # fmt: skip
    """Read the rows of users that have enough of them.

    Parameters
    ----------
    users : polars.DataFrame
        All users of the log and how many rows each has (user, len).
    items : polars.Series
        All items of the log.
    """
    own, dataset = settings.own_of(reader.name), reader.name
    users = users.filter(pl.Series(active(settings, dataset, users["len"].to_numpy()))).sort("user")
    frames = interactions.keep(executor, parts, users["user"], reader, own)
    log = gathered(frames, users, items.sort(), interactions.labels_of(reader), reader.context)
    if reader.minimum_counts:  # fewer than raw rows, so that all users that have enough are among the kept ones
        what = f"distinct rows of {', '.join(('user', *reader.minimum_counts))}"
        enough = active(settings, dataset, log.distinct(reader.minimum_counts), what)
        if not enough.all():
            log.select(enough)
    log.forget_unused()
    return log


def write_ids(settings: Settings, dataset: str, log: KeptLog) -> list[Path]:
    """Write what users and items are called, and the device of each user."""
    ids, files = {}, []
    for name, values in {"users": log.users, "items": log.items}.items():
        if values.dtype == pl.String:
            files.append(artifacts.save_names(settings, f"{name[:-1]}_names", values, dataset=dataset))
        ids[name] = np.arange(len(values)) if values.dtype == pl.String else values.to_numpy()
    users = np.column_stack([ids["users"], log.main_devices()])
    return [
        *files,
        artifacts.save(settings, "users", np.asfortranarray(users), dataset=dataset),
        artifacts.save(settings, "items", ids["items"], dataset=dataset),
    ]


def write_interactions(settings: Settings, dataset: str, executor: Executor) -> Built:
    """Write every artefact that comes from the interactions of one data set."""
    reader, own = registry.dataset_of(settings, dataset), settings.own_of(dataset)
    raw = reader.interaction_files(settings.raw_folder(dataset))
    parts = reader.parts(executor, raw)
    user_counts, item_counts, totals_frame = interactions.count(executor, parts, reader, own)
    totals = totals_frame.row(0, named=True)
    if totals["rows"] == 0:
        raise UserError(f"{raw[0]}: has no rows after its header; download it again")
    refuse_labels(raw[0], reader, totals)
    log = kept_log(settings, reader, executor, parts, user_counts, item_counts["item"])
    untimed = int((log.columns.get("time", np.zeros(0)) < 0).sum())
    log.tell_moments()
    warnings = [f"{untimed:,} kept rows have a time below 0 and come before all others of their user"] * bool(untimed)
    files = [
        artifacts.save(settings, "user_lengths", histogram(user_counts["len"]), dataset=dataset),
        artifacts.save(settings, "item_popularities", histogram(item_counts["len"]), dataset=dataset),
        artifacts.save_json(settings, "actions", totals, dataset=dataset),
        *write_ids(settings, dataset, log),
    ]
    log.columns.pop("device", None)
    written = labelled.write(settings, reader, log)
    full = {f"full log ({reader.published.source})": reader.published.sizes} if reader.published else {}
    counts: dict[str, object] = {
        **full,
        "raw": {"rows": totals["rows"], "users": len(user_counts), "items": len(item_counts)},
        "kept": {"rows": len(log), "users": len(log.users), "items": len(log.items)},
        "rows of a user sorted by": reader.order(raw[0]),
    }
    return Built([*files, *written.files], counts | written.counts, written.contains, [*warnings, *written.warnings])


def labelled_rows(settings: Settings, dataset: str, executor: Executor, *, force: bool) -> None:
    """Build the rows of every task of a data set unless they are current.

    Raises
    ------
    UserError
        If a raw file is missing or broken, or no user is left.
    """
    reader = registry.dataset_of(settings, dataset)
    raw = reader.interaction_files(settings.raw_folder(dataset))
    for file in raw:
        raw_files.require_file(file, reader.key)
    build = Build(settings, INTER, dataset, expected=[task.name for task in reader.tasks], raw=raw)
    rebuild(build, functools.partial(write_interactions, settings, dataset, executor), force=force)


# ---- step 2


def coverage(found: Modality, kept: np.ndarray, files: str) -> tuple[str, list[str]]:
    """Return how many of the `kept` (n,) items have no line of a modality, and a warning if most of them have none."""
    without = int((~np.isin(kept, found.items)).sum())
    said = f"{without:,} of {len(kept):,} kept items ({without / max(len(kept), 1):.1%})"
    doubtful = without > MOST_WITHOUT * len(kept)
    return said, [f"{found.modality}: {said} have no line in {files}; look whether files are missing"] * doubtful


def kept_items(settings: Settings, dataset: str) -> tuple[np.ndarray, np.ndarray | pl.Series]:
    """Return the items of kept users (n,) int64, and as the log calls them; none for a reader that needs none."""
    if not registry.dataset_of(settings, dataset).needs_kept_items:
        none = np.zeros(0, np.int64)
        return none, none
    kept, named = reading.load(settings, "items", dataset=dataset), names.named_items(settings, dataset)
    return kept, kept if named is None else named


def raw_modality(settings: Settings, dataset: str, modality: str) -> RawModality | None:
    """Return a modality as step 2 read it before it was reduced, from the raw files; None where it cannot be had."""
    reader = registry.dataset_of(settings, dataset)
    values: Mapping[str, object] = {key: settings.value(key, dataset) for key in reader.modality_settings}
    _, kept = kept_items(settings, dataset)
    return reader.raw_modality(modality, settings.raw_folder(dataset), kept, values, LocalExecutor())


def write_modalities(settings: Settings, dataset: str, executor: Executor) -> Built:
    """Write the item ids and the matrix of each modality of one data set."""
    reader, folder = registry.dataset_of(settings, dataset), settings.raw_folder(dataset)
    kept, named = kept_items(settings, dataset)
    values: Mapping[str, object] = {key: settings.value(key, dataset) for key in reader.modality_settings}
    read = {modality: raw_folder.listed(files) for modality, files in reader.feature_files(folder).items()}
    files: list[Path] = []
    counts: dict[str, object] = {}
    warnings: list[str] = []
    for found in reader.read_modalities(folder, named, values, executor):
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
    files = registry.dataset_of(settings, dataset).feature_files(settings.raw_folder(dataset))
    raw = list(dict.fromkeys(file for parts in files.values() for file in parts))
    build = Build(settings, MULTIMODAL, dataset, expected=list(files), raw=raw)
    rebuild(build, functools.partial(write_modalities, settings, dataset, executor), force=force)
