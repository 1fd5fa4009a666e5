"""Gather the report: what was run on what data, every table beside its published figures, leak audit, figures."""

from __future__ import annotations

import dataclasses
import itertools
import math
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mma4ctr import cli
from mma4ctr.evaluation import leak_audit
from mma4ctr.grid.experiments import VARIANTS
from mma4ctr.grid.results import Results
from mma4ctr.protocol import PROTOCOLS, USER_ORDERS
from mma4ctr.published import tables as published
from mma4ctr.report import absent, drawings, provenance, same_rows, seed_papers, statistics
from mma4ctr.report.cells import BLANK, NO_INTERVAL, auc_cell, number_cell, words
from mma4ctr.report.computation import computation_table
from mma4ctr.report.curves import TASK_FIGURES
from mma4ctr.report.datasets import DATASET_FIGURES
from mma4ctr.report.model import Cell, Picture, Report, Section, Table
from mma4ctr.report.sources import PERFORMANCE, TaskRuns
from mma4ctr.report.tables import experiment_table, performance_table
from mma4ctr.runs import folder as runs_folder
from mma4ctr.runs import tested
from mma4ctr.runs.run import words_of
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, records

STEPS = ("preprocess_inter.py", "preprocess_multimodal.py")


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
    shown = Table(
        "Settings (path.json)", ("key", "value"),
        tuple(words(key, value) for key, value in settings.by_key().items()),
    )  # fmt: skip
    used = {**runs_folder.versions(), "system": platform.system()}
    libraries = Table("Versions", ("what", "version"), tuple(words(*pair) for pair in used.items()))
    ratios = Table(
        "Rows without an action for each row with it", ("data set", "action", "here", "published"),
        tuple((*words(dataset, name), *map(number_cell, pair, (",.2f", ",.7g"))) for dataset in datasets
              for name, pair in statistics.ratios_of(settings, dataset).items()),
        "The weighted mean of the ratios of the seven actions and the ratio of the click itself are two things.",
    )  # fmt: skip
    captions = {f"{dataset}_{name}": f"{dataset}: {drawn.caption}"
                for dataset in datasets for name, drawn in DATASET_FIGURES.items()}  # fmt: skip
    read_from = [
        f"{dataset}: {provenance.data_name(settings, dataset)}, {settings.raw_folder(dataset)}" for dataset in datasets
    ]
    return Section("The data", tuple(read_from), (counted, ratios, shown, libraries),
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


def pictures(folder: Path, captions: Mapping[str, str]) -> list[Picture]:
    """Return those figures of a folder that have been drawn, by what their names look like."""
    return [Picture(file, caption) for name, caption in captions.items() for file in sorted(folder.glob(f"{name}.svg"))]


def pictures_of_task(settings: Settings, task: str) -> list[Picture]:
    """Return the curves of a task, then what was drawn of each variant."""
    curves_of = {name.format(task=task, epochs="*"): f"{task}: {one.caption}" for name, one in TASK_FIGURES.items()}
    found = pictures(settings.saved_path / "figures", curves_of)
    for folder, variant in sorted((drawings.folder_of(settings, variant), variant) for variant in VARIANTS):
        of_variant = {f"{task}_{name}": f"{task}: {caption}, {variant}" for name, caption in drawings.CAPTIONS.items()}
        found += pictures(folder, of_variant)
    return found


def task_section(runs: TaskRuns) -> Section:
    """Return every table and curve of one task."""
    task, settings = runs.task, runs.results.settings
    found = (
        *(experiment_table(runs, name) for name in runs.experiments if name not in PERFORMANCE),
        *(performance_table(runs, name) for name in PERFORMANCE),
        computation_table(runs),
    )
    shown = (
        "Our runs with the published protocol and average pooling stand first, beside the difference from the "
        "published figure; the other protocol and PCA reduction have columns of their own.",
        f"The published protocol cuts between users in the order {settings.user_order} (user_order of path.json); of "
        "runs in another order, the leak audit and the list of every run alone have figures.",
    )
    return Section(f"{task}: the published tables", shown, found, tuple(pictures_of_task(settings, task)))


def by_user_order(results: Results) -> dict[str, Results]:
    """Return the finished runs of the same folder under each order of users, as path.json could have it."""
    settings = results.settings
    return {order: results if order == settings.user_order else
            Results(dataclasses.replace(settings, user_order=order)) for order in USER_ORDERS}  # fmt: skip


def audit_row(task: TaskRuns, protocol: str, order: str | None) -> tuple[Cell, ...]:
    """Return what the leak audit finds for a task under a protocol, beside what was trained in the same split."""
    found = leak_audit.audit(task.results.settings, task.task, protocol)
    ours = next((one for variant in task.variants if variant.protocol == protocol
                 if (one := task.any_evaluation(variant))), None)  # fmt: skip
    has_audit = not math.isnan(found.auc)
    shuffles = (f"± {found.spread:.4f} over {leak_audit.DRAWS} shuffles",) if has_audit else (NO_INTERVAL,)
    shown = [[], []] if ours is None else [[ours], [task.results.label_rate(ours, "user_rate")]]
    return (
        *words(task.task, protocol, order or ""),
        number_cell(found.test_users, ","),
        *(auc_cell(evaluations, seeds=False) for evaluations in shown),
        number_cell(found.auc),
        dataclasses.replace(number_cell(found.shuffled), details=shuffles),
        number_cell((found.shuffled - 0.5) / found.standard_error, "+.1f"),
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


def contradictions_section() -> Section:
    """Return where the published tables contradict one another."""
    found = published.contradictions()
    rows = []
    for row in found.iter_rows(named=True):
        values = [float(value) for value in row["printed"]]
        given = "; ".join(f"{table}: {value:.4f}" for table, value in zip(row["tables"], values, strict=True))
        epochs = Cell(str(row["epochs"]), row["epochs"])
        rows.append((*words(row["task"], row["model"]), epochs, Cell(given), number_cell(max(values) - min(values))))
    table = Table(
        "Same settings, different AUC", ("task", "model", "epochs", "tables and values", "range"), tuple(rows)
    )
    text = (
        f"The published tables give {len(rows)} AUCs twice or more, with different values. Here all of them are shown."
    )
    return Section("Where the published tables contradict one another", (text,), (table,))


def runs_section(results: Results) -> Section:
    """Return every finished run, as results.csv has it."""

    def cell(value: object) -> Cell:
        if isinstance(value, float):
            return number_cell(value, ".4g")
        return BLANK if value is None else Cell(str(value), value if isinstance(value, int) else None)

    lines = map(runs_folder.line_of, results.metrics)
    rows = tuple(tuple(cell(line[column]) for column in runs_folder.COLUMNS) for line in lines)
    return Section("Every run", ("The lines of saved/results.csv.",), (Table("Runs", runs_folder.COLUMNS, rows),))


def commands_of(results: Results) -> tuple[str, ...]:
    """Return the commands that give the report again: the steps, then every run by itself."""
    settings = results.settings
    to = artifacts.to_settings(settings)
    steps = (*STEPS, *(f"get_user_embedding.py --protocol {protocol}" for protocol in PROTOCOLS), "cross_matrix.py",
             "gen_matrix.py", "adjust_hyperparameter.py", "statis_and_draw.py", "viewer.py")  # fmt: skip
    found = [*(run for group in results.by_key.values() for run in group), *tested.load(results, native=True)]
    return (
        *(f"python {script} {shlex.join(to)}".strip() for script in steps),
        *(shlex.join(["python", "mlp.py", *words_of(settings, run.config)]) for run in found),
        *(shlex.join(["python", "baseline/comp.py", *to, *words]) for words in tested.commands(results)),
    )


def build(results: Results, every: Sequence[TaskRuns]) -> Report:
    """Gather the report of all that has run, and of what has not, for tasks whose data set step 1 has read.

    Raises
    ------
    UserError
        If something has changed since an earlier step ran.
    """
    settings, tasks = results.settings, [one.task for one in every]
    shown = [one for one in every if one.variants]
    sample = any(provenance.data_name(settings, settings.dataset_of(task)) == "sample data" for task in tasks)
    datasets = list(dict.fromkeys(map(settings.dataset_of, tasks)))
    sections = (
        doubts_section(settings, datasets),
        absent.section(absent.sentences(settings, every)),
        data_section(settings, datasets),
        *map(task_section, shown),
        *map(same_rows.section, every),
        audit_section(results, shown or every),
        contradictions_section(),
        seed_papers.section(),
        runs_section(results),
        Section("Commands", ("What was typed, or would have to be, to get these figures.",),
                commands=commands_of(results)),
    )  # fmt: skip
    subtitle = "Click prediction for micro-videos from visual, acoustic and textual content: published figures and ours"
    return Report("MMa4CTR", subtitle, provenance.SAMPLE_WARNING if sample else "", tuple(filter(None, sections)))
