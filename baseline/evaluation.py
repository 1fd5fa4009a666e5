"""Score the test rows of a baseline and return its figures; time MMa4CTR beside it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from baseline.adapter import Baseline
from mma4ctr.data.registry import modalities_of
from mma4ctr.evaluation import calibration, metrics, unseen
from mma4ctr.grid.experiments import VARIANTS, Point, adaptive
from mma4ctr.inputs import gather
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.models import registry
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.devices import device_of, engine_of
from mma4ctr.training.engine import probabilities_of
from mma4ctr.training.trainer import Trainer

TIMED_EPOCHS = 3  # of MMa4CTR; the fastest counts, since the first one warms up


def same_rows(made: Baseline, task: TaskRows, folder: Path, seed: int, suffix: str) -> dict[str, float]:
    """Score the test rows of a task, keep the scores in the run's folder, and return the figures.

    `test_seconds` are those of what the published test does: scores, AUC and LogLoss. `valid_auc` is that of the
    validation rows, by which epochs may be chosen.
    """
    started, test = time.perf_counter(), task.part("test")
    scores = made.scores("test")
    metrics.auc(test[:, 2], scores), metrics.logloss(test[:, 2], scores)
    seconds = time.perf_counter() - started
    figures = runs.save_predictions(folder, scores, test, seed, suffix)
    validation, labels = made.scores("validation"), task.part("validation")[:, 2]
    calibrated = calibration.calibrated_logloss(validation, labels, scores, test[:, 2])
    seen = unseen.figures(task.part("training"), test, scores)
    return {**figures, calibration.NAME: calibrated, **seen, "test_seconds": seconds,
            "valid_auc": metrics.auc(labels, validation)}  # fmt: skip


def watched_rows(made: Baseline, folder: Path, seed: int, suffix: str) -> dict[str, float]:
    """Score watched test videos and as many sampled unwatched ones, and return the figures."""
    started = time.perf_counter()
    users, labels, scores = made.sampled_scores("test")
    metrics.auc(labels, scores), metrics.logloss(labels, scores)
    seconds = time.perf_counter() - started
    rows = np.column_stack([users, np.zeros_like(users), labels])
    return {**runs.save_predictions(folder, scores, rows, seed, suffix), "test_seconds": seconds}


def mma4ctr_seconds(settings: Settings, task: str) -> dict[str, float]:
    """Train MMa4CTR for a few epochs as published, on the rows of the clean protocol, and test it.

    Seconds of two machines are not comparable, so that every baseline is set against these, which come from the same
    process on the same device.

    Returns
    -------
    dict
        epoch_seconds, of the fastest epoch, and test_seconds, of scores, AUC and LogLoss.

    Raises
    ------
    UserError
        If the clean user embeddings are missing.
    """
    clean = next(variant for variant in VARIANTS if variant.protocol == "clean")
    setting = adaptive(modalities_of(settings, task))
    schedule = Point(task, clean, setting, 0, TIMED_EPOCHS).schedule()
    model = registry.load(registry.DEFAULT)
    given = gather.load(settings, task, setting.feature, "clean", model.needs)
    device = device_of("auto")
    parts, engine = batches_of_parts(given, "clean", device), engine_of(device)
    trainer, seconds = Trainer(model(model.Config(), given.sizes), parts, schedule, engine=engine), []
    for epoch in range(TIMED_EPOCHS):
        started = time.perf_counter()
        engine.train_epoch(trainer.model, trainer.optimiser, trainer.training, schedule, epoch, attempt=0)
        seconds.append(time.perf_counter() - started)
    started, labels = time.perf_counter(), given.task.part("test")[:, 2]
    scores = probabilities_of(trainer.model, parts["test"])
    metrics.auc(labels, scores), metrics.logloss(labels, scores)
    return {"epoch_seconds": min(seconds), "test_seconds": time.perf_counter() - started}
