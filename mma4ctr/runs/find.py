"""Find the finished run that a figure of the tables comes from, and compare runs over the same test users.

One run serves every epoch count that it passed through: the schedule of a longer run has the shorter one as its prefix.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import torch

from mma4ctr.cli import UserError
from mma4ctr.grid.experiments import Point
from mma4ctr.runs import folder as runs
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

DEVICES = ("cuda", "cpu")
# Figures that a run keeps for every epoch at which it was tested.
FIGURES = ("auc", "auc_low", "auc_high", "gauc", "average_precision", "logloss", "test_positives")


def settings_of_embedding(settings: Settings, reduction: str, length: int) -> Settings:
    """Return `paths` with another user embedding, whose files and path.json lie in a folder of their own."""
    if (reduction, length) == (settings.user_reduction, settings.user_embedding_length):
        return settings
    folder = settings.saved_path / "settings" / f"{reduction}_{length}"
    return dataclasses.replace(
        settings,
        file=folder / "path.json",
        user_reduction=reduction,
        user_embedding_length=length,
        user_embedding_path=folder / "user_all_embeddings",
    )


def schedule_of(point: Point) -> Schedule:
    """Return how the run of a figure is trained."""
    setting = point.setting
    return Schedule(
        epochs=point.epochs, learning_rate=setting.learning_rate, batch_size=setting.batch_size, loss="batch_softmax",
        seed=point.seed, lr_change=setting.lr_change, interruption=setting.interruption, patience=None,
    )  # fmt: skip


def key_of(config: dict[str, object]) -> str:
    """Return what identifies a run apart from its number of epochs and when it was tested."""
    ignored = ("epochs", "eval_every", "versions")
    return records.identity({name: value for name, value in config.items() if name not in ignored})


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A run as it stood after `epoch` epochs.

    Attributes
    ----------
    run : str
    folder : Path
    epoch : int
    figures : dict
        See `FIGURES`.
    rows : str
        What the test rows are; equal for runs that were tested on the same ones.
    """

    run: str
    folder: Path
    epoch: int
    figures: dict[str, float | None]
    rows: str

    def _array(self, name: str) -> np.ndarray:
        file = self.folder / f"{name}_{self.epoch}.npy"
        return runs.load_array(file if file.exists() else self.folder / f"{name}.npy")

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
        """User index, place in the feature's item table, click of each test row, (rows, 3) int32."""
        return runs.load_array(self.folder / "test_rows.npy")

    @property
    def test_places(self) -> np.ndarray:
        """Places of the test rows among the rows of the task, (rows,) int64, by which rows of two runs are matched."""
        return runs.load_array(self.folder / "test_places.npy")


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A finished run: its configuration, metrics and history of epochs."""

    folder: Path
    config: dict
    metrics: dict
    history: list[dict]

    def at(self, epoch: int) -> Evaluation | None:
        """Return the run as it stood after `epoch` epochs, None where it was not tested then."""
        if epoch == len(self.history):
            figures = {name: self.metrics[name] for name in FIGURES}
        elif epoch < len(self.history) and "test_auc" in self.history[epoch - 1]:
            figures = {name: self.history[epoch - 1][f"test_{name}"] for name in FIGURES}
        else:
            return None
        # Label-rate predictors are identified by their rows, among others, and are the same for runs on the same rows.
        return Evaluation(self.metrics["run"], self.folder, epoch, figures, self.metrics["label_rates"]["user_rate"])


class Results:
    """The finished runs of one path.json, by what they trained."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = list(runs.all_metrics(settings))
        self.by_key: dict[str, list[Trajectory]] = {}
        for content in self.metrics:
            if "in_features" in content:  # label-rate predictors and baselines are not runs of the MLP
                self._add(content)

    def _add(self, content: dict) -> None:
        folder = runs.folder_of(self.settings, content["run"])
        again = f"python mlp.py after removing the folder {folder}"
        config, history = (artifacts.read_json(folder / f"{name}.json", again) for name in ("config", "history"))
        self.by_key.setdefault(key_of(config), []).append(Trajectory(folder, config, content, history))

    @functools.cache  # noqa: B019 - one object lives as long as the script
    def _built_on(self, task: str, feature: str, protocol: str, reduction: str, length: int) -> dict[str, str] | None:
        try:
            return runs.built_on(settings_of_embedding(self.settings, reduction, length), task, feature, protocol)
        except UserError:  # a step has not run for these settings, or not since they changed: no run can stand on it
            return None

    def run_of(self, point: Point, device: str) -> runs.Run | None:
        """Return the run that gives `point`, None where an earlier step has not run for its settings."""
        variant, setting = point.variant, point.setting
        embedding = (variant.reduction, setting.user_embedding_length)
        built_on = self._built_on(point.task, setting.feature, variant.protocol, *embedding)
        if built_on is None:
            return None
        return runs.Run(
            settings_of_embedding(self.settings, *embedding), point.task, setting.feature, variant.protocol,
            schedule_of(point), None, torch.device(device), built_on,
        )  # fmt: skip

    def trajectory(self, point: Point) -> Trajectory | None:
        """Return a finished run that was tested after the epochs of `point`, on the artefacts as they are now."""
        for device in DEVICES:
            run = self.run_of(point, device)
            for found in self.by_key.get(key_of(run.config), []) if run else []:
                if found.at(point.epochs) is not None:
                    return found
        return None

    def find(self, point: Point) -> Evaluation | None:
        """Return what a finished run scored at `point`, None if there is none."""
        found = self.trajectory(point)
        return None if found is None else found.at(point.epochs)

    @functools.cached_property
    def seeds(self) -> int:
        """How many seeds, from 0, the finished runs have at most."""
        runs_found = (found for group in self.by_key.values() for found in group)
        return 1 + max((found.config["seed"] for found in runs_found), default=-1)

    def metrics_of(self, evaluation: Evaluation) -> dict:
        """Return the metrics of the run that `evaluation` is of, as they were at its end."""
        return runs.read_metrics(self.settings, evaluation.run)

    def label_rate(self, evaluation: Evaluation, name: str) -> Evaluation:
        """Return a label-rate predictor on the test rows of `evaluation`."""
        run = self.metrics_of(evaluation)["label_rates"][name]
        figures = runs.read_metrics(self.settings, run)
        folder = runs.folder_of(self.settings, run)
        return Evaluation(run, folder, 0, {figure: figures[figure] for figure in FIGURES}, evaluation.rows)
