"""Every data set that has a file in `mma4ctr/data/datasets/`, and which of them a step works through."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from mma4ctr import settings as settings_file
from mma4ctr.catalogue import Task
from mma4ctr.data import datasets
from mma4ctr.data.contract import DataSet
from mma4ctr.settings import Settings
from mma4ctr.store import records


def discovered() -> dict[str, DataSet]:
    """Return the object ``DATASET`` of every module in `mma4ctr.data.datasets`, by its name."""
    modules = (module.name for module in pkgutil.iter_modules(datasets.__path__))
    found: list[DataSet] = [importlib.import_module(f"{datasets.__name__}.{name}").DATASET for name in modules]
    return {dataset.name: dataset for dataset in sorted(found, key=lambda dataset: (dataset.place, dataset.name))}


def tasks_in(found: Iterable[DataSet]) -> dict[str, Task]:
    """Return the tasks of data sets by their names."""
    return {task.name: task for dataset in found for task in dataset.tasks}


DATASETS = discovered()
TASKS = tasks_in(DATASETS.values())


def load_settings(file: str | Path | None = None) -> Settings:
    """Read a path.json (by default the one beside the scripts); see `mma4ctr.settings.read`."""
    return settings_file.read(file, DATASETS)


def dataset_of(settings: Settings, name: str) -> DataSet:
    """Return a data set that path.json knows."""
    return cast(DataSet, settings.datasets[name])


def task_of(settings: Settings, name: str) -> Task:
    """Return a task of the data sets that path.json knows."""
    return next(task for dataset in settings.datasets.values() for task in dataset.tasks if task.name == name)


def has_logs(settings: Settings, dataset: str) -> bool:
    """Tell whether the raw logs of a data set are there, or were when step 1 read them."""
    folder = settings.raw_folder(dataset)
    is_filled = folder.is_dir() and any(folder.iterdir())
    return is_filled or records.file_of(settings, records.INTER, dataset, {}).exists()


def chosen(settings: Settings, names: Sequence[str] | None) -> list[str]:
    """Return the data sets that ``--dataset`` names; without it those whose logs are there, or all if none are."""
    return list(names or [name for name in DATASETS if has_logs(settings, name)] or DATASETS)


def tasks_of(names: Iterable[str]) -> list[str]:
    """Return the tasks of the named data sets."""
    return list(tasks_in(DATASETS[name] for name in names))


def chosen_tasks(settings: Settings, names: Sequence[str] | None) -> list[str]:
    """Return the tasks that ``--dataset`` of steps 6 to 9 names; without it those of the data sets of `chosen`."""
    return list(names or tasks_of(chosen(settings, None)))
