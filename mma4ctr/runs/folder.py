"""One run, one folder: what was run, on what, and all that came out; and the table of all runs."""

from __future__ import annotations

import dataclasses
import functools
import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import scipy
import sklearn
import torch

import mma4ctr
from mma4ctr.catalogue import FEATURES
from mma4ctr.cli import UserError
from mma4ctr.data.registry import TASKS
from mma4ctr.evaluation import label_rates, metrics
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

COLUMNS = (
    *("run", "task", "feature", "protocol", "reduction", "loss", "epochs", "batch_size", "learning_rate", "seed"),
    *("in_features", "parameters", "auc", "auc_low", "auc_high", "gauc", "average_precision", "logloss"),
    *("test_positives", "interruptions", "train_seconds", "test_seconds"),
)
METRICS = "metrics.json"


def built_on(settings: Settings, task: str, feature: str, protocol: str) -> dict[str, str]:
    """Return the identities of the records that a run of `feature` builds on, checking each of them.

    Raises
    ------
    UserError
        If an earlier step has not run, or ran with other settings or inputs.
    """
    dataset = TASKS[task].dataset
    records.require(
        settings, "preprocess_inter.py", dataset
    )  # before the others: the first missing step is to be named
    there = records.modalities_of(records.require(settings, "preprocess_multimodal.py", dataset))
    for modality in FEATURES[feature].modalities:
        if modality not in there:
            raise UserError(
                f"{feature} needs the {modality} modality, for which {dataset} has no features: its files are missing "
                f"from {settings.raw_folder(dataset)}, or empty; put them there and rerun python "
                "preprocess_multimodal.py, or choose another feature"
            )
    matrix_step = "gen_matrix.py" if FEATURES[feature].fusion == "single" else "cross_matrix.py"
    wanted = [("preprocess_inter.py", ""), (matrix_step, "")]
    if settings.user_embedding_length > 0:
        wanted.append(("get_user_embedding.py", records.embedding_variant(settings, task, protocol)))
    return {f"{script} {variant}".strip(): records.require(settings, script, dataset, variant).id
            for script, variant in wanted}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the MLP before it is run: everything that decides its result.

    Attributes
    ----------
    built_on : dict of str to str
        The identities of the artefacts, from the function `built_on`.
    """

    settings: Settings
    task: str
    feature: str
    protocol: str
    schedule: Schedule
    eval_every: int | None
    device: torch.device
    built_on: dict[str, str]

    @functools.cached_property
    def config(self) -> dict[str, object]:
        """The configuration, whose hash is the run's id."""
        return {
            "task": self.task, "feature": self.feature, "protocol": self.protocol,
            "reduction": self.settings.user_reduction, "user_embedding_length": self.settings.user_embedding_length,
            "split_seed": self.settings.seed, **dataclasses.asdict(self.schedule), "eval_every": self.eval_every,
            "device": self.device.type, "built_on": self.built_on,
        }  # fmt: skip

    @property
    def id(self) -> str:
        """The run's id."""
        return records.identity(self.config)


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


def rebuild_results(settings: Settings) -> Path:
    """Write results.csv anew from the run folders, one line for each run, sorted by run; return the file."""
    lines = [{column: metrics.get(column) for column in COLUMNS} for metrics in all_metrics(settings)]
    frame = pl.DataFrame(lines, schema=list(COLUMNS), infer_schema_length=None)
    file = settings.saved_path / "results.csv"
    with artifacts.replacing(file) as temporary:
        frame.write_csv(temporary)
    return file


def rates_config(task: str, feature: str, protocol: str, seed: int, ancestors: dict[str, str]) -> dict[str, object]:
    """Return what identifies the label-rate predictors on the rows that `feature` covers."""
    covered = feature if FEATURES[feature].fusion == "single" else "fused"
    # User embeddings play no part, so that every length and reduction shares these rows.
    used = {name: record for name, record in ancestors.items() if not name.startswith("get_user_embedding.py")}
    return {"task": task, "rows": covered, "protocol": protocol, "split_seed": seed, "built_on": used}


def save_label_rates(
    settings: Settings, config: dict[str, object], training: np.ndarray, test: np.ndarray
) -> dict[str, str]:
    """Evaluate the three label-rate predictors on the rows of a run, each as a run of its own, once.

    Parameters
    ----------
    settings : Settings
    config : dict
        See `rates_config`.
    training, test : (n, 3) and (m, 3) int arrays
        User index, item index, click.

    Returns
    -------
    dict of str to str
        The run of each predictor.
    """
    own = {name: {**config, "feature": name} for name in label_rates.NAMES}
    found = {name: records.identity(content) for name, content in own.items()}
    if all(is_finished(settings, run) for run in found.values()):
        return found
    predicted = label_rates.predictors(training, test)
    suffix = "" if config["rows"] == "fused" else f"@{config['rows']}"
    for name, run in found.items():
        folder = folder_of(settings, run)
        identified = {"run": run, "task": config["task"], "feature": name + suffix, "protocol": config["protocol"]}
        save_config(folder, own[name])
        save_metrics(
            folder, {**identified, **save_predictions(folder, predicted[name], test, int(config["split_seed"]))}
        )
    return found
