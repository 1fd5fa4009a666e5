"""What tests of the input share: batches as arrays, and the rows of the dense file that belong to them."""

from __future__ import annotations

import numpy as np
import torch

from mma4ctr.features.fusion import script_of
from mma4ctr.inputs.gather import Inputs
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts
from mma4ctr.store.records import embedding_keys
from mma4ctr.training.batches import Batches


def dense_of(paths: Settings, task: str, protocol: str, feature: str) -> np.ndarray:
    """Return the dense file [user embeddings | item features | click] of one feature."""
    keys = {**embedding_keys(paths, task, protocol), "feature": feature, "script": script_of(feature)}
    return np.load(artifacts.path(paths, "dense_embeddings", **keys))


def place_in_dense(inputs: Inputs) -> dict[int, int]:
    """Return which row of the dense file each covered row of the task is."""
    places = inputs.content.places
    covered = [place for place, item in enumerate(inputs.task.rows[:, 1].tolist()) if places[item] >= 0]
    return {place: k for k, place in enumerate(covered)}


def dense_part(inputs: Inputs, dense: np.ndarray, name: str) -> np.ndarray:
    """Return the rows of the dense file that belong to one part."""
    place = place_in_dense(inputs)
    return dense[[place[one] for one in inputs.task.parts[name].tolist()]]


def everything(batches: Batches, size: int, order: torch.Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return all batches one below another: content and clicks. A batch's memory is used again by the next."""
    pieces = [(batch.content.numpy().copy(), clicks.numpy().copy()) for batch, clicks in batches.batches(size, order)]
    assert all(len(batch) == len(clicks) == size for batch, clicks in pieces[:-1])
    return np.concatenate([batch for batch, _ in pieces]), np.concatenate([clicks for _, clicks in pieces])
