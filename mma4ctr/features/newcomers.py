"""The features of items, and the embedding of a user, that the logs do not know, as steps 3 to 5 would have them.

What those steps fit is fitted again, to the stored matrices of step 2, which gives the same numbers: new items are
scaled by the range of the items that were there and projected on their components, and change neither.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from mma4ctr import reduction
from mma4ctr.catalogue import ITEM_FEATURE_LENGTH, feature_named
from mma4ctr.data.item_rows import places_in
from mma4ctr.features import user_embedding
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class Both:
    """A table of the items that were there, (items, columns), and of new ones, (n, columns), float32."""

    known: np.ndarray
    new: np.ndarray

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.known.shape[1]

    def scaled(self) -> Both:
        """Return the columns min-max scaled by the range of the known rows, not clipped."""
        lowest, highest = (limit(self.known, axis=0).astype(np.float64) for limit in (np.min, np.max))
        new = (self.new - lowest) * reduction.inverse_range(lowest, highest)
        return Both(reduction.min_max(self.known), new.astype(np.float32))

    def reduced(self, length: int) -> Both:
        """Return both projected on the first components of the known rows."""
        components = reduction.fit_components(self.known, length)
        return Both(components.transform(self.known), components.transform(self.new))

    def at_most(self, length: int) -> Both:
        """Return both as they are, or reduced where they are wider."""
        return self.reduced(length) if self.width > length else self


def cross(tables: Sequence[Both]) -> np.ndarray:
    """Return the new rows of `fusion.cross`."""
    narrowest = int(np.argmin([table.width for table in tables]))
    width = tables[narrowest].width
    others = (table.reduced(width).new for place, table in enumerate(tables) if place != narrowest)
    padded = (reduction.pad_columns(table, width) for table in others)
    return functools.reduce(np.multiply, padded, tables[narrowest].new)


def side_by_side(tables: Sequence[Both]) -> Both:
    """Return tables joined."""
    return Both(*(np.hstack([getattr(table, side) for table in tables]) for side in ("known", "new")))


def features_of(
    settings: Settings, dataset: str, feature: str, new: Mapping[str, np.ndarray], *, together: bool
) -> np.ndarray:
    """Return the features (n, columns) float32 of new items.

    Parameters
    ----------
    settings : Settings
    dataset, feature : str
    new : mapping of str to (n, columns) float32 array
        By modality, with the columns of step 2's matrix; of every one that the feature is made of.
    together : bool
        Whether modalities side by side are reduced together (see `features.build.load_items` and `load_item_tables`).
    """
    named = feature_named(feature)
    keys = {name: {"dataset": dataset, "modality": name} for name in named.modalities}
    matrices = {name: reading.load(settings, "modality", **keys[name]) for name in keys}
    if named.fusion == "single":
        (name,) = keys
        return Both(matrices[name], new[name]).at_most(ITEM_FEATURE_LENGTH).new
    fused = reading.load(settings, "fused_items", dataset=dataset)
    tables = []
    for name, matrix in matrices.items():
        both = Both(matrix, new[name]).scaled()
        places = places_in(reading.load(settings, "modality_items", **keys[name]), fused)
        tables.append(Both(both.known[places], both.new).at_most(ITEM_FEATURE_LENGTH))
    if named.fusion == "cross":
        return cross(tables)
    joined = side_by_side(tables)
    return joined.at_most(ITEM_FEATURE_LENGTH).new if together else joined.new


def user_without_rows(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the embedding (columns,) float32 of a user who has met nothing, with the commonest device.

    In every modality what such a user clicked minus what the user passed by is 0, which is then reduced and scaled as
    that of the users who were there.
    """
    dataset = settings.dataset_of(task)
    users = reading.load(settings, "users", dataset=dataset)
    ids = reading.load(settings, "items", dataset=dataset)
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    rows = rows[PROTOCOLS[protocol].embedding_rows(rows[:, 0])]
    known, places = np.unique(users[:, 1], return_inverse=True)
    device, length, found = known[np.bincount(places).argmax()], settings.user_embedding_length, []
    for modality in feature_named(feature).modalities:
        keys = {"dataset": dataset, "modality": modality}
        matrix = reading.load(settings, "modality", **keys)
        of = places_in(reading.load(settings, "modality_items", **keys), ids)
        difference = user_embedding.clicked_minus_unclicked(rows, of, matrix, len(users))
        columns = _reduced_zero(difference, settings.user_reduction, length)
        both = Both(np.column_stack([columns[0], users[:, 1]]).astype(np.float64), np.append(columns[1], device)[None])
        found.append(both.scaled().new[0])
    return np.concatenate(found)


def _reduced_zero(difference: np.ndarray, method: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return differences (users, columns) reduced to (users, length), and what 0 becomes, (length,)."""
    if method != "pca":
        zero = np.zeros((1, difference.shape[1]))
        return user_embedding.REDUCTIONS[method](difference, length), user_embedding.REDUCTIONS[method](zero, length)[0]
    both = Both(difference, np.zeros((1, difference.shape[1]))).reduced(length)
    return reduction.pad_columns(both.known, length), reduction.pad_columns(both.new, length)[0]
