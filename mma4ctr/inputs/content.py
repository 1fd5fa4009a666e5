"""The content of rows, kept as the factors it is made of: one table of users and one of items.

Written out, every row would be one user's vector beside one item's vector. Instead a batch is gathered on the device
from the two tables (see `training.batches`).
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

from mma4ctr.catalogue import default_feature
from mma4ctr.cli import UserError
from mma4ctr.data.item_rows import places_in
from mma4ctr.data.registry import modalities_of
from mma4ctr.features.build import load_item_tables, load_items
from mma4ctr.features.build_users import load_user_embeddings, user_embeddings_of_rows
from mma4ctr.settings import Settings
from mma4ctr.store import reading


@dataclasses.dataclass(frozen=True)
class Content:
    """What one feature of one task is made of, on the host, unscaled.

    Attributes
    ----------
    users : (users, user columns) float32 array
    items : (m, item columns) float32 array
    places : (items of the data set,) int32 array
        The row of `items` of each item, -1 for one that the feature does not cover.
    modalities : tuple of (str, int)
        What the item columns are; see `Sizes.modalities`.
    of_rows : (rows of the task, user columns) float32 array, optional
        What each row sees of its user, where that is not the same in all rows; `users` is then how things stand after
        the last of them.
    """

    users: np.ndarray
    items: np.ndarray
    places: np.ndarray
    modalities: tuple[tuple[str, int], ...] = ()
    of_rows: np.ndarray | None = None


def scaled_ids(ids: np.ndarray) -> np.ndarray:
    """Return ids (n,) int64 min-max scaled as one column (n, 1) float32, and warn where two of them become equal.

    float32 holds no id above 2^24 exactly. The differences are taken between integers, then scaled in float64.
    """
    above = ids.astype(np.uint64) - ids.min().astype(np.uint64)  # modulo 2^64, so that no difference overflows
    scaled = (above.astype(np.float64) / max(float(above.max()), 1.0)).astype(np.float32)
    known, left = len(np.unique(ids)), len(np.unique(scaled))
    if left < known:
        warnings.warn(f"{known - left:,} of {known:,} user ids lie so close to others that float32 makes them equal: "
                      "user_embedding_length 0 does not tell these users apart", stacklevel=2)  # fmt: skip
    return scaled[:, None]


def load_users(settings: Settings, task: str, feature: str, protocol: str) -> np.ndarray:
    """Return the user columns (users, columns) float32: an embedding for each modality of the feature.

    With user_embedding_length 0 it is the bare user id, which only all modalities side by side take (published tables
    5.1.5 and 5.2.5), min-max scaled over users.
    """
    length, only = settings.user_embedding_length, default_feature(modalities_of(settings, task))
    if length == 0 and feature != only:
        raise UserError(
            f"{settings.file}: user_embedding_length is 0, which only {only} takes, not {feature}; set it to 1 or more"
        )
    if length == 0:
        return scaled_ids(reading.load(settings, "users", dataset=settings.dataset_of(task))[:, 0])
    return load_user_embeddings(settings, task, feature, protocol)


def load(settings: Settings, task: str, feature: str, protocol: str, *, of_users: bool = True) -> Content:
    """Load the content of one feature of one task; raise `UserError` if an artefact is missing.

    Unless it is asked `of_users`, these have no columns, their embeddings need not have been built, and modalities that
    the feature puts side by side are not reduced together.
    """
    dataset, of_rows = settings.dataset_of(task), None
    if of_users:
        if settings.is_causal:
            of_rows = user_embeddings_of_rows(settings, task, feature, protocol)
        ids, items = load_items(settings, dataset, feature)
        users, tables = load_users(settings, task, feature, protocol), {feature: items}
    else:
        ids, tables = load_item_tables(settings, dataset, feature)
        users = np.zeros((len(reading.load(settings, "users", dataset=dataset)), 0), dtype=np.float32)
    places = places_in(ids, reading.load(settings, "items", dataset=dataset))
    modalities = tuple((name, table.shape[1]) for name, table in tables.items())
    return Content(users, np.hstack(list(tables.values())), places, modalities, of_rows)
