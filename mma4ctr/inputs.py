"""The input of the MLP, kept as the factors it is made of: one table of users, one of items, and rows that join them.

Written out, every row would be one user's vector beside one item's vector. Instead a batch is gathered on the device
from the two tables, and what depends on the rows of a part (the min-max scaling) is computed exactly from the distinct
users and items that occur in it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from load_path import Paths
from mma4ctr import artifacts, reduction, rows
from mma4ctr.cli import UserError
from mma4ctr.tables import FEATURES, LENGTH_0_FEATURE, PARTS, TASKS


@dataclasses.dataclass(frozen=True)
class Factors:
    """What one feature of one task is made of, on the host.

    users : (users, user columns) float32
    items : (items, item columns) float32
    rows : (n, 3) int32, row of `users`, row of `items` or -1 where the feature does not cover the item, click
    parts : the places in `rows` of the training, validation and test rows
    """

    users: np.ndarray
    items: np.ndarray
    rows: np.ndarray
    parts: dict[str, np.ndarray]

    @property
    def in_features(self) -> int:
        """The number of columns of the MLP's input."""
        return self.users.shape[1] + self.items.shape[1]


def joins_name(feature: str) -> str:
    """Return the artefact that lists what `feature` joins."""
    return "single_joins" if FEATURES[feature].fusion == "single" else "fused_joins"


def load_items(paths: Paths, dataset: str, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the item ids (items,) int64, sorted, and the item features (items, columns) float32 of one feature."""
    joins = artifacts.load_json(paths, joins_name(feature), dataset=dataset, feature=feature)
    ids = artifacts.load(paths, joins["items"]["name"], **joins["items"]["keys"])
    tables = [artifacts.load(paths, table["name"], **table["keys"]) for table in joins["tables"]]
    return ids, tables[0] if len(tables) == 1 else np.hstack(tables)


def load_users(paths: Paths, task: str, feature: str, protocol: str, users: np.ndarray) -> np.ndarray:
    """Return the user columns (users, columns) float32: an embedding for each modality of the feature.

    With user_embedding_length 0 it is the bare user id, which only vat_concat takes (published tables 5.1.5, 5.2.5).
    """
    length = paths.user_embedding_length
    if length == 0 and feature != LENGTH_0_FEATURE:
        raise UserError(
            f"{paths.file}: user_embedding_length is 0, which only {LENGTH_0_FEATURE} takes, not {feature}; "
            "set it to 1 or more"
        )
    if length == 0:
        return users[:, :1].astype(np.float32)
    keys = {"task": task, "protocol": protocol, "reduction": paths.user_reduction, "length": length}
    tables = [artifacts.load(paths, "user_embedding", modality=name, **keys) for name in FEATURES[feature].modalities]
    return np.hstack(tables)


def load_factors(paths: Paths, task: str, feature: str, protocol: str) -> Factors:
    """Load what `feature` of `task` is made of, and split its rows as `protocol` has it.

    Raises
    ------
    UserError
        If an artefact is missing, or a part has no row or a single class.
    """
    dataset = TASKS[task].dataset
    users = artifacts.load(paths, "users", dataset=dataset)
    item_ids = artifacts.load(paths, "items", dataset=dataset)
    task_rows = artifacts.load(paths, "rows", task=task, protocol=protocol)
    ids, items = load_items(paths, dataset, feature)
    task_rows[:, 1] = rows.places_in(ids, item_ids)[task_rows[:, 1]]
    parts = rows.split(protocol, task_rows[:, 0], task_rows[:, 1] >= 0, paths.seed)
    for name in PARTS:
        clicks = int(task_rows[parts[name], 2].sum())
        if not 0 < clicks < len(parts[name]):
            raise UserError(
                f"{task}, {feature}, {protocol}: the {name} part has {len(parts[name])} rows and {clicks} clicks, "
                "expected both classes; lower min_interactions in path.json or use more data"
            )
    return Factors(load_users(paths, task, feature, protocol, users), items, task_rows, parts)


def column_range(factors: Factors, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest value (columns,) float32 of every input column over the rows of `part`.

    A row is one user's vector beside one item's, so the distinct users and items of the part suffice.
    """
    ranges = []
    for table, column in ((factors.users, 0), (factors.items, 1)):
        occurring = np.unique(factors.rows[part, column])
        values = table[occurring] if len(occurring) < len(table) else table
        ranges.append((values.min(axis=0), values.max(axis=0)))
    (user_low, user_high), (item_low, item_high) = ranges
    return np.concatenate([user_low, item_low]), np.concatenate([user_high, item_high])


class Batches:
    """The rows of one part on the device; `gather` writes scaled batches.

    Parameters
    ----------
    factors : Factors
    tables : pair of tensors
        The user table and the item table on the device, shared by all parts.
    part : (n,) int64 array
        Places of the part's rows.
    scaling : pair of (columns,) arrays
        Lowest and highest value of each column (see `column_range`).
    """

    def __init__(
        self, factors: Factors, tables: tuple[torch.Tensor, torch.Tensor], part: np.ndarray,
        scaling: tuple[np.ndarray, np.ndarray],
    ) -> None:  # fmt: skip
        device = tables[0].device
        self.users, self.items = tables
        part_rows = np.ascontiguousarray(factors.rows[part].T)
        self.user_index, self.item_index = (torch.from_numpy(column).to(device) for column in part_rows[:2])
        self.clicks = torch.from_numpy(part_rows[2].astype(np.float32)).to(device)
        lowest, highest = scaling
        self.lowest = torch.from_numpy(lowest).to(device)
        self.factor = torch.from_numpy(reduction.inverse_range(lowest, highest).astype(np.float32)).to(device)

    def __len__(self) -> int:
        return len(self.clicks)

    def gather_raw(self, places: torch.Tensor) -> torch.Tensor:
        """Return the unscaled input (len(places), columns) float32 of the rows at `places` of this part."""
        user = self.users.index_select(0, self.user_index.index_select(0, places))
        item = self.items.index_select(0, self.item_index.index_select(0, places))
        return torch.cat([user, item], dim=1)

    def gather(self, places: torch.Tensor) -> torch.Tensor:
        """Return the min-max scaled input (len(places), columns) float32 of the rows at `places` of this part."""
        return self.gather_raw(places).sub_(self.lowest).mul_(self.factor)


def batches_of_parts(factors: Factors, protocol: str, device: torch.device) -> dict[str, Batches]:
    """Return the batches of each part, scaled as `protocol` has it.

    Published: every part is scaled by its own rows. Clean: every part by the training rows, not clipped.
    """
    tables = (torch.from_numpy(factors.users).to(device), torch.from_numpy(factors.items).to(device))
    fitted_on = {name: name if protocol == "published" else "training" for name in PARTS}
    scaling = {name: column_range(factors, factors.parts[name]) for name in set(fitted_on.values())}
    return {name: Batches(factors, tables, factors.parts[name], scaling[fitted_on[name]]) for name in PARTS}
