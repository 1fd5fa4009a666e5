"""The figures of the HyperCTR paper (He et al., 2021), and where they contradict one another or what they are called.

`hyperctr.csv` holds its tables 1, 3 and 4, a row for each cell, with the digits that are printed, and what BARS, a
benchmark with labels that were observed, reports on two of the same logs. A cell that is blank there has no value here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError

FILE = Path(__file__).with_name("hyperctr.csv")
COLUMNS = ("table", "data", "model", "figure", "value")
MODEL, WHOLE, IMPROVEMENT = "HyperCTR", "multi-modal", "improvement"
DATA = ("Kuaishou", "MV1.7M", "MovieLens")
SAMPLED = 1000  # unobserved items beside each click of the test
# The better of two figures of a kind.
BEST: dict[str, Callable] = {"auc": max, "logloss": min}

Figures = dict[tuple[str, str, str, str], float]  # (table, data, model, figure) -> value


def load() -> pl.DataFrame:
    """Return the figures, a row for each cell, in the order in which they are printed.

    Returns
    -------
    polars.DataFrame
        table, data, model : String; the model is null in table 1, the table is BARS for what is not the paper's
        figure : String; auc, logloss, items, users, interactions or sparsity (per cent)
        value : Float64, null where the cell is blank
        printed : String, the digits as they are printed, null where the cell is blank

    Raises
    ------
    UserError
        If hyperctr.csv is not as it was delivered.
    """
    try:
        cells = pl.read_csv(FILE, infer_schema=False)
        if tuple(cells.columns) == COLUMNS:
            return cells.with_columns(pl.col("value").cast(pl.Float64), printed=pl.col("value"))
        reason = f"found the columns {', '.join(cells.columns)}, expected {', '.join(COLUMNS)}"
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = f"cannot be read ({str(error).splitlines()[0]:.80})"
    raise UserError(f"{FILE}: {reason}; restore it from the repository")


def figures() -> Figures:
    """Return every figure that is not blank, by table, data, model and kind."""
    cells = load().drop_nulls("value").with_columns(pl.col("model").fill_null(""))
    return {row[:4]: row[4] for row in cells.select(COLUMNS).iter_rows()}


def sparsity_of(found: Figures, data: str) -> float:
    """Return the share of pairs without an interaction, in per cent, that follows from the counts of table 1."""
    items, users, interactions = (found["1", data, "", name] for name in ("items", "users", "interactions"))
    return 100 * (1 - interactions / (items * users))


def improvement_of(found: Figures, data: str, figure: str) -> float:
    """Return by how many per cent HyperCTR is better than the best of the others in table 3."""
    others = [value for (table, of, model, name), value in found.items()
              if (table, of, name) == ("3", data, figure) and model not in (MODEL, IMPROVEMENT)]  # fmt: skip
    best = BEST[figure](others)
    return 100 * abs(found["3", data, MODEL, figure] - best) / best


def base_rate_logloss(negatives: int) -> float:
    """Return the LogLoss of knowing nothing but the click rate, with so many other rows for each click."""
    rate = 1 / (1 + negatives)
    return -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))


def inconsistencies() -> list[str]:
    """Return what does not fit together in the paper, each as a sentence with the figures that show it."""
    found, said = figures(), []
    for data in DATA:
        printed = found.get(("1", data, "", "sparsity"))
        if printed is not None and abs(printed - sparsity_of(found, data)) > 0.01:
            said.append(f"Table 1 gives {data} a sparsity of {printed:.2f} %; its counts give "
                        f"{sparsity_of(found, data):.2f} %.")  # fmt: skip
        for figure in BEST:
            improvement = found["3", data, IMPROVEMENT, figure]
            if abs(improvement - improvement_of(found, data, figure)) > 0.01:
                said.append(f"Table 3 prints an improvement of {improvement:.2f} % in {figure} on {data}; its figures "
                            f"give {improvement_of(found, data, figure):.3f} %.")  # fmt: skip
        single = {model: found["4", data, model, "logloss"] for model in ("visual", "acoustic", "textual")
                  if ("4", data, model, "logloss") in found}  # fmt: skip
        whole = found["4", data, WHOLE, "logloss"]
        if whole > max(single.values()):
            said.append(f"On {data} the LogLoss of all modalities, {whole:.4f}, is worse than that of each single one "
                        f"({', '.join(f'{model} {value:.4f}' for model, value in single.items())}).")  # fmt: skip
    of_models = {key: value for key, value in found.items() if key[0] == "3" and key[2] != IMPROVEMENT}
    largest = max(value for key, value in of_models.items() if key[-1] == "auc")
    if largest <= 1:
        said.append(f'Tables 3 and 4 are titled "in %", but print fractions: the largest AUC is {largest:.4f}.')
    least = min(value for key, value in of_models.items() if key[-1] == "logloss")
    if least > base_rate_logloss(SAMPLED):
        said.append(f"The test is said to set each click against {SAMPLED:,} other items. Knowing the click rate alone "
                    f"gives a LogLoss of {base_rate_logloss(SAMPLED):.3f} there; the lowest that is printed is "
                    f"{least:.4f}, so that it is of another test.")  # fmt: skip
    return said
