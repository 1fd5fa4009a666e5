"""Every data set: of code, in `mma4ctr/data/datasets/`, or declared; and which of them a step works through."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

from mma4ctr import paths_file
from mma4ctr import settings as settings_file
from mma4ctr.catalogue import Task
from mma4ctr.cli import UserError
from mma4ctr.data import datasets
from mma4ctr.data.contract import DataSet
from mma4ctr.data.declared import reading
from mma4ctr.settings import DEFAULT_FILE, Settings, declarations_of
from mma4ctr.store import records

SHIPPED = DEFAULT_FILE.parent / "datasets"  # declarations that come with the project
T = TypeVar("T")


def discovered() -> dict[str, DataSet]:
    """Return the object ``DATASET`` of every module in `mma4ctr.data.datasets`, by its name."""
    modules = (module.name for module in pkgutil.iter_modules(datasets.__path__))
    found: list[DataSet] = [importlib.import_module(f"{datasets.__name__}.{name}").DATASET for name in modules]
    return {dataset.name: dataset for dataset in sorted(found, key=lambda dataset: (dataset.place, dataset.name))}


def tasks_in(found: Iterable[DataSet]) -> dict[str, Task]:
    """Return the tasks of data sets by their names."""
    return {task.name: task for dataset in found for task in dataset.tasks}


DATASETS = discovered()  # those of code, which are there under every path.json
TASKS = tasks_in(DATASETS.values())


def declared(file: Path, content: Mapping[str, object]) -> dict[str, DataSet]:
    """Return the declared data sets that a path.json knows: those that are shipped, and those of its own."""
    own = declarations_of(file, content)
    sources: list[Mapping[str, DataSet]] = [reading.declarations(SHIPPED)]
    if not isinstance(own, Path):
        sources.append({name: reading.parse(name, of, f"{file}: datasets.{name}") for name, of in own.items()})
    elif own != SHIPPED:
        sources.append(reading.declarations(own))
    found: dict[str, DataSet] = {}
    tasks = dict.fromkeys(TASKS, "the project")
    for name, dataset in (pair for source in sources for pair in source.items()):
        if name in DATASETS or name in found:
            raise UserError(f"{file}: there are two data sets {name}, of which one is declared in {own}; rename it")
        for task in dataset.tasks:
            if task.name in tasks:
                raise UserError(f"{file}: {tasks[task.name]} and {name} both have a task {task.name}; rename one of "
                                "the data sets or labels")  # fmt: skip
            tasks[task.name] = name
        found[name] = dataset
    return found


def load_settings(paths: str | Path | None = None) -> Settings:
    """Read a path.json (by default the one beside the scripts); see `mma4ctr.settings.read`."""
    file = settings_file.file_of(paths)
    content = paths_file.read_object(file)
    return settings_file.read(file, content, {**DATASETS, **declared(file, content)})


def dataset_of(settings: Settings, name: str) -> DataSet:
    """Return a data set that path.json knows."""
    return cast(DataSet, settings.datasets[name])


def tasks_of(settings: Settings, names: Iterable[str] | None = None) -> dict[str, Task]:
    """Return the tasks of the named data sets, or of all, by name."""
    return tasks_in(dataset_of(settings, name) for name in (settings.datasets if names is None else names))


def task_of(settings: Settings, name: str) -> Task:
    """Return a task of the data sets that path.json knows; raise `UserError` if there is none of that name."""
    return require(tasks_of(settings), name)


def modalities_of(settings: Settings, task: str) -> tuple[str, ...]:
    """Return what items of a task's data set may have features of."""
    return dataset_of(settings, settings.dataset_of(task)).modalities


def require(known: Mapping[str, T], name: str) -> T:
    """Return what ``--dataset`` names among what is known; raise `UserError` if there is none of that name."""
    if name not in known:
        raise UserError(f"--dataset {name!r:.80}: unknown, expected one of {', '.join(known)}; correct the name, or "
                        "declare the data set")  # fmt: skip
    return known[name]


def has_logs(settings: Settings, dataset: str) -> bool:
    """Tell whether the raw logs of a data set are there, or were when step 1 read them."""
    folder = settings.raw_folder(dataset)
    is_filled = folder.is_dir() and any(folder.iterdir())
    return is_filled or records.file_of(settings, records.INTER, dataset, {}).exists()


def chosen(settings: Settings, names: Sequence[str] | None) -> list[str]:
    """Return the data sets that ``--dataset`` names; without it those whose logs are there, or the published ones."""
    for name in names or ():
        require(settings.datasets, name)
    return list(names or [name for name in settings.datasets if has_logs(settings, name)] or DATASETS)


def chosen_tasks(settings: Settings, names: Sequence[str] | None) -> list[str]:
    """Return the tasks that ``--dataset`` of steps 6 to 9 names; without it those of the data sets of `chosen`."""
    for name in names or ():
        task_of(settings, name)
    return list(names or tasks_of(settings, chosen(settings, None)))
