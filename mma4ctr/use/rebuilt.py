"""The run that a model.json tells of, without a path.json."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from mma4ctr.cli import UserError
from mma4ctr.data import registry as data_sets
from mma4ctr.models import registry
from mma4ctr.runs.run import Run
from mma4ctr.schedule import Schedule
from mma4ctr.settings import Settings, read


def settings_of(place: Path, told: dict[str, Any]) -> Settings:
    """Return the settings of a run from what its model.json tells; its folder may have been moved with all others."""
    content = dict(told["paths"])
    for name in ("parent_folder", "datasets"):
        if isinstance(content.get(name), str):
            content[name] = os.path.normpath(place / content[name])
    file = Path(os.path.normpath(place / told["paths_file"]))
    known = {**data_sets.DATASETS, **data_sets.declared(file, content)}
    return dataclasses.replace(read(file, content, known), saved_path=place.parent)


def run_of(place: Path, told: dict[str, Any]) -> Run:
    """Return the run that model.json tells of.

    Raises
    ------
    UserError
        If there is another version of the model now, or the run was another.
    """
    name, version = told["model"]["name"], told["model"]["version"]
    model = registry.load(name)
    if model.version != version:
        raise UserError(f"{place}: was trained by version {version} of {name}, this is version {model.version}; train "
                        "it anew")  # fmt: skip
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in told["options"].items()}
    run = Run(
        settings_of(place, told), told["task"], told["feature"], told["protocol"], Schedule(**told["schedule"]),
        told["built_on"], name, registry.options_of(model.Config(**options)), told["device"],
        reads_users="content" in told["needs"],
    )  # fmt: skip
    if run.id != place.name:
        raise UserError(f"{place}: other versions of the code, or other settings, than this run's give run {run.id}; "
                        "train it anew")  # fmt: skip
    return run
