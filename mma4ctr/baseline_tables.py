"""The baselines beside MMa4CTR on the same rows, and the published setting, which is another task."""

from __future__ import annotations

from collections.abc import Iterable

from mma4ctr import artifacts, records, runs
from mma4ctr.cli import UserError
from mma4ctr.comparison import summarise
from mma4ctr.experiment_tables import BLANK, TaskTables, auc_cell, number_cell, published_cell
from mma4ctr.experiments import ADAPTIVE, EXPERIMENTS
from mma4ctr.report_model import Cell, Section, Table
from mma4ctr.results import FIGURES, Evaluation
from mma4ctr.tables import TASKS

HEADS = ("model", "epochs", "AUC", "LogLoss", "LogLoss, calibrated", "AUC, seen users and items", "training (s)",
         "training, MMa4CTR = 1", "test (s)", "parameters")  # fmt: skip
SAME_ROWS = (
    "Every model was trained and tested on the rows, labels and split of MMa4CTR's clean protocol, for the fused "
    "features. LogLoss clips scores that are no probabilities; calibrated, they went through Platt's scaling on the "
    "validation rows. Seconds are those of the whole run, of one machine."
)
WATCHED = (
    "NOT comparable with MMa4CTR: here the baselines tell watched videos from sampled unwatched ones, on a random "
    "split, as the published interaction files suggest that they did. It shows where the published figures come from."
)


def is_current(tables: TaskTables, config: dict) -> bool:
    """Tell whether a run stands on the artefacts as they are now."""
    dataset = TASKS[tables.task].dataset
    try:
        now = {step: records.require(tables.results.paths, step, dataset).id for step in config["built_on"]}
    except UserError:
        return False
    return now == config["built_on"]


def baseline_runs(tables: TaskTables, setting: str) -> list[dict]:
    """Return the metrics, with history and configuration, of the finished baselines of a task in one setting."""
    found, paths = [], tables.results.paths
    for content in tables.results.metrics:
        if content.get("baseline") and (content["task"], content["protocol"]) == (tables.task, setting):
            folder = runs.folder_of(paths, content["run"])
            config, history = (artifacts.read_json(folder / f"{name}.json", "python baseline/comp.py")
                               for name in ("config", "history"))  # fmt: skip
            if is_current(tables, config):
                found.append({**content, "config": config, "history": history, "folder": folder})
    return found


def by_setting(found: Iterable[dict]) -> dict[tuple, list[tuple[dict, dict]]]:
    """Group runs that differ in their seed alone: name, epochs and options -> run and its entry of the history."""
    groups: dict[tuple, list[tuple[dict, dict]]] = {}
    for run in found:
        negatives = f" ({run['negatives']} negatives)" if run["negatives"] == "observed" else ""
        for entry in run["history"]:
            if "test_auc" in entry:
                key = (run["baseline"] + negatives, entry["epoch"], records.identity(run["config"]["options"]))
                groups.setdefault(key, []).append((run, entry))
    return groups


def mean_cell(entries: list[dict], name: str) -> Cell:
    """Return the mean of a figure over seeds, blank where there is none."""
    values = [entry[name] for entry in entries if entry.get(name) is not None]
    return number_cell(sum(values) / len(values)) if values else BLANK


def baseline_row(name: str, epochs: int, group: list[tuple[dict, dict]], ours: dict | None) -> tuple[Cell, ...]:
    """Return the row of one baseline after so many epochs."""
    entries = [entry for _, entry in group]
    evaluations = [
        Evaluation(run["run"], run["folder"], epochs, {figure: entry[f"test_{figure}"] for figure in FIGURES}, "")
        for run, entry in group
    ]
    run = group[0][0]
    relative = run["train_seconds"] / run["epochs_run"] / (ours["train_seconds"] / ours["epochs_run"]) if ours else None
    return (
        Cell(name), Cell(str(epochs), epochs), auc_cell(evaluations), mean_cell(entries, "test_logloss"),
        mean_cell(entries, "test_logloss_calibrated"), mean_cell(entries, "test_auc_seen"),
        number_cell(run["train_seconds"], ".1f"), BLANK if relative is None else number_cell(relative, ".1f"),
        number_cell(entries[0]["test_test_seconds"], ".2f"), number_cell(run["parameters"], ","),
    )  # fmt: skip


def our_rows(tables: TaskTables) -> tuple[list[tuple[Cell, ...]], dict | None]:
    """Return MMa4CTR's rows on the same rows, and the metrics of its longest run."""
    rows, longest = [], None
    for variant in tables.variants:
        trained = tables.longest_run(variant) if variant.protocol == "clean" else None
        if trained is None:
            continue
        longest = longest or trained.metrics
        for epochs in EXPERIMENTS["performance"].epochs:
            found = tables.evaluations(variant, ADAPTIVE, epochs)
            if found:
                run = trained.metrics
                rows.append((
                    Cell(f"MMa4CTR ({variant.reduction})"), Cell(str(epochs), epochs), auc_cell(found),
                    number_cell(summarise(found).logloss), BLANK, BLANK, number_cell(run["train_seconds"], ".1f"),
                    number_cell(1, ".1f"), number_cell(run["test_seconds"], ".2f"), number_cell(run["parameters"], ","),
                ))  # fmt: skip
    return rows, longest


def label_rate_rows(tables: TaskTables, group: list[tuple[dict, dict]]) -> list[tuple[Cell, ...]]:
    """Return a row for each label-rate predictor on the same rows."""
    rates = {name: runs.read_metrics(tables.results.paths, run) for name, run in group[0][0]["label_rates"].items()}
    return [
        (Cell(name), BLANK, Cell(f"{found['auc']:.4f}", found["auc"], (
            f"[{found['auc_low']:.4f}, {found['auc_high']:.4f}]", f"AP {found['average_precision']:.4f}",
            f"{found['test_positives']:,} positives")),
         number_cell(found["logloss"]), *(BLANK,) * (len(HEADS) - 4))
        for name, found in rates.items()
    ]  # fmt: skip


def watched_table(tables: TaskTables, groups: dict[tuple, list[tuple[dict, dict]]]) -> Table:
    """Return the baselines in the published setting beside the published figures."""
    number = EXPERIMENTS["performance"].number(tables.task)
    rows = []
    for (name, epochs, _), group in sorted(groups.items()):
        row = baseline_row(name, epochs, group, None)
        printed = [published_cell(number, "", epochs, group[0][0]["baseline"], figure) for figure in ("auc", "logloss")]
        rows.append((*row[:2], printed[0], row[2], printed[1], row[3]))
    heads = (
        "model",
        "epochs",
        "AUC, published",
        f"AUC, {tables.ours}",
        "LogLoss, published",
        f"LogLoss, {tables.ours}",
    )
    return Table("The published setting: watched against sampled unwatched videos", heads, tuple(rows), WATCHED)


def section(tables: TaskTables) -> Section | None:
    """Return the baselines of one task, None where none has run."""
    clean, watched = (by_setting(baseline_runs(tables, setting)) for setting in ("clean", "published"))
    shown = []
    if clean:
        mine, longest = our_rows(tables)
        rows = [baseline_row(name, epochs, group, longest) for (name, epochs, _), group in sorted(clean.items())]
        rows += label_rate_rows(tables, next(iter(clean.values())))
        shown.append(Table(f"Baselines on the same rows ({tables.ours})", HEADS, (*mine, *rows), SAME_ROWS))
    if watched:
        shown.append(watched_table(tables, watched))
    return Section(f"{tables.task}: baselines", (), tuple(shown)) if shown else None
