"""One run, one folder: its files, and the table of all runs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

import mma4ctr
from mma4ctr.cli import UserError
from mma4ctr.evaluation import calibration, metrics
from mma4ctr.settings import Settings
from mma4ctr.store import checksums, disk, locks, records

COLUMNS = (
    *("run", "task", "protocol", "feature", "model"),
    *("reduction", "user_embedding_length", "min_interactions", "user_order", "split_seed"),
    *("loss", "epochs", "best_epoch", "batch_size", "learning_rate", "lr_change", "interruption", "patience", "seed"),
    *("in_features", "parameters", *(figure.name for figure in metrics.FIGURES), calibration.NAME),
    *("interruptions", "train_seconds", "test_seconds", "remarks"),
)
ORDER = ("task", "protocol", "feature", "model", "run")  # of the lines of results.csv
METRICS = "metrics.json"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "polars", "torch")  # that compute what a run finds


def folder_of(settings: Settings, run: str) -> Path:
    """Return the folder of a run."""
    return settings.saved_path / run


def checkpoint_of(settings: Settings, run: str) -> Path:
    """Return where a run keeps the state that it can go on from."""
    return settings.torch_model_path / run / "checkpoint.pt"


@contextlib.contextmanager
def writing(settings: Settings, run: str) -> Iterator[None]:
    """Keep other processes from doing the same run, and remove what a killed one left unfinished.

    Raises
    ------
    UserError
        If another process is doing it.
    """
    own = checkpoint_of(settings, run).parent
    with locks.lock(own / "run.lock", f"run {run}", alone=True):
        for folder in (own, folder_of(settings, run)):
            disk.remove_abandoned(folder)
        yield


def is_finished(settings: Settings, run: str) -> bool:
    """Tell whether a run has ended; its metrics are written last."""
    return (folder_of(settings, run) / METRICS).exists()


def save_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Write an array into a run's folder, whole or not at all."""
    disk.write_array(folder / f"{name}.npy", array)


def save_predictions(
    folder: Path, probabilities: np.ndarray, test_rows: np.ndarray, seed: int, suffix: str = ""
) -> dict[str, float]:
    """Keep the predictions (rows,) float32 of a model and the bootstrap replicates of their AUC; return the figures.

    Raises
    ------
    UserError
        If a prediction is no number.
    """
    if not np.isfinite(probabilities).all():
        raise UserError(f"{folder.name}: the model's predictions are no longer numbers; give a lower learning rate")
    figures, replicates = metrics.evaluate(test_rows[:, 0], test_rows[:, 2], probabilities, seed)
    save_array(folder, f"predictions{suffix}", probabilities)
    save_array(folder, f"auc_replicates{suffix}", replicates)
    return figures


def versions() -> dict[str, str]:
    """Return the versions of what computed a run."""
    own = {"python": platform.python_version(), "machine": platform.machine(), "mma4ctr": mma4ctr.__version__}
    return {**own, **{name: importlib.metadata.version(name) for name in LIBRARIES}}


def save_config(folder: Path, config: dict[str, object]) -> None:
    """Write what a run is about to do."""
    disk.write_json(folder / "config.json", {**config, "versions": versions()})


def _again(folder: Path) -> str:
    """Return what to do about a run's folder that is damaged."""
    return f"the command of the run after removing the folder {shlex.quote(str(folder))}"


def _known(folder: Path, name: str) -> disk.Known:
    """Return what the metrics of a finished run know of another of its files."""
    found = metrics_in(folder)["files"].get(name)
    if found is None:
        raise UserError(f"{folder / name}: is not among the files of {folder / METRICS}; rerun {_again(folder)}")
    return disk.Known(_again(folder), found, folder / METRICS)


def load_array(folder: Path, name: str) -> np.ndarray:
    """Read an array of a finished run; raise `UserError` if it is missing or is not what the run wrote."""
    file = f"{name}.npy"
    return disk.read_array(folder / file, _known(folder, file))


def load_weights(folder: Path) -> BinaryIO:
    """Return the weights of a finished run as a file; raise `UserError` if they are not what the run wrote."""
    return io.BytesIO(disk.read_bytes(folder / "weights.pt", _known(folder, "weights.pt")))


def load_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a finished run; raise `UserError` if it is missing or is not what the run wrote."""
    file = f"{name}.json"
    return disk.read_json(folder / file, _known(folder, file))


def metrics_in(folder: Path) -> dict:
    """Return the metrics in the folder of a finished run.

    Raises
    ------
    UserError
        If they are missing, are not what the run wrote, or belong to another run.
    """
    content = disk.read_object(folder / METRICS, disk.Known(_again(folder)))
    if content.pop("checksum", None) != records.identity(content) or content.get("run") != folder.name:
        raise UserError(
            f"{folder / METRICS}: is damaged, of another run, or of an earlier version; rerun {_again(folder)}"
        )
    return content


def read_metrics(settings: Settings, run: str) -> dict:
    """Return the metrics of a finished run; see `metrics_in`."""
    return metrics_in(folder_of(settings, run))


def save_metrics(folder: Path, content: dict[str, object]) -> None:
    """Write the metrics of a run, with the checksums of its other files; this marks it as finished."""
    written = (file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith("."))
    checked = {file.name: checksums.of_file(file) for file in written if file.name != METRICS}
    # JSON has no nan: a figure that does not exist (GAUC without a user of both classes) is null.
    clean = {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in content.items()}
    clean["files"] = checked
    disk.write_json(folder / METRICS, {**clean, "checksum": records.identity(clean)})


def all_metrics(settings: Settings) -> Iterable[dict]:
    """Return the metrics of every finished run, sorted by run."""
    return [read_metrics(settings, file.parent.name) for file in sorted(settings.saved_path.glob(f"*/{METRICS}"))]


def line_of(content: Mapping[str, Any]) -> dict[str, object]:
    """Return the line of results.csv of a run; `model` is that of the package, where one was trained."""
    return {column: content.get(column) for column in COLUMNS} | {"remarks": "; ".join(content.get("remarks", ()))}


def rebuild_results(settings: Settings) -> Path:
    """Write results.csv anew from the run folders, one line for each run, in the order of `ORDER`; return the file."""
    file = settings.saved_path / "results.csv"
    with locks.lock(file.with_suffix(".lock"), str(file), alone=True):  # or the last to write may have read first
        lines = [line_of(content) for content in all_metrics(settings)]
        frame = pl.DataFrame(lines, schema=list(COLUMNS), infer_schema_length=None).sort(ORDER)
        with disk.replacing(file) as temporary:
            frame.write_csv(temporary)
    return file
