"""The features of items, and the embedding of a user, that the logs do not know, as steps 3 to 5 would have them.

What those steps fit is fitted again, to the stored matrices of step 2, which gives the same numbers: new items are
scaled by the range of the items that were there and projected on their components, and change neither.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

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

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Both:
        """Return both after the same change."""
        return Both(change(self.known), change(self.new))

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


def embedding_of(
    settings: Settings, task: str, modality: str, protocol: str, new: np.ndarray | None, device: int
) -> np.ndarray:
    """Return what step 3 would have made of one more user, without changing the others.

    Parameters
    ----------
    settings : Settings
    task, modality, protocol : str
    new : (columns,) float64 array or None
        What the user clicked minus what the user passed by (see `user_embedding.clicked_minus_unclicked`); None for a
        user without a row, of whom that is 0.
    device : int
        As step 1's table of users has it.

    Returns
    -------
    (length + 1,) float32 array
    """
    dataset = settings.dataset_of(task)
    keys = {"dataset": dataset, "modality": modality}
    users, ids = (reading.load(settings, name, dataset=dataset) for name in ("users", "items"))
    rows = reading.load(settings, "rows", task=task, protocol=protocol)
    rows = rows[PROTOCOLS[protocol].embedding_rows(rows[:, 0])]
    places = places_in(reading.load(settings, "modality_items", **keys), ids)
    matrix = reading.load(settings, "modality", **keys)
    known = user_embedding.clicked_minus_unclicked(rows, places, matrix, len(users))
    both = Both(known, np.zeros((1, matrix.shape[1])) if new is None else new[None])
    length = settings.user_embedding_length
    if settings.user_reduction == "pca":
        both = both.reduced(length).changed(lambda table: reduction.pad_columns(table, length))
    else:
        both = both.changed(lambda table: user_embedding.REDUCTIONS[settings.user_reduction](table, length))
    last = Both(users[:, 1:], np.array([[device]]))
    return side_by_side([both, last]).changed(lambda table: table.astype(np.float64)).scaled().new[0]


def user_without_rows(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the embedding (columns,) float32 of a user who has met nothing, with the commonest device."""
    known, places = np.unique(
        reading.load(settings, "users", dataset=settings.dataset_of(task))[:, 1], return_inverse=True
    )
    device = int(known[np.bincount(places).argmax()])
    modalities = feature_named(feature).modalities
    if settings.is_causal:
        nothing = np.zeros(settings.user_embedding_length + 1, dtype=np.float32)
        nothing[-1] = device
        return np.tile(nothing, len(modalities))
    return np.concatenate([embedding_of(settings, task, one, protocol, None, device) for one in modalities])
