"""The null check of other models: under the clean protocol their mean AUC is within 4 SE / sqrt(runs) of 0.5."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import measure
import numpy as np
from null_error import mean_is_right, standard_error

sys.path.insert(0, str(measure.ROOT))

import mlp
from baseline import comp
from load_path import load_path
from mma4ctr.runs import folder as runs

EPOCHS = 5
CONFIG = measure.ROOT / "baseline" / "demo.yaml"


def run_baseline(file: Path, task: str, model: str, seed: int) -> str:
    """Train and test one of RecBole's models on the rows of one task and return its run."""
    (run,) = comp.main(["--paths", str(file), "--dataset", task, "--models", model, "--setting", "clean",
                        "--config", str(CONFIG), "--epochs", str(EPOCHS)])  # fmt: skip
    return run


def run_native(file: Path, task: str, model: str, seed: int) -> str:
    """Train and test one of the package's models, as long as it would be without early stopping."""
    (run,) = mlp.main(["--paths", str(file), "--dataset", task, "--model", model, "--protocol", "clean",
                       "--seed", str(seed), "--epochs", str(EPOCHS), "--patience", "none"])  # fmt: skip
    return run


RUN: dict[str, Callable[[Path, str, str, int], str]] = {"baselines": run_baseline, "native": run_native}


def check(kind: str, file: Path, task: str, model: str, seed: int) -> dict[str, float]:
    """Train and test one model on the rows of one task and return its AUC with the standard error."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = RUN[kind](file, task, model, seed)
    settings = load_path(file)
    found = runs.read_metrics(settings, run)
    rows = len(runs.load_array(runs.folder_of(settings, run), "test_rows"))
    return {"auc": found["auc"], "se": standard_error(found["test_positives"], rows - found["test_positives"])}


def check_all(kind: str, files: Sequence[Path], tasks: Sequence[str], models: Sequence[str]) -> Iterator[bool]:
    """Print a line for each task and model, and yield whether it is right."""
    print(f"{'task':15}{'model':20}{'SE':>8}{'mean AUC':>10}{'(mean-0.5)*sqrt(runs)/SE':>26}   AUC, by seed")
    for task in tasks:
        for model in models:
            found = [check(kind, file, task, model, seed) for seed, file in enumerate(files)]
            aucs, error = [run["auc"] for run in found], np.mean([run["se"] for run in found])
            off = (np.mean(aucs) - 0.5) * math.sqrt(len(found)) / error
            right = mean_is_right(found)
            print(f"{task:15}{model:20}{error:8.4f}{np.mean(aucs):10.4f}{off:26.1f}   "
                  f"{' '.join(f'{auc:.4f}' for auc in aucs)}{'' if right else '   WRONG'}", flush=True)  # fmt: skip
            yield right
