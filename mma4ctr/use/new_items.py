"""New items: their vectors, as the raw files or as step 2 has them, in the features that a run was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from mma4ctr.catalogue import feature_named
from mma4ctr.cli import UserError
from mma4ctr.data import build
from mma4ctr.data.blocks import projected
from mma4ctr.features import newcomers
from mma4ctr.runs.run import Run
from mma4ctr.store import reading
from mma4ctr.use import tables

RAW = "_raw"  # ends the name of a column with vectors as the raw files have them


def widths_of(run: Run) -> dict[str, int]:
    """Return the modalities of a run's feature, and how many numbers step 2 has of an item in each."""
    dataset, found = run.settings.dataset_of(run.task), {}
    for name in feature_named(run.feature).modalities:
        found[name] = reading.load(run.settings, "modality", dataset=dataset, modality=name).shape[1]
    return found


def from_raw(run: Run, modality: str, table: pl.DataFrame, told: str) -> np.ndarray:
    """Return what step 2 would make (n, columns) float32 of vectors that are as the raw files have them."""
    dataset = run.settings.dataset_of(run.task)
    raw = build.raw_modality(run.settings, dataset, modality)
    if raw is None:
        raise UserError(f"{told}: the raw files of {dataset} have no vectors of {modality}; give a column {modality}")
    width = sum(block.matrix.shape[1] for block in raw.blocks)
    return projected(raw, tables.vectors_in(table, modality + RAW, width, told))


def features_of(run: Run, table: pl.DataFrame, told: str, *, together: bool) -> np.ndarray:
    """Return the features (n, columns) float32 of new items; see `TrainedRun.add_items`.

    Raises
    ------
    UserError
        If a column is missing or is there in both forms, or vectors are of another width.
    """
    vectors: dict[str, np.ndarray] = {}
    widths: Mapping[str, int] = widths_of(run)
    for name, width in widths.items():
        forms = [form for form in (name, name + RAW) if form in table.columns]
        if len(forms) != 1:
            raise UserError(f"{told}: has {' and '.join(forms) or 'neither'} of the columns {name} and {name}{RAW}, "
                            "expected one of the two")  # fmt: skip
        is_raw = forms[0] != name
        vectors[name] = from_raw(run, name, table, told) if is_raw else tables.vectors_in(table, name, width, told)
    dataset = run.settings.dataset_of(run.task)
    return newcomers.features_of(run.settings, dataset, run.feature, vectors, together=together)
