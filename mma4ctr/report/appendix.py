"""The end of the report: contradictions within the publication, settings, versions, every run, and commands."""

from __future__ import annotations

import dataclasses
import platform
import shlex
from collections.abc import Mapping
from typing import Any

from mma4ctr.evaluation.calibration import NAME as CALIBRATED
from mma4ctr.evaluation.metrics import FIGURES
from mma4ctr.grid.results import Results
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.published import tables as published
from mma4ctr.report.cells import BLANK, COUNT, DOUBTFUL, MEASURE, SCORE, number_cell, words
from mma4ctr.report.model import Cell, Section, Table
from mma4ctr.runs import folder as runs_folder
from mma4ctr.runs import tested
from mma4ctr.runs.run import words_of
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

STEPS = ("preprocess_inter.py", "preprocess_multimodal.py")
RUN_COLUMNS = ("task", "protocol", "feature", "model", "seed", "epochs")  # beside the run and what it scored
SECONDS = {"train_seconds": "training (s)", "test_seconds": "test (s)"}


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
        "Same settings, different AUC", ("task", "model", "epochs", "tables and values", "range"), tuple(rows),
        folded=True,
    )  # fmt: skip
    text = (
        f"The published tables give {len(rows)} AUCs twice or more, with different values. Here all of them are shown."
    )
    return Section("Where the published tables contradict one another", (text,), (table,))


def settings_section(settings: Settings) -> Section:
    """Return the settings and the versions of what computed."""
    shown = Table(
        "Settings (path.json)", ("key", "value"),
        tuple(words(key, value) for key, value in settings.by_key().items()),
    )  # fmt: skip
    used = {**runs_folder.versions(), "system": platform.system()}
    libraries = Table("Versions", ("what", "version"), tuple(words(*pair) for pair in used.items()))
    return Section("Settings and versions", (), (shown, libraries))


def text_of(column: str, value: object) -> str:
    """Return a value of results.csv by the rule of decimals: settings as they were given, nothing for None."""
    forms = dict.fromkeys((*(figure.name for figure in FIGURES), CALIBRATED), SCORE) | dict.fromkeys(SECONDS, MEASURE)
    if value is None or not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:{forms.get(column, 'g')}}"


def setting_cell(column: str, value: Any) -> Cell:
    """Return what a run was set to, sorted by value where it is a whole number."""
    return Cell(text_of(column, value), value if isinstance(value, int) else None)


def run_row(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return one run: what it trained, what it scored, and on demand all else that results.csv has of it."""
    line: dict[str, Any] = runs_folder.line_of(found)
    apart = {"run", *RUN_COLUMNS, "auc", "auc_low", "auc_high", "logloss", *SECONDS}
    others = [f"{column}: {text}" for column in runs_folder.COLUMNS
              if column not in apart and (text := text_of(column, line[column]))]  # fmt: skip
    interval = f"[{text_of('auc_low', line['auc_low'])}, {text_of('auc_high', line['auc_high'])}]"
    auc = number_cell(line["auc"])
    return (
        Cell(str(line["run"]), None, ("all settings", *others), DOUBTFUL if line["remarks"] else ""),
        *(setting_cell(column, line[column]) for column in RUN_COLUMNS),
        auc if auc == BLANK else dataclasses.replace(auc, details=(interval,)),
        number_cell(line["logloss"]),
        *(number_cell(line[column], MEASURE) for column in SECONDS),
    )


def runs_section(results: Results) -> Section:
    """Return every finished run, as results.csv has it."""
    heads = ("run", *RUN_COLUMNS, "AUC", "LogLoss", *SECONDS.values())
    rows = tuple(run_row(found) for found in results.metrics)
    return Section("Every run", ("The lines of saved/results.csv.",),
                   (Table(f"{len(rows):{COUNT}} runs", heads, rows, folded=True),))  # fmt: skip


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


def commands_section(results: Results) -> Section:
    """Return the commands that give the report again."""
    said = ("What was typed, or would have to be, to get these figures.",)
    return Section("Commands", said, commands=commands_of(results))
