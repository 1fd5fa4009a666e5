"""Where the features of a declared modality come from: its files, and what they hold of the kept items.

An item has a modality if its array or table has a row of it, whatever the numbers, zeros too; of vectors, texts and
lists, if what is there is not empty and has a word or an element. Several rows of an item may say the same. Where they
differ, numbers and texts are refused, since none is the right one; of lists each element counts once.
"""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files
from mma4ctr.data.blocks import Block, RawModality
from mma4ctr.data.declared import arrays, counting, feature_tables, log_files, numeric_tables
from mma4ctr.data.declared.feature_tables import PLACE, VALUE
from mma4ctr.data.declared.kept import Kept
from mma4ctr.data.declared.schema import Source
from mma4ctr.reduction import Matrix

MOST_WITHOUT = 0.01  # of the items may have none of the words that are counted; if more have, it is a warning
BETWEEN = "\x1f"  # elements of a list, until equal lists of an item have become one


def is_array(source: Source) -> bool:
    """Whether a source is an array; otherwise it is a table."""
    return source.file.endswith(".npy")


def _found(source: Source, folder: Path) -> list[Path]:
    """Return the file of a source, or the parts that its glob finds; the file that should be there if there is none."""
    return log_files.matching(source.file, folder) or [folder / source.file] * (not glob.has_magic(source.file))


def are_there(source: Source, folder: Path) -> bool:
    """Whether there is a file of a source; that of the ids of an array does not count."""
    return any(file.exists() for file in _found(source, folder))


def _require(file: Path, key: str) -> None:
    # A packed file may be wanted, and that of an array says more about it when it is opened.
    if not (file.suffix in (".gz", ".npy") and file.is_file() and file.stat().st_size):
        raw_files.require_file(file, key)


def files_of(source: Source, folder: Path, key: str) -> list[Path]:
    """Return the files that a modality needs.

    Parameters
    ----------
    source : Source
    folder : Path
        Where the files of the data set lie.
    key : str
        The key of path.json that leads there.

    Returns
    -------
    list of Path
        The array, and the file of its ids if it has one; or the parts of the table, part2 before part10.

    Raises
    ------
    UserError
        If one is missing, empty or a folder, or no file is of the pattern.
    """
    files = _found(source, folder)
    if not files:
        raise UserError(
            f"{folder}: has no file {source.file}; put the files there, or change the pattern in the declaration or "
            f"{key} in path.json"
        )
    if is_array(source) and len(files) > 1:
        raise UserError(
            f"{folder}: {source.file} finds {len(files)} arrays, expected one; put them into one array, or name one"
        )
    if is_array(source) and source.ids is not None:
        files.append(folder / source.ids)
    for file in files:
        _require(file, key)
    return files


def _texts(files: list[Path], source: Source, kept: Kept) -> pl.DataFrame:
    """Return the words of kept items: columns place, element."""
    columns = list(source.text or ())

    def value(file: Path, schema: dict[str, pl.DataType]) -> list[pl.Expr]:
        feature_tables.require_columns(file, schema, columns)
        text = pl.concat_str([pl.col(name).cast(pl.String) for name in columns], separator=" ", ignore_nulls=True)
        return [pl.when(text.str.contains(counting.WORD)).then(text).alias(VALUE)]

    rows = feature_tables.rows_of(files, source, kept, value)
    feature_tables.check_once(files, source, rows, kept, "texts")
    return counting.words(rows.select(place=PLACE, element=VALUE))


def _elements(files: list[Path], source: Source, kept: Kept) -> pl.DataFrame:
    """Return the elements of the lists of kept items, each once: columns place, element."""
    column = str(source.list)

    def value(file: Path, schema: dict[str, pl.DataType]) -> list[pl.Expr]:
        feature_tables.require_columns(file, schema, [column])
        if isinstance(schema[column], pl.List | pl.Array):
            return [pl.col(column).cast(pl.List(pl.String)).list.join(BETWEEN).alias(VALUE)]
        return [pl.col(column).cast(pl.String).str.replace_all(source.split, BETWEEN, literal=True).alias(VALUE)]

    rows = feature_tables.rows_of(files, source, kept, value).select(place=PLACE, element=VALUE)
    elements = counting.exploded(rows.with_columns(pl.col("element").str.split(BETWEEN).list.unique()))
    elements = elements.with_columns(pl.col("element").str.strip_chars())
    return elements.filter(pl.col("element") != "").unique()


def _counted(name: str, files: list[Path], source: Source, kept: Kept) -> tuple[np.ndarray, Matrix, tuple[str, ...]]:
    """Return the places (items,) of items with words or elements, how often they have each, and warnings."""
    if source.hashed is not None and not 1 <= source.hashed <= counting.MOST:
        raise UserError(f"modality {name}: hashed is {source.hashed}, expected 1 to {counting.MOST:,}; change it")
    elements = _texts(files, source, kept) if source.text is not None else _elements(files, source, kept)
    feature_tables.require_some(files, elements, f"column {', '.join(source.text or (str(source.list),))}")
    places, counts, passed_over = counting.counted(elements, source.hashed)
    without = int((np.diff(counts.indptr) == 0).sum())
    warning = (
        f"{name}: {without:,} of {len(places):,} items have none of the {counts.shape[1]:,} most frequent words or "
        f"elements, and {passed_over:,} others are not counted; `hashed` counts all"
    )
    return places, counts, (warning,) * bool(without > MOST_WITHOUT * len(places))


def raw_modality(name: str, source: Source, folder: Path, kept: np.ndarray | pl.Series, key: str) -> RawModality:
    """Read one modality of the kept items.

    Parameters
    ----------
    name : str
        Of the modality.
    source : Source
    folder : Path
        Where the files of the data set lie.
    kept : (n,) int64 array, or polars.Series of str
        The kept items as the log calls them, sorted.
    key : str
        The key of path.json that leads to the folder.

    Returns
    -------
    RawModality
        Its items are ids, or places among `kept` where these are text. Numbers are float32; counts are sparse unless
        they are kept as they are.

    Raises
    ------
    UserError
        If a file is missing or cannot be read, holds something else than it should, or has no kept item.
    """
    files, items = files_of(source, folder, key), Kept.of(kept)
    matrix: Matrix
    warnings: tuple[str, ...] = ()
    if is_array(source):
        places, matrix = arrays.vectors(files, source, items)
    elif source.text is not None or source.list is not None:
        places, matrix, warnings = _counted(name, files, source, items)
    else:
        places, matrix = numeric_tables.vectors(files, source, items)
    if source.components == "all":
        whole = matrix if isinstance(matrix, np.ndarray) else matrix.astype(np.float32).toarray()
        return RawModality(name, items.items(places), [Block(whole, None)], warnings)
    return RawModality(name, items.items(places), [Block(matrix, source.components)], warnings)
