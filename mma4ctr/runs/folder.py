"""One run, one folder: its files, and the table of all runs."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import scipy
import sklearn
import torch

import mma4ctr
from mma4ctr.cli import UserError
from mma4ctr.evaluation import metrics
from mma4ctr.models import registry
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

COLUMNS = (
    *("run", "task", "feature", "protocol", "user_order", "reduction"),
    *("loss", "epochs", "batch_size", "learning_rate", "seed"),
    *("in_features", "parameters", *(figure.name for figure in metrics.FIGURES)),
    *("interruptions", "train_seconds", "test_seconds"),
)
METRICS = "metrics.json"


def folder_of(settings: Settings, run: str) -> Path:
    """Return the folder of a run."""
    return settings.saved_path / run


def checkpoint_of(settings: Settings, run: str) -> Path:
    """Return where a run keeps the state that it can go on from."""
    return settings.torch_model_path / run / "checkpoint.pt"


def is_finished(settings: Settings, run: str) -> bool:
    """Tell whether a run has ended; its metrics are written last."""
    return (folder_of(settings, run) / METRICS).exists()


def save_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Write an array into a run's folder, whole or not at all."""
    with artifacts.replacing(folder / f"{name}.npy") as temporary, open(temporary, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


def save_predictions(
    folder: Path, probabilities: np.ndarray, test_rows: np.ndarray, seed: int, suffix: str = ""
) -> dict[str, float]:
    """Keep the predictions (rows,) float32 of a model and the bootstrap replicates of their AUC; return the figures."""
    figures, replicates = metrics.evaluate(test_rows[:, 0], test_rows[:, 2], probabilities, seed)
    save_array(folder, f"predictions{suffix}", probabilities)
    save_array(folder, f"auc_replicates{suffix}", replicates)
    return figures


def versions() -> dict[str, str]:
    """Return the versions of what computed a run."""
    libraries = {library.__name__: library.__version__ for library in (mma4ctr, np, scipy, sklearn, pl, torch)}
    return {"python": platform.python_version(), "machine": platform.machine(), **libraries}


def save_config(folder: Path, config: dict[str, object]) -> None:
    """Write what a run is about to do."""
    artifacts.write_json(folder / "config.json", {**config, "versions": versions()})


def load_array(file: Path) -> np.ndarray:
    """Read an array of a run's folder; raise `UserError` if it is missing or damaged."""
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{file}: cannot be read ({error!s:.80}); remove the folder {file.parent} and run python mlp.py again"
        ) from None


def read_metrics(settings: Settings, run: str) -> dict:
    """Return the metrics of a finished run."""
    folder = folder_of(settings, run)
    return artifacts.read_object(folder / METRICS, f"python mlp.py after removing the folder {folder}")


def save_metrics(folder: Path, content: dict[str, object]) -> None:
    """Write the metrics of a run; this marks it as finished."""
    # JSON has no nan: a figure that does not exist (GAUC without a user of both classes) is null.
    clean = {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in content.items()}
    artifacts.write_json(folder / METRICS, clean)


def all_metrics(settings: Settings) -> Iterable[dict]:
    """Return the metrics of every finished run, sorted by run."""
    return [read_metrics(settings, file.parent.name) for file in sorted(settings.saved_path.glob(f"*/{METRICS}"))]


def line_of(content: Mapping[str, object]) -> dict[str, object]:
    """Return the line of results.csv of a run; another model than the default stands before the feature."""
    line = {column: content.get(column) for column in COLUMNS}
    model = content.get("model", registry.DEFAULT)
    return line if model == registry.DEFAULT else {**line, "feature": f"{model}/{content['feature']}"}


def rebuild_results(settings: Settings) -> Path:
    """Write results.csv anew from the run folders, one line for each run, sorted by run; return the file."""
    lines = [line_of(content) for content in all_metrics(settings)]
    frame = pl.DataFrame(lines, schema=list(COLUMNS), infer_schema_length=None)
    file = settings.saved_path / "results.csv"
    with artifacts.replacing(file) as temporary:
        frame.write_csv(temporary)
    return file
