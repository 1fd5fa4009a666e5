"""What a report can be about, and what it says of the rest: data sets, steps and runs that are not there."""

from __future__ import annotations

from collections.abc import Sequence

from mma4ctr.data.registry import DATASETS, chosen, chosen_tasks, has_logs, tasks_of
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.report.model import Section
from mma4ctr.report.sources import TaskRuns
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

# Step -> what a report lacks of a data set without it.
STEPS = {
    records.INTER: "statistics and everything else",
    records.MULTIMODAL: "what was counted of its items, and all that is made of them",
    "cross_matrix.py": "leak audit and fused features",
}


def has_run(settings: Settings, script: str, dataset: str) -> bool:
    """Tell whether a step has left its record of a data set, which may have become stale."""
    return records.file_of(settings, script, dataset, {}).exists()


def tasks(settings: Settings, names: Sequence[str] | None = None) -> list[str]:
    """Return the tasks that ``--dataset`` names; without it those of every data set that step 1 has read.

    Raises
    ------
    UserError
        If step 1 has not run for one of those that are named, or for none at all, or not since something changed.
    """
    read = [dataset for dataset in settings.datasets if has_run(settings, records.INTER, dataset)]
    found = chosen_tasks(settings, names) if names else list(tasks_of(settings, read or chosen(settings, None)))
    for dataset in dict.fromkeys(map(settings.dataset_of, found)):
        records.require(settings, records.INTER, dataset)
    return found


def datasets(settings: Settings) -> list[str]:
    """Return the data sets that a reader would miss: those with logs, and the published ones beside one of these.

    Of the others that are declared, nobody expects anything.
    """
    there = [name for name in settings.datasets if has_logs(settings, name)]
    return [
        name for name in settings.datasets if name in there or (name in DATASETS and not set(there) - set(DATASETS))
    ]


def of_dataset(settings: Settings, dataset: str) -> str | None:
    """Return the first step that a data set lacks, and the command that runs it; None where it has all."""
    for script, lacks in STEPS.items():
        if not has_run(settings, script, dataset):
            first = "" if has_logs(settings, dataset) else f"put its raw logs into {settings.raw_folder(dataset)} and "
            command = artifacts.command(settings, script, dataset)
            return f"{dataset}: {lacks}, since {script} has not run; {first}run {command}"
    return None


def of_task(runs: TaskRuns) -> str | None:
    """Return the protocols under which a task has no finished run of the experiments; None where each has one."""
    there = {variant.protocol for variant in runs.variants}
    lacking = " and ".join(protocol for protocol in PROTOCOLS if protocol not in there)
    return f"{runs.task}: runs under {lacking}, which adjust_hyperparameter.py makes" if lacking else None


def sentences(settings: Settings, every: Sequence[TaskRuns]) -> list[str]:
    """Return what is absent, one sentence each: steps of every data set, then runs of the tasks of a report."""
    of_datasets = (of_dataset(settings, dataset) for dataset in datasets(settings))
    return [*filter(None, of_datasets), *filter(None, map(of_task, every))]


def show(found: Sequence[str]) -> None:
    """Print what is absent."""
    for sentence in found:
        print(f"  absent: {sentence}", flush=True)


def section(found: Sequence[str]) -> Section | None:
    """Return what is absent as a section of the report, None where nothing is."""
    return Section("What is absent", tuple(found)) if found else None
