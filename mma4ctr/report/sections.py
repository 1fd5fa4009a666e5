"""Gather the report: findings, leak audit, every task with its tables and figures, then what they were made from."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mma4ctr import cli
from mma4ctr.evaluation import leak_audit
from mma4ctr.grid.experiments import SHORT_AND_LONG, VARIANTS
from mma4ctr.grid.results import Results
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS
from mma4ctr.report import absent, drawings, findings, plus, provenance, same_rows, seed_papers, statistics
from mma4ctr.report.appendix import STEPS, commands_section, contradictions_section, runs_section, settings_section
from mma4ctr.report.cells import COUNT, MEASURE, NO_INTERVAL, auc_cell, number_cell, words
from mma4ctr.report.computation import COMPUTATION_NOTE, computation_table
from mma4ctr.report.curves import MAIN_FIGURE, TASK_FIGURES
from mma4ctr.report.datasets import DATASET_FIGURES
from mma4ctr.report.model import Cell, Finding, Picture, Report, Section, Table
from mma4ctr.report.sources import PERFORMANCE, TaskRuns
from mma4ctr.report.standings import of_others
from mma4ctr.report.tables import BASELINES, HOW_TO_READ, experiment_table, is_shown, performance_table
from mma4ctr.settings import Settings
from mma4ctr.store import records


def count_rows(settings: Settings, datasets: Iterable[str]) -> Iterable[tuple[Cell, ...]]:
    """Yield a row for every count that steps 1 and 2 printed."""
    for dataset in datasets:
        for script in (script for script in STEPS if absent.has_run(settings, script, dataset)):
            for name, value in records.require(settings, script, dataset).counts.items():
                yield words(dataset, script, name, cli.count_in_words(value))


def data_section(settings: Settings, datasets: Sequence[str]) -> Section:
    """Return what was run on what data."""
    counted = Table(
        "What the steps counted", ("data set", "step", "what", "count"), tuple(count_rows(settings, datasets))
    )
    ratios = Table(
        "Rows without an action for each row with it", ("data set", "action", "here", "published"),
        tuple((*words(dataset, name), *map(number_cell, pair, (MEASURE, MEASURE))) for dataset in datasets
              for name, pair in statistics.ratios_of(settings, dataset).items()),
        "The weighted mean of the ratios of the seven actions and the ratio of the click itself are two things.",
    )  # fmt: skip
    captions = {f"{dataset}_{name}": (f"{dataset}: {drawn.caption}", drawn.seen)
                for dataset in datasets for name, drawn in DATASET_FIGURES.items()}  # fmt: skip
    read_from = [
        f"{dataset}: {provenance.data_name(settings, dataset)}, {settings.raw_folder(dataset)}" for dataset in datasets
    ]
    return Section("The data", tuple(read_from), (counted, ratios),
                   tuple(pictures(settings.saved_path / "figures", captions)))  # fmt: skip


def doubts_section(settings: Settings, datasets: Iterable[str]) -> Section | None:
    """Return what the steps warned of, None where there was nothing."""
    found: dict[Path, records.Record] = {}
    for dataset, script in itertools.product(datasets, (*STEPS, "cross_matrix.py", "gen_matrix.py")):
        if records.file_of(settings, script, dataset, {}).exists():
            named = {"script": script, "dataset": dataset, "keys": {}}
            found |= records.below(settings, [named])
    doubts = records.warnings_of(found.values())
    return Section("Beware", ("What the steps warned of:", *doubts)) if doubts else None


def pictures(folder: Path, captions: Mapping[str, tuple[str, str]]) -> list[Picture]:
    """Return those figures of a folder that have been drawn, by what their names look like."""
    return [
        Picture(file, *caption) for name, caption in captions.items() for file in sorted(folder.glob(f"{name}.svg"))
    ]


def pictures_of_task(settings: Settings, task: str) -> list[Picture]:
    """Return the curves of a task, then what was drawn of each variant."""
    curves_of = {name.format(task=task, epochs="*"): (f"{task}: {one.caption}", one.seen)
                 for name, one in TASK_FIGURES.items()}  # fmt: skip
    found = pictures(settings.saved_path / "figures", curves_of)
    for folder, variant in sorted((drawings.folder_of(settings, variant), variant) for variant in VARIANTS):
        of_variant = {f"{task}_{name}": (f"{task}: {caption}, {variant}", seen)
                      for name, (caption, seen) in drawings.CAPTIONS.items()}  # fmt: skip
        found += pictures(folder, of_variant)
    return found


def main_pictures(settings: Settings, task: str, found: Sequence[Picture]) -> list[Picture]:
    """Return the dot plot of a task, and its ROC curves after the most epochs, of the clean protocol if it has runs."""
    by_file = {picture.file: picture for picture in found}
    variants = sorted(VARIANTS, key=lambda variant: variant.protocol != "clean")
    rocs = [drawings.folder_of(settings, variant) / f"{task}_{epochs}.svg"
            for variant in variants for epochs in reversed(SHORT_AND_LONG)]  # fmt: skip
    dots = settings.saved_path / "figures" / f"{MAIN_FIGURE.format(task=task)}.svg"
    chosen = [dots, *[file for file in rocs if file in by_file][:1]]
    return [by_file[file] for file in chosen if file in by_file]


def reading_section(every: Sequence[TaskRuns]) -> Section:
    """Return what has to be known to read the tables, once for all of them."""
    order = (
        f"The published protocol cuts between users in the order {every[0].results.settings.user_order} (user_order of "
        "path.json); of runs in another order, the leak audit and the list of every run alone have figures."
    )
    said = {**HOW_TO_READ, "Order of users": order}
    said |= {"The same rows": same_rows.SAME_ROWS} if any(of_others(one, "clean") for one in every) else {}
    said |= {"Baselines": BASELINES} if any(one.subsection for one in every) else {}
    said["Computation"] = COMPUTATION_NOTE
    return Section("How to read the tables", findings=(Finding("", tuple(said.items())),))


def task_section(runs: TaskRuns) -> Section:
    """Return every table and figure of one task: its main figures, all models on the same rows, then experiments.

    Tables that have no published counterpart, or in which nothing has run, are folded and stand last.
    """
    names = [*PERFORMANCE, *(name for name in runs.experiments if name not in PERFORMANCE)]
    tables = [(performance_table if name in PERFORMANCE else experiment_table)(runs, name)
              for name in names if is_shown(runs, name)]  # fmt: skip
    tables = sorted([*tables, computation_table(runs)], key=lambda table: table.folded)
    found = pictures_of_task(runs.results.settings, runs.task)
    main = main_pictures(runs.results.settings, runs.task, found)
    return Section(runs.task, (), (*same_rows.tables(runs), *plus.tables(runs), *tables),
                   tuple(picture for picture in found if picture not in main), main=tuple(main))  # fmt: skip


def findings_section(every: Sequence[TaskRuns]) -> Section | None:
    """Return what was found of each task that has runs, None where none has."""
    found = tuple(findings.of_task(one) for one in every)
    return Section("Findings", (findings.INTERVALS,), findings=found) if found else None


def by_user_order(results: Results) -> dict[str, Results]:
    """Return the finished runs of the same folder under each order of users, as path.json could have it."""
    settings = results.settings
    return {order: results if order == settings.user_order else
            Results(dataclasses.replace(settings, user_order=order)) for order in USER_ORDERS}  # fmt: skip


def audit_row(task: TaskRuns, protocol: str, order: str | None) -> tuple[Cell, ...]:
    """Return what the leak audit finds for a task under a protocol, beside what was trained in the same split."""
    found = task.audit(protocol)
    ours = next((one for variant in task.variants if variant.protocol == protocol
                 if (one := task.any_evaluation(variant))), None)  # fmt: skip
    has_audit = not math.isnan(found.auc)
    shuffles = (
        (f"± {found.spread:.4f}", f"over {leak_audit.DRAWS} shuffles") if has_audit else ("no audit", NO_INTERVAL)
    )
    shown = [[], []] if ours is None else [[ours], [task.results.label_rate(ours, "user_rate")]]
    return (
        *words(task.task, protocol, order or ""),
        number_cell(found.test_users, COUNT),
        *(auc_cell(evaluations, seeds=False) for evaluations in shown),
        number_cell(found.auc),
        dataclasses.replace(number_cell(found.shuffled), details=shuffles),
        number_cell((found.shuffled - 0.5) / found.standard_error, f"+{MEASURE}"),
    )


def audit_section(results: Results, tasks: Sequence[TaskRuns]) -> Section | None:
    """Return both protocols side by side, each order of users, and what shuffled labels score under each.

    It is about tasks whose fused features are there; None where no task's are.
    """
    tasks = [
        one
        for one in tasks
        if absent.has_run(results.settings, "cross_matrix.py", results.settings.dataset_of(one.task))
    ]
    if not tasks:
        return None
    of_order = by_user_order(results)
    rows = []
    for task, protocol in itertools.product(tasks, PROTOCOLS):
        for order in leak_audit.orders_of(protocol):
            same = order in (None, results.settings.user_order)
            split = task if same else TaskRuns(of_order[str(order)], task.task)
            rows.append(audit_row(split, protocol, order))
    heads = ("task", "protocol", "user order", "test users", "MMa4CTR, all modalities", "click rate of training rows",
             "click rate of the rows that embeddings see", "the same, labels shuffled",
             "its distance from 0.5 in standard errors")  # fmt: skip
    text = (
        "Published user embeddings are computed from all of a user's interactions, test rows included; clean ones from "
        "training rows alone. The least that an embedding carries is the user's click rate over the rows that it sees. "
        "With all labels shuffled nothing can be predicted, so that an honest AUC is 0.5: what lies above it is the "
        "label of the test row itself. benchmarks/null_check.py shows the same for the trained model."
    )
    orders = (
        "The published protocol cuts between users, in one of two orders (user_order of path.json). Seeded: users with "
        "many rows are as likely to be tested on as those with few. Length: users with many rows are trained on and "
        "those with few are tested on, whose click rates carry more of the label of each test row. The published "
        "scripts take users by their first row in an unordered list of all rows, which lies between the two. Cells are "
        "blank where nothing was trained in an order."
    )
    return Section("Leak audit", (text, orders), (Table("Both protocols side by side (AUC)", heads, tuple(rows)),))


def build(results: Results, every: Sequence[TaskRuns]) -> Report:
    """Gather the report of all that has run, and of what has not, for tasks whose data set step 1 has read.

    Raises
    ------
    UserError
        If something has changed since an earlier step ran.
    """
    settings, tasks = results.settings, [one.task for one in every]
    shown = [one for one in every if one.variants or one.others]
    sample = any(provenance.is_sample(settings, settings.dataset_of(task)) for task in tasks)
    datasets = list(dict.fromkeys(map(settings.dataset_of, tasks)))
    sections = (
        findings_section(shown),
        doubts_section(settings, datasets),
        audit_section(results, shown or every),
        reading_section(shown) if shown else None,
        *map(task_section, shown),
        contradictions_section(),
        seed_papers.section(),
        absent.section(absent.sentences(settings, every)),
        data_section(settings, datasets),
        runs_section(results),
        commands_section(results),
        settings_section(settings),
    )
    subtitle = "Click prediction for micro-videos from visual, acoustic and textual content: published figures and ours"
    return Report("MMa4CTR", subtitle, provenance.SAMPLE_WARNING if sample else "", tuple(filter(None, sections)))
