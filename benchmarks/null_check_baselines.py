"""The null check of the baselines: in the clean setting their mean AUC is within 4 SE / sqrt(runs) of 0.5."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import measure
import numpy as np
from null_error import mean_is_right, standard_error

sys.path.insert(0, str(measure.ROOT))

from baseline import comp
from load_path import load_path
from mma4ctr.data.registry import TASKS
from mma4ctr.runs import folder as runs

EPOCHS = 5
CONFIG = measure.ROOT / "baseline" / "demo.yaml"


def check(file: Path, task: str, model: str) -> dict[str, float]:
    """Train and test one baseline on the rows of one task and return its AUC with the standard error."""
    with contextlib.redirect_stdout(io.StringIO()):
        (run,) = comp.main(["--paths", str(file), "--dataset", task, "--models", model, "--setting", "clean",
                            "--config", str(CONFIG), "--epochs", str(EPOCHS)])  # fmt: skip
    settings = load_path(file)
    found = runs.read_metrics(settings, run)
    rows = len(runs.load_array(runs.folder_of(settings, run) / f"predictions_{EPOCHS}.npy"))
    return {"auc": found["auc"], "se": standard_error(found["test_positives"], rows - found["test_positives"])}


def check_all(files: Sequence[Path], models: Sequence[str]) -> Iterator[bool]:
    """Print a line for each task and model, and yield whether it is right."""
    print(f"{'task':15}{'model':10}{'SE':>8}{'mean AUC':>10}{'(mean-0.5)*sqrt(runs)/SE':>26}   AUC, by seed")
    for task in TASKS:
        for model in models:
            found = [check(file, task, model) for file in files]
            aucs, error = [run["auc"] for run in found], np.mean([run["se"] for run in found])
            off = (np.mean(aucs) - 0.5) * math.sqrt(len(found)) / error
            right = mean_is_right(found)
            print(f"{task:15}{model:10}{error:8.4f}{np.mean(aucs):10.4f}{off:26.1f}   "
                  f"{' '.join(f'{auc:.4f}' for auc in aucs)}{'' if right else '   WRONG'}", flush=True)  # fmt: skip
            yield right
