"""One finished run, whatever model it trained: its files, and what it scored after each number of epochs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mma4ctr.evaluation import calibration
from mma4ctr.evaluation.metrics import FIGURES
from mma4ctr.models import registry
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings

MMA4CTR = registry.DEFAULT


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A run as it stood after `epoch` epochs, 0 for what is not trained.

    Attributes
    ----------
    run : str
    folder : Path
    epoch : int
    figures : dict
        Each of `metrics.FIGURES`, and the calibrated LogLoss, by name; None where it does not exist, or did not when
        the run was tested.
    rows : str
        What the test rows are; equal for runs that were tested on the same ones.
    remarks : tuple of str
        What makes it doubtful.
    kept : int or None
        Of a run that was to stop early, the epoch whose weights it ended with.
    """

    run: str
    folder: Path
    epoch: int
    figures: dict[str, float | None]
    rows: str
    remarks: tuple[str, ...] = ()
    kept: int | None = None

    def _array(self, name: str) -> np.ndarray:
        own = f"{name}_{self.epoch}"
        return runs.load_array(self.folder, own if (self.folder / f"{own}.npy").exists() else name)

    @functools.cached_property
    def replicates(self) -> np.ndarray:
        """AUC of each bootstrap replicate over test users, (1000,) float64."""
        return self._array("auc_replicates")

    @property
    def predictions(self) -> np.ndarray:
        """Click probabilities of the test rows, (rows,) float32."""
        return self._array("predictions")

    @property
    def test_rows(self) -> np.ndarray:
        """User index, item index, click of each test row, (rows, 3) int32."""
        return runs.load_array(self.folder, "test_rows")

    @property
    def test_places(self) -> np.ndarray:
        """Places of the test rows among the rows of the task, (rows,) int64, by which rows of two runs are matched."""
        return runs.load_array(self.folder, "test_places")


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A finished run: its configuration, metrics and history of epochs."""

    folder: Path
    config: dict
    metrics: dict
    history: list[dict]

    @property
    def stops_early(self) -> bool:
        """Whether it was to stop once validation was no longer better, and to return to its best epoch."""
        return self.config.get("patience") is not None

    @property
    def length(self) -> int:
        """After how many epochs it ended; of one that stops early, how many it was allowed, as for all of its seeds."""
        return self.config["epochs"] if self.stops_early else len(self.history)

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights it ended with."""
        return self.metrics["best_epoch"] if self.stops_early and self.metrics["best_epoch"] else len(self.history)

    @property
    def valid_auc(self) -> float:
        """The validation AUC of that epoch."""
        return self.history[self.kept_epoch - 1]["valid_auc"]

    def figures(self, epochs: int) -> dict[str, float | None] | None:
        """Return all that was measured on the test rows after so many epochs, None where it was not tested then."""
        if epochs == self.length:
            return self.metrics
        entry = self.history[epochs - 1] if epochs <= len(self.history) else {}
        return {name.removeprefix("test_"): entry[name] for name in entry} if "test_auc" in entry else None

    @property
    def epochs(self) -> list[int]:
        """After how many epochs it was tested."""
        return [epochs for epochs in range(1, self.length + 1) if self.figures(epochs) is not None]

    def evaluation(self, epochs: int) -> Evaluation | None:
        """Return the run as it stood after so many epochs, None where it was not tested then."""
        found = self.figures(epochs)
        return None if found is None else self._evaluation(epochs, found)

    @property
    def last(self) -> Evaluation:
        """The run as it ended."""
        return self._evaluation(self.length, self.metrics)

    def _evaluation(self, epochs: int, found: Mapping[str, float | None]) -> Evaluation:
        # Label-rate predictors are identified by their rows, among others, and are the same for runs on the same rows.
        rows = self.metrics.get("label_rates", {}).get("user_rate", self.config["feature"])
        ended = found is self.metrics
        remarks = tuple(self.metrics.get("remarks", ())) if ended else ()
        kept = self.kept_epoch if ended and self.stops_early else None
        return Evaluation(self.metrics["run"], self.folder, epochs, figures_in(found), rows, remarks, kept)


def figures_in(content: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each figure of an `Evaluation` that a run's metrics have, None for the others."""
    return {name: content.get(name) for name in (*(figure.name for figure in FIGURES), calibration.NAME)}


def native_model(content: Mapping[str, Any]) -> str | None:
    """Return which model of the package the run with these metrics trained; None for label rates and for RecBole's."""
    if content.get("baseline") is not None:
        return None
    return content.get("model")


def load(settings: Settings, content: dict) -> FinishedRun:
    """Read the folder of the run with these metrics.

    Raises
    ------
    UserError
        If its configuration or its history is missing or damaged.
    """
    folder = runs.folder_of(settings, content["run"])
    return FinishedRun(folder, runs.load_json(folder, "config"), content, runs.load_json(folder, "history"))
