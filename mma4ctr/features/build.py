"""What steps 4 and 5 do: the item features of every fusion."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mma4ctr import cli
from mma4ctr.catalogue import feature_named
from mma4ctr.cli import UserError
from mma4ctr.data.blocks import doubts_of
from mma4ctr.data.item_rows import places_in
from mma4ctr.features import fusion
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading, records
from mma4ctr.store.building import Build, Built, rebuild


class OneModality:
    """What a feature of a single modality is made of: its matrix, as step 2 left it."""

    note = " (not written again)"

    def __init__(self, settings: Settings, dataset: str, modalities: Sequence[str]) -> None:
        self.settings, self.dataset = settings, dataset
        self.files: list[Path] = []
        self.counts: dict[str, object] = {}

    def items(self, feature: str) -> dict[str, object]:
        """Return how the list of joins names the items of a feature."""
        return reference("modality_items", dataset=self.dataset, modality=feature)

    def source(self, modality: str) -> dict[str, object]:
        """Return how the list of joins names the matrix of a modality."""
        return reference("modality", dataset=self.dataset, modality=modality)

    def table(self, modality: str) -> np.ndarray:
        """Return the matrix (items, columns) float32 of a modality."""
        return reading.load(self.settings, "modality", dataset=self.dataset, modality=modality)

    def words(self, items: int, columns: int) -> str:
        """Return what is counted of a feature."""
        return f"{items:,} items, {columns} columns"


class EveryModality:
    """What fused features are made of: the scaled modalities of the items that have all of them, which are written."""

    note = " (joined, not written)"

    def __init__(self, settings: Settings, dataset: str, modalities: Sequence[str]) -> None:
        self.dataset = dataset
        keys = {name: {"dataset": dataset, "modality": name} for name in modalities}
        ids = {name: reading.load(settings, "modality_items", **keys[name]) for name in modalities}
        fused = functools.reduce(lambda common, own: common[places_in(own, common) >= 0], ids.values())
        if len(fused) == 0:
            raise UserError(f"{dataset}: no item has all of {', '.join(modalities)}, so that nothing can be fused")
        self.tables = {
            name: fusion.fusable(ids[name], reading.load(settings, "modality", **keys[name]), fused)
            for name in modalities
        }
        self.files = [artifacts.save(settings, "fused_items", fused, dataset=dataset)]
        self.files += [artifacts.save(settings, "fused_modality", table, **keys[name])
                       for name, table in self.tables.items()]  # fmt: skip
        self.counts: dict[str, object] = {"items with every modality": len(fused)}

    def items(self, feature: str) -> dict[str, object]:
        """Return how the list of joins names the items of a feature."""
        return reference("fused_items", dataset=self.dataset)

    def source(self, modality: str) -> dict[str, object]:
        """Return how the list of joins names the scaled matrix of a modality."""
        return reference("fused_modality", dataset=self.dataset, modality=modality)

    def table(self, modality: str) -> np.ndarray:
        """Return the scaled matrix (items, columns) float32 of a modality."""
        return self.tables[modality]

    def words(self, items: int, columns: int) -> str:
        """Return what is counted of a feature."""
        return f"{columns} columns"


SOURCES: dict[bool, type[OneModality] | type[EveryModality]] = {False: OneModality, True: EveryModality}


def reference(name: str, **keys: str) -> dict[str, object]:
    """Return how the list of joins names an artefact."""
    return {"name": name, "keys": keys}


def matrices(settings: Settings, dataset: str, script: str, *, force: bool) -> list[str]:
    """Build the item features of a data set that a step writes, and return their names.

    Raises
    ------
    UserError
        If an earlier step has not run, or not since something changed; if no item has every modality.
    """
    ancestors = records.ancestors(settings, script, dataset)
    modalities = ancestors[records.MULTIMODAL].contains
    features = fusion.features_of(script, modalities)
    build = Build(settings, script, dataset, expected=features, built_on=ancestors)
    rebuild(build, lambda: write_matrices(settings, dataset, script, modalities), force=force)
    return features


def write_matrices(settings: Settings, dataset: str, script: str, modalities: Sequence[str]) -> Built:
    """Write the features of one step, each as its table or as the list of what it joins."""
    features = fusion.features_of(script, modalities)
    sources = SOURCES[fusion.fuses(script)](settings, dataset, modalities)
    files, counts, warnings = list(sources.files), dict(sources.counts), []
    for feature in cli.track(features):
        keys = {"dataset": dataset, "feature": feature, "script": script}
        of = feature_named(feature).modalities
        tables = [sources.table(name) for name in of]
        made = fusion.FUSIONS[feature_named(feature).fusion].make(tables)
        joined, note = [sources.source(name) for name in of], sources.note
        if made is not None:
            files.append(artifacts.save(settings, "table", made, **keys))
            joined, note = [reference("table", **keys)], ""
            warnings += doubts_of(feature, made)
        content = {"items": sources.items(feature), "tables": joined}
        files.append(artifacts.save_json(settings, "joins", content, **keys))
        columns = sum(table.shape[1] for table in (tables if made is None else [made]))
        counts[feature] = sources.words(len(tables[0]), columns) + note
    return Built(files, counts, features, warnings)


def _joins(settings: Settings, dataset: str, feature: str) -> dict:
    """Return which item list a feature goes by and which tables it joins side by side."""
    keys = {"dataset": dataset, "feature": feature, "script": fusion.script_of(feature)}
    joins = reading.load_json(settings, "joins", **keys)
    references = [joins.get("items"), *(joins.get("tables") or [None])]
    if not all(isinstance(one, dict) and set(one) == {"name", "keys"} and one["name"] in artifacts.ARTIFACTS
               for one in references):  # fmt: skip
        file, again = artifacts.path(settings, "joins", **keys), artifacts.command(settings, keys["script"], dataset)
        raise UserError(f"{file}: not a list of what {feature} joins; rerun {again} --force")
    return joins


def _load(settings: Settings, named: dict) -> np.ndarray:
    """Read what the list of joins names (see `reference`)."""
    return reading.load(settings, named["name"], **named["keys"])


def load_item_ids(settings: Settings, dataset: str, feature: str) -> np.ndarray:
    """Return the sorted ids (items,) int64 of the items that have a feature."""
    return _load(settings, _joins(settings, dataset, feature)["items"])


def load_items(settings: Settings, dataset: str, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the item ids (items,) int64, sorted, and the item features (items, columns) float32 of one feature.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    joins = _joins(settings, dataset, feature)
    ids, *tables = (_load(settings, one) for one in (joins["items"], *joins["tables"]))
    return ids, tables[0] if len(tables) == 1 else np.hstack(tables)


def load_item_tables(settings: Settings, dataset: str, feature: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the item ids (items,) int64, sorted, and the modalities of one feature, each by itself.

    Modalities that a feature puts side by side are not reduced together, as `load_items` has them: a model that is
    told them apart reduces them as it learns.

    Returns
    -------
    ids : (items,) int64 array
    tables : dict of str to (items, columns) float32 array
        By modality; crossed modalities are one table, called as the feature is.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    named = feature_named(feature)
    if named.fusion != "concat":
        ids, items = load_items(settings, dataset, feature)
        return ids, {feature: items}
    keys = ({"dataset": dataset, "modality": modality} for modality in named.modalities)
    tables = {one["modality"]: reading.load(settings, "fused_modality", **one) for one in keys}
    return load_item_ids(settings, dataset, feature), tables
