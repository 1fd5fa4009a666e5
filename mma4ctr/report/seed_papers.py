"""What the HyperCTR paper prints of the models that the package has, too: other data and another test than ours."""

from __future__ import annotations

from collections.abc import Sequence

from mma4ctr.published import hyperctr
from mma4ctr.report.cells import BLANK, words
from mma4ctr.report.model import Cell, Section, Table

FIGURES = {"auc": "AUC", "logloss": "LogLoss"}
TITLES = {"3": "Table 3 of the HyperCTR paper: models", "4": "Table 4 of the HyperCTR paper: modalities and hypergraph"}
NOTE = (
    "NOT comparable with anything here: other logs, a random split instead of one by time, negatives that were sampled "
    "instead of rows that were shown, and no code that is public."
)
BARS = (
    "On labels that were observed, BARS reports lower figures for the same logs: {}. Where a model draws its negatives "
    "at random among all items, they are easy to tell from clicks."
)
DICE = (
    "RecBole 1.2.1's Dice is SiLU without parameters, so that its DIN is not the paper's; the package's own din has "
    "Dice as published."
)


def _cell(printed: str | None) -> Cell:
    return BLANK if printed is None else Cell(printed, float(printed))


def table_of(number: str, rows: Sequence[dict]) -> Table:
    """Return one of the paper's tables: a row for each model, two columns for each data set."""
    printed = {(row["data"], row["model"], row["figure"]): row["printed"] for row in rows if row["table"] == number}
    models = dict.fromkeys(model for _, model, _ in printed)
    columns = [(data, figure) for data in hyperctr.DATA for figure in FIGURES]
    return Table(
        TITLES[number],
        ("model", *(f"{data}, {FIGURES[figure]}" for data, figure in columns)),
        tuple((*words(model), *(_cell(printed.get((data, model, figure))) for data, figure in columns))
              for model in models),
        folded=True,
    )  # fmt: skip


def section() -> Section:
    """Return the figures that the HyperCTR paper prints, and what does not fit together in them."""
    rows = hyperctr.load().to_dicts()
    bars = "; ".join(f"{row['model']} {row['printed']} on {row['data']}" for row in rows if row["table"] == "BARS")
    paragraphs = (
        NOTE,
        BARS.format(bars),
        DICE,
        "What does not fit together in the paper:",
        *hyperctr.inconsistencies(),
    )
    return Section("What the HyperCTR paper prints", paragraphs, tuple(table_of(number, rows) for number in TITLES))
