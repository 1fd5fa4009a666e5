"""The computational comparison: seconds and parameters of every model, published and ours."""

from __future__ import annotations

import dataclasses

from mma4ctr.protocol import PROTOCOLS
from mma4ctr.published import tables as published
from mma4ctr.report.builder import Column, Row, build, label_column, published_column
from mma4ctr.report.cells import BLANK, COUNT, MEASURE, number_cell, published_cell
from mma4ctr.report.model import Cell, Table
from mma4ctr.report.sources import Ours, TaskRuns
from mma4ctr.report.tables import first, models_of

COMPUTATION_NOTE = (
    "Published on one NVIDIA GeForce RTX 3090; for how many epochs is not printed. Ours: all training epochs, without "
    "reading the input, and one pass over the test rows with AUC and LogLoss, on this machine and data. Machines "
    "differ, so that each model is set against MMa4CTR below its seconds: published seconds against published ones; "
    "ours, an epoch against an epoch of MMa4CTR on the rows of the clean protocol, which baseline/comp.py timed in the "
    "same process on the same device. @watched: the published setting, which is another task with other rows."
)


def with_ratio(cell: Cell, ratio: float | None) -> Cell:
    """Return seconds with how many times MMa4CTR's they are below them."""
    return cell if ratio is None else dataclasses.replace(cell, details=(f"{ratio:.2f} × MMa4CTR",))


def published_seconds(number: str | None, what: str, figure: str) -> Column:
    """Return the column of published seconds, beside MMa4CTR's."""

    def cell(row: Row) -> Cell:
        here, base = (published_cell(number, "", None, model, figure) for model in (row.model, published.MODEL))
        if here.value is None or base.value is None:
            return here
        return with_ratio(here, here.value / base.value)

    return Column(f"{what}, published", cell)


def reference_of(row: Row) -> dict[str, float]:
    """Return the seconds of an epoch and of a test of MMa4CTR that a row is set against: its own row says 1."""
    if row.model != published.MODEL:
        return row.metrics.get("mma4ctr") or {}
    metrics = row.metrics
    return {"epoch_seconds": metrics["train_seconds"] / metrics["epochs_run"], "test_seconds": metrics["test_seconds"]}


def training_cell(row: Row) -> Cell:
    """Return our seconds of training, an epoch of them set against an epoch of MMa4CTR."""
    if not row.metrics:
        return BLANK
    seconds, reference = row.metrics["train_seconds"], reference_of(row)
    ratio = seconds / row.metrics["epochs_run"] / reference["epoch_seconds"] if reference else None
    return with_ratio(number_cell(seconds, MEASURE), ratio)


def test_cell(row: Row) -> Cell:
    """Return our seconds of test, set against MMa4CTR's."""
    if not row.metrics:
        return BLANK
    seconds, reference = row.metrics["test_seconds"], reference_of(row)
    return with_ratio(number_cell(seconds, MEASURE), seconds / reference["test_seconds"] if reference else None)


def epochs_cell(row: Row) -> Cell:
    """Return for how many epochs the longest run was trained."""
    epochs = row.metrics.get("epochs_run")
    return BLANK if epochs is None else Cell(str(epochs), epochs)


def rows_of(runs: TaskRuns, number: str | None) -> list[Row]:
    """Return MMa4CTR and every other model, two rows for one that has run under both protocols."""
    trained = [Ours(runs, variant, runs.adaptive) for variant in runs.variants if runs.longest_run(variant) is not None]
    rows = [Row(Cell(published.MODEL), None, {None: trained[0]} if trained else {})]
    for model, native in models_of(runs, number):
        same = [one for one in runs.others if (one.model, one.native) == (model, native)]
        # The clean protocol first: what is published was measured in the published setting.
        found = [first([one for one in same if one.protocol == protocol]) for protocol in reversed(PROTOCOLS)]
        ran = [Row(Cell(one.name, None, one.remarks), None, {None: one}, model) for one in found if one is not None]
        rows += ran or [Row(Cell(model), None, {}, model)]
    return rows


def computation_table(runs: TaskRuns) -> Table:
    """Return seconds and parameters, published and ours."""
    number = None if runs.subsection is None else f"6.{runs.subsection} computation"
    columns = [
        label_column("model"),
        published_seconds(number, "training (s)", "train_seconds"),
        published_seconds(number, "test (s)", "test_seconds"),
        published_column("parameters, published", number, "parameters"),
        Column(f"epochs, {runs.ours}", epochs_cell),
        Column(f"training (s), {runs.ours}", training_cell),
        Column(f"test (s), {runs.ours}", test_cell),
        Column(f"parameters, {runs.ours}", lambda row: number_cell(row.metrics.get("parameters"), COUNT)),
    ]
    title = f"{runs.task}, {number or 'computation (no published table)'}"
    table = build(title, columns, rows_of(runs, number))
    return dataclasses.replace(table, folded=number is None)
