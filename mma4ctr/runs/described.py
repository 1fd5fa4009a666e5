"""What a run's folder says of itself: README.md, a sentence for every file, and model.json, the model without code."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mma4ctr.catalogue import feature_named
from mma4ctr.cli import UserError
from mma4ctr.inputs.gather import Inputs
from mma4ctr.models import registry
from mma4ctr.runs.run import Run
from mma4ctr.settings import content_of
from mma4ctr.store import disk, records

MODEL, README = "model.json", "README.md"
# A file of a run's folder, as a pattern of names -> what it is. What is not here must not be written there.
FILES = {
    README: "this text",
    MODEL: "the model without its weights: name, version, every option, sizes, what it needs, how it was trained, and "
           "the files of earlier steps that it was given, relative to this folder; mma4ctr.load_run reads it",
    "weights.pt": "the weights as the run ended: a PyTorch state dictionary (torch.load with weights_only=True)",
    "metrics.json": "what the run found: the figures of the test rows, its configuration, and a checksum of each file "
                    "that was there when it ended; a run without it has not ended",
    "config.json": "what decides the result, from which the run's id follows, and the versions of the libraries",
    "history.json": "one entry for each epoch: losses, validation figures, rates, seconds",
    "test_rows.npy": "user index, item index and click of each test row, (rows, 3) int32",
    "test_places.npy": "places of the test rows among all rows of the task, (rows,) int64",
    "predictions.npy": "click probability of each test row, (rows,) float32",
    "predictions_*.npy": "the same after so many epochs (--eval_every)",
    "auc_replicates.npy": "AUC of 1,000 bootstrap samples of the test users, (1000,) float64",
    "auc_replicates_*.npy": "the same after so many epochs (--eval_every)",
    "hidden.npy": "the last hidden layer of each test row, (rows, width) float32",
    "unmet_*.json": "mlp.py --unmet N: each test click against N items that its user never met",
    "ranking.json": "mlp.py --rank_test: each test click against items that its user never met, and how many items are "
                    "recommended to anybody",
}  # fmt: skip


def sentence_of(file: str) -> str | None:
    """Return what a file of a run's folder is, None where the table does not know it."""
    return next((text for pattern, text in FILES.items() if fnmatch.fnmatch(file, pattern)), None)


def title_of(run: Run) -> str:
    """Return what a run is, in a sentence."""
    options = ", ".join(f"{name}={value}" for name, value in run.options.items())
    model = f"{run.model} ({options})" if options else run.model
    return f"{model} on {run.task}, feature {run.feature}, {run.protocol} protocol, seed {run.schedule.seed}."


def write_readme(folder: Path, title: str, use: str = "") -> None:
    """Write the README of a run's folder: what the run is, what each file is, how to `use` it."""
    told = "".join(f"| `{name}` | {text} |\n" for name, text in FILES.items())
    with disk.replacing(folder / README) as temporary:
        temporary.write_text(
            f"# Run {folder.name}\n\n{title}\n\nA file is there where the run, or what was asked for later, gives it; "
            f"`*` stands for a number. Users and items of `.npy` files are indices into the tables of step 1.\n\n"
            f"| file | what it is |\n|---|---|\n{told}{use}"
        )


def _below(folder: Path, content: dict[str, object]) -> dict[str, object]:
    """Return the keys of a path.json with its folders relative to `folder`, so that all of it may be moved together."""
    places = {key: value for key, value in content.items() if isinstance(value, str) and Path(value).is_absolute()}
    return {**content, **{key: os.path.relpath(value, folder) for key, value in places.items()}}


def model_of(run: Run, folder: Path, inputs: Inputs, files: Sequence[Path]) -> dict[str, Any]:
    """Return what model.json of a run says.

    Parameters
    ----------
    run : Run
    folder : Path
        Of the run.
    inputs : Inputs
    files : sequence of Path
        The artefacts that these were read from.
    """
    model, settings = registry.load(run.model), run.settings
    # Folders of path.json are relative to parent_folder, which is relative to the file.
    parent = settings.parent_folder
    paths = _below(parent, content_of(settings)) | {"parent_folder": os.path.relpath(parent, folder)}
    if isinstance(settings.declarations, Path):
        paths["datasets"] = os.path.relpath(settings.declarations, folder)
    return {
        "run": run.id,
        "model": {"name": run.model, "version": model.version},
        "options": dataclasses.asdict(model.Config(**run.options)),
        "sizes": dataclasses.asdict(inputs.sizes),
        "needs": sorted(inputs.needs),
        "task": run.task, "dataset": settings.dataset_of(run.task), "protocol": run.protocol,
        "feature": run.feature, "modalities": list(feature_named(run.feature).modalities),
        "schedule": dataclasses.asdict(run.schedule), "device": run.device,
        "weights": "weights.pt",
        "artefacts": sorted({os.path.relpath(file, folder) for file in files}),
        "built_on": dict(run.built_on),
        "paths_file": os.path.relpath(settings.file.resolve(), folder), "paths": paths,
    }  # fmt: skip


def write(run: Run, folder: Path, inputs: Inputs, files: Sequence[Path]) -> None:
    """Write README.md and model.json into a run's folder; see `model_of`."""
    content = model_of(run, folder, inputs, files)
    disk.write_json(folder / MODEL, {**content, "checksum": records.identity(content)})
    use = (
        f"\nTo use the model: `import mma4ctr; run = mma4ctr.load_run(FOLDER)`, or `recommend.py --run {run.id}`. "
        "`run.test_rows` has the test rows by the ids of the logs.\n"
    )
    write_readme(folder, title_of(run), use)


def read(folder: Path) -> dict[str, Any]:
    """Return what model.json in a run's folder says.

    Raises
    ------
    UserError
        If it is missing, damaged, or of another run.
    """
    file = folder / MODEL
    again = "the command of the run, which writes it without training anew"
    content = disk.read_object(file, disk.Known(again))
    if content.pop("checksum", None) != records.identity(content) or content.get("run") != folder.name:
        raise UserError(f"{file}: is damaged, or of another run; remove it and rerun {again}")
    return content
