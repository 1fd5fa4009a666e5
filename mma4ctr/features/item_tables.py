"""The item features that a feature of the MLP goes by: tables of steps 2, 4 and 5, side by side."""

from __future__ import annotations

import numpy as np

from mma4ctr.catalogue import FEATURES
from mma4ctr.cli import UserError
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts


def joins_name(feature: str) -> str:
    """Return the artefact that lists what `feature` joins."""
    return "single_joins" if FEATURES[feature].fusion == "single" else "fused_joins"


def load_items(settings: Settings, dataset: str, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the item ids (items,) int64, sorted, and the item features (items, columns) float32 of one feature."""
    name, keys = joins_name(feature), {"dataset": dataset, "feature": feature}
    joins = artifacts.load_json(settings, name, **keys)
    try:
        ids = artifacts.load(settings, joins["items"]["name"], **joins["items"]["keys"])
        tables = [artifacts.load(settings, table["name"], **table["keys"]) for table in joins["tables"]]
    except (KeyError, TypeError):
        again = artifacts.command(settings, artifacts.ARTIFACTS[name].writer, dataset)
        file = artifacts.path(settings, name, **keys)
        raise UserError(f"{file}: not a list of what {feature} joins; rerun {again} --force") from None
    return ids, tables[0] if len(tables) == 1 else np.hstack(tables)
