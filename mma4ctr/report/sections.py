"""Gather the report: what was run on what data, every table beside its published figures, leak audit, figures."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from mma4ctr.data.registry import DATASETS, TASKS
from mma4ctr.evaluation import leak_audit
from mma4ctr.grid.experiments import EXPERIMENTS, VARIANTS
from mma4ctr.grid.pool import arguments_of
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.published import tables as published
from mma4ctr.report import baseline_tables, performance_tables, provenance, statistics
from mma4ctr.report.model import Cell, Picture, Report, Section, Table
from mma4ctr.report.tables import BLANK, TaskTables, evaluation_cell, number_cell
from mma4ctr.runs import baselines as baseline_runs
from mma4ctr.runs import folder as runs
from mma4ctr.runs.find import Results
from mma4ctr.settings import DEFAULT_FILE, KEYS, Settings
from mma4ctr.store import records

STEPS = ("preprocess_inter.py", "preprocess_multimodal.py")
PERFORMANCE = tuple(performance_tables.FIGURES)  # the experiments of section 6


def words(*texts: object) -> tuple[Cell, ...]:
    """Return a row of words."""
    return tuple(Cell(str(text)) for text in texts)


def count_rows(settings: Settings, datasets: Iterable[str]) -> Iterable[tuple[Cell, ...]]:
    """Yield a row for every count that steps 1 and 2 printed."""
    for dataset in datasets:
        for script in STEPS:
            for name, value in records.require(settings, script, dataset).counts.items():
                text = ", ".join(f"{v:,} {k}" for k, v in value.items()) if isinstance(value, dict) else value
                yield words(dataset, script, name, text)


def data_section(settings: Settings, tasks: Sequence[str]) -> Section:
    """Return what was run on what data."""
    datasets = list(dict.fromkeys(TASKS[task].dataset for task in tasks))
    counted = Table(
        "What the steps counted", ("data set", "step", "what", "count"), tuple(count_rows(settings, datasets))
    )
    values = {key: getattr(settings, key) for key in KEYS}
    shown = Table(
        "Settings (path.json)", ("key", "value"),
        tuple(words(key, dict(value) if key == "min_interactions" else value) for key, value in values.items()),
    )  # fmt: skip
    used = {**runs.versions(), "system": platform.system()}
    libraries = Table("Versions", ("what", "version"), tuple(words(*pair) for pair in used.items()))
    ratios = Table(
        "Rows without an action for each row with it", ("data set", "action", "here", "published"),
        tuple((*words(dataset, name), *map(number_cell, pair, (",.2f", ",.7g"))) for dataset in datasets
              for name, pair in statistics.ratios_of(settings, dataset).items()),
        "The weighted mean of the ratios of the seven actions and the ratio of the click itself are two things.",
    )  # fmt: skip
    names = (f"{dataset}_{kind}" for dataset in datasets for kind in ("ratios", "users", "items"))
    read_from = [
        f"{dataset}: {provenance.data_name(settings, dataset)}, {settings.raw_folder(dataset)}" for dataset in datasets
    ]
    return Section("The data", tuple(read_from), (counted, ratios, shown, libraries), pictures(settings, names))


# End of a figure's name -> what it shows; the first that fits.
CAPTIONS = {
    "ratios": "rows without an action for each row with it",
    "users": "users by number of interactions",
    "items": "items by times watched",
    "learning_rate": "AUC against learning rate",
    "batch_size": "AUC against batch size",
    "epochs": "AUC against epochs",
    "TrainLoss": "training loss against epochs",
    "ValidLoss": "validation loss against epochs",
    "hidden_UMAP_2D": "UMAP of the hidden layer in two dimensions",
    "hidden_UMAP_3D": "UMAP of the hidden layer in three dimensions",
    "UMAP_2D": "UMAP of what the MLP is given in two dimensions",
    "UMAP_3D": "UMAP of what the MLP is given in three dimensions",
    "10": "ROC curves of every feature after 10 epochs",
    "30": "ROC curves of every feature after 30 epochs",
}


def caption_of(file: Path) -> str:
    """Return what a figure shows, from its name and, where it is of one variant, from its folder's."""
    ending = next(end for end in CAPTIONS if file.stem.endswith(f"_{end}"))
    variants = {f"{variant.protocol}_{variant.reduction}": f", {variant}" for variant in VARIANTS}
    of = next(name for name in (*TASKS, *DATASETS) if file.stem.startswith(f"{name}_"))
    return f"{of}: {CAPTIONS[ending]}{variants.get(file.parent.name, '')}"


def pictures(settings: Settings, names: Iterable[str]) -> tuple[Picture, ...]:
    """Return those of the figures that have been drawn."""
    files = ((settings.saved_path / "figures" / f"{name}.svg") for name in names)
    return tuple(Picture(file, caption_of(file)) for file in files if file.exists())


def task_section(tables: TaskTables) -> Section:
    """Return every table and curve of one task."""
    task, settings = tables.task, tables.results.settings
    experiments = [tables.experiment(name) for name in EXPERIMENTS if name not in PERFORMANCE]
    performance = [performance_tables.performance(tables, name) for name in PERFORMANCE]
    computation = performance_tables.computation(tables)
    figures = settings.saved_path / "figures"
    curves = [f"{task}_{key}" for key in ("epochs", "learning_rate", "batch_size")]
    losses = sorted(file.stem for part in ("Train", "Valid") for file in figures.glob(f"{task}_*_{part}Loss.svg"))
    folders = [folder for folder in sorted(figures.glob("*_*")) if folder.is_dir()]
    views = [str(file.relative_to(figures).with_suffix("")) for folder in folders
             for file in sorted(folder.glob(f"{task}_*.svg"))]  # fmt: skip
    shown = (
        "Our runs with the published protocol and average pooling stand first, beside the difference from the "
        "published figure; the other protocol and PCA reduction have columns of their own.",
    )
    drawn = pictures(settings, [*curves, *losses, *views])
    return Section(f"{task}: the published tables", shown, (*experiments, *performance, computation), drawn)


def audit_section(results: Results, tables: Sequence[TaskTables]) -> Section:
    """Return both protocols side by side, and what shuffled labels score under each."""
    settings, rows = results.settings, []
    for task in tables:
        for protocol in PROTOCOLS:
            found = leak_audit.audit(settings, task.task, protocol)
            ours = next((one for variant in task.variants if variant.protocol == protocol
                         if (one := task.any_evaluation(variant))), None)  # fmt: skip
            rate = BLANK if ours is None else evaluation_cell(results.label_rate(ours, "user_rate"))
            rows.append((
                *words(task.task, protocol), BLANK if ours is None else evaluation_cell(ours), rate,
                number_cell(found.auc),
                Cell(f"{found.shuffled:.4f}", found.shuffled,
                     (f"± {found.spread:.4f} over {leak_audit.DRAWS} shuffles",)),
                number_cell((found.shuffled - 0.5) / found.standard_error, "+.1f"),
            ))  # fmt: skip
    heads = ("task", "protocol", "MMa4CTR vat_concat", "click rate of training rows",
             "click rate of the rows that embeddings see", "the same, labels shuffled",
             "its distance from 0.5 in standard errors")  # fmt: skip
    text = (
        "Published user embeddings are computed from all of a user's interactions, test rows included; clean ones from "
        "training rows alone. The least that an embedding carries is the user's click rate over the rows that it sees. "
        "With all labels shuffled nothing can be predicted, so that an honest AUC is 0.5: what lies above it is the "
        "label of the test row itself. benchmarks/null_check.py shows the same for the trained model."
    )
    return Section("Leak audit", (text,), (Table("Both protocols side by side (AUC)", heads, tuple(rows)),))


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

    rows = tuple(tuple(cell(found.get(column)) for column in runs.COLUMNS) for found in results.metrics)
    return Section("Every run", ("The lines of saved/results.csv.",), (Table("Runs", runs.COLUMNS, rows),))


def commands_of(results: Results) -> tuple[str, ...]:
    """Return the commands that give the report again: the steps, then every run by itself."""
    settings = results.settings
    to = [] if settings.file.resolve() == DEFAULT_FILE else ["--paths", str(settings.file)]
    steps = (*STEPS, *(f"get_user_embedding.py --protocol {protocol}" for protocol in PROTOCOLS), "cross_matrix.py",
             "gen_matrix.py", "adjust_hyperparameter.py", "statis_and_draw.py", "viewer.py")  # fmt: skip
    found = [trajectory for group in results.by_key.values() for trajectory in group]
    return (
        *(f"python {script} {shlex.join(to)}".strip() for script in steps),
        *(shlex.join(["python", "mlp.py", *arguments_of(settings, trajectory.config)]) for trajectory in found),
        *(shlex.join(["python", "baseline/comp.py", *to, *words]) for words in baseline_runs.commands(results)),
    )


def build(settings: Settings, tasks: Sequence[str] = tuple(TASKS)) -> Report:
    """Gather the report of all that has run.

    Raises
    ------
    UserError
        If an earlier step has not run.
    """
    results = Results(settings)
    every = [TaskTables(results, task) for task in tasks]
    tables = [table for table in every if table.variants]
    sample = any(provenance.data_name(settings, TASKS[task].dataset) == "sample data" for task in tasks)
    sections = (
        data_section(settings, tasks),
        *map(task_section, tables),
        *filter(None, map(baseline_tables.section, every)),
        audit_section(results, tables or every),
        contradictions_section(),
        runs_section(results),
        Section("Commands", ("What was typed, or would have to be, to get these figures.",),
                commands=commands_of(results)),
    )  # fmt: skip
    subtitle = "Click prediction for micro-videos from visual, acoustic and textual content: published figures and ours"
    return Report("MMa4CTR", subtitle, provenance.SAMPLE_WARNING if sample else "", sections)
