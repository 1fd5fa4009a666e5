"""Every result table of the published description, and where these tables contradict one another.

`tables.csv` holds the tables 4.1.1 to 5.2.6 and the three of 6.1 and of 6.2 (which have no numbers; their names are
ours), a row for each cell, with the digits that are printed. A cell that is blank there has no value here.
"""

from __future__ import annotations

import functools
import itertools
from decimal import Decimal
from pathlib import Path

import polars as pl

from mma4ctr.cli import UserError

FILE = Path(__file__).with_name("tables.csv")
COLUMNS = ("table", "task", "model", "setting", "epochs", "figure", "value")
MODEL = "MMa4CTR"
# Key of a setting -> its type, and what it is in every table that does not vary it. The published text counts the
# device in the length of a user embedding (22); path.json, table 5.1.5 and table 5.2.5 do not (21).
DEFAULTS = {
    "learning_rate": (pl.Float64, 0.001),
    "batch_size": (pl.Int64, 8192),
    "feature": (pl.String, "vat_concat"),
    "user_embedding_length": (pl.Int64, 21),
}
# Section -> whether MMa4CTR ran with validation interruption and halving of the learning rate. Tables 5.x.6 vary it.
INTERRUPTION_AND_HALVING = {"4": "without", "5": "with", "6": "with"}
CONFIGURATION = (*DEFAULTS, "interruption_and_halving")


def load() -> pl.DataFrame:
    """Return the published tables, a row for each cell, in the order in which they are printed.

    Returns
    -------
    polars.DataFrame
        table, task, model : String
        setting : String, what the row of the table varies beside the epochs, as ``key=value``; empty where nothing is
        epochs : Int64, null in the tables of times and parameters
        figure : String; auc, logloss, train_seconds, test_seconds or parameters
        value : Float64, null where the cell is blank
        printed : String, the digits as they are printed (thousands separators left out), null where the cell is blank

    Raises
    ------
    UserError
        If tables.csv is not as it was delivered.
    """
    try:
        cells = pl.read_csv(FILE, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{FILE}: cannot be read ({error!s:.80}); restore it from the repository") from None
    if tuple(cells.columns) != COLUMNS:
        raise UserError(
            f"{FILE}: found the columns {', '.join(cells.columns)}, expected {', '.join(COLUMNS)}; restore it from the "
            "repository"
        )
    try:
        return cells.with_columns(
            pl.col("setting").fill_null(""),
            pl.col("epochs").cast(pl.Int64),
            pl.col("value").cast(pl.Float64),
            printed=pl.col("value"),
        )
    except pl.exceptions.InvalidOperationError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{FILE}: not a number ({reason:.120}); restore it from the repository") from None


def configurations() -> pl.DataFrame:
    """Return `load` with the full configuration of each row of MMa4CTR.

    Returns
    -------
    polars.DataFrame
        The columns of `load` and those of `CONFIGURATION`, which are null for the baselines.
    """
    settings = [
        pl.col("setting").str.extract(f"^{key}=(.+)$").cast(dtype).fill_null(default).alias(key)
        for key, (dtype, default) in DEFAULTS.items()
    ]
    interruption = (
        pl.col("setting")
        .str.extract("^interruption_and_halving=(.+)$")
        .fill_null(pl.col("table").str.head(1).replace_strict(INTERRUPTION_AND_HALVING))
        .alias("interruption_and_halving")
    )
    ours = pl.col("model") == MODEL
    return load().with_columns(pl.when(ours).then(column) for column in (*settings, interruption))


def disagree(printed: list[str]) -> bool:
    """Return whether two of the numbers differ after rounding to the fewer decimals of the two."""
    pairs = itertools.combinations(map(Decimal, printed), 2)
    return any(
        one.quantize(coarser) != other.quantize(coarser)
        for one, other in pairs
        for coarser in [max(one, other, key=lambda number: number.as_tuple().exponent)]
    )


def contradictions() -> pl.DataFrame:
    """Return what the published tables give different values for.

    Returns
    -------
    polars.DataFrame
        task, model, the columns of `CONFIGURATION`, epochs, figure : what the values are of, one row for each
        tables : List(String), the tables that give a value
        printed : List(String), the value in each of them
    """
    keys = ("task", "model", *CONFIGURATION, "epochs", "figure")
    given = configurations().drop_nulls("printed").group_by(keys, maintain_order=True)
    return given.agg(pl.col("table").alias("tables"), "printed").filter(
        pl.col("printed").map_elements(lambda values: disagree(values.to_list()), return_dtype=pl.Boolean)
    )


Key = tuple[str | None, str, int | None, str, str]  # table, setting, epochs, model, figure


@functools.cache
def printed() -> dict[Key, str | None]:
    """Return the digits that are printed in each cell; None for a cell that is blank there."""
    columns = ("table", "setting", "epochs", "model", "figure", "printed")
    return {row[:-1]: row[-1] for row in load().select(columns).iter_rows()}


@functools.cache
def contradicting() -> dict[Key, tuple[tuple[str, str], ...]]:
    """Return, for each printed value that another table contradicts, the other tables and their values."""
    keys = ["task", "model", *CONFIGURATION, "epochs", "figure"]
    cells = configurations().drop_nulls("printed")
    found = contradictions().select(*keys, "tables", pl.col("printed").alias("values"))
    joined = cells.join(found, on=keys, nulls_equal=True).select(
        "table", "setting", "epochs", "model", "figure", "tables", "values"
    )
    return {
        row[:5]: tuple((name, value) for name, value in zip(row[5], row[6], strict=True) if name != row[0])
        for row in joined.iter_rows()
    }
