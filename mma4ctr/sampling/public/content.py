"""What items show and say, made of their factors, and how it is written down."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import draws, files
from mma4ctr.sampling.taste import FACTORS, MODALITIES

VOCABULARY = pl.Series(
    "".join(word) for word in itertools.product("bdfklmnrst", "aeéo", ("", "ran", "lis", "mo", "ti"))
)


def _topic(factors: np.ndarray, modality: str) -> np.ndarray:
    """Return where between 0 and 1 the topic of each item lies, (items,) float64."""
    return draws.sigmoid(1.7 * factors[:, MODALITIES.index(modality) * FACTORS].astype(np.float64))


def vectors(factors: np.ndarray, modality: str, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return an embedding of each item, (items, width) float32."""
    first = MODALITIES.index(modality) * FACTORS
    mixing = rng.standard_normal((FACTORS, width), dtype=np.float32)
    noise = rng.standard_normal((len(factors), width), dtype=np.float32) / 2
    return factors[:, first : first + FACTORS].astype(np.float32) @ mixing + noise


def numbers_of(
    factors: np.ndarray, modality: str, size: int, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return numbers below `size` around the topic of each item, (sum of lengths,) int64, item by item."""
    position = np.repeat(0.75 * _topic(factors, modality), lengths) + 0.25 * rng.random(int(lengths.sum()))
    return (position * size).astype(np.int64)


def words(factors: np.ndarray, modality: str, lengths: np.ndarray, rng: np.random.Generator) -> pl.Series:
    """Return a text of so many words for each item, (items,) strings; some words have an accent."""
    drawn = VOCABULARY.gather(numbers_of(factors, modality, len(VOCABULARY), lengths, rng))
    return files.join_lists(lengths, drawn, " ")


def titles(factors: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Return the title and the year of a film for each item: columns ``title`` and ``year``, strings.

    Some titles end in an article, as in lists of films, and some have a subtitle.
    """
    first, second = (
        words(factors, "textual", rng.integers(1, 4, len(factors)), rng).str.to_titlecase() for _ in range(2)
    )
    frame = pl.DataFrame({
        "first": first, "second": second, "kind": np.arange(len(factors)) % 7,
        "year": pl.Series(rng.integers(1930, 1999, len(factors))).cast(pl.String),
    })  # fmt: skip
    article, subtitle = pl.col("kind") == 2, pl.col("kind") == 5
    ending = pl.when(article).then(pl.lit(", The")).when(subtitle).then(": " + pl.col("second")).otherwise(pl.lit(""))
    return frame.select((pl.col("first") + ending).alias("title"), "year")


def classes(factors: np.ndarray, modality: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return which of `size` classes each item has, (items, size) bool: one to three around its topic."""
    lengths = rng.integers(1, 4, len(factors))
    flags = np.zeros((len(factors), size), dtype=bool)
    flags[np.repeat(np.arange(len(factors)), lengths), numbers_of(factors, modality, size, lengths, rng)] = True
    return flags


def names_of(flags: np.ndarray, names: tuple[str, ...], separator: str) -> pl.Series:
    """Return the names of the classes that each item has, joined, (items,) strings."""
    return files.join_lists(flags.sum(axis=1), pl.Series(names).gather(np.nonzero(flags)[1]), separator)


def write_table(
    path: Path, columns: Mapping[str, object], separator: str, header: bool = True, encoding: str = "utf-8"
) -> None:
    """Write columns as a table whose fields are written as they are, with any text between them."""
    frame = pl.DataFrame(columns)
    cells = [pl.col(name).cast(pl.String).fill_null("") for name in frame.columns]
    lines = frame.select(pl.concat_str(cells, separator=separator).alias("line"))["line"].to_list()
    with files.whole_file(path) as file:
        file.write("".join(f"{line}\n" for line in [separator.join(frame.columns)] * header + lines).encode(encoding))


def write_csv(path: Path, columns: Mapping[str, object], header: bool = True) -> None:
    """Write columns as a comma-separated table; fields that hold a comma stand in quotes."""
    with files.whole_file(path) as file:
        pl.DataFrame(columns).write_csv(file, include_header=header)


def write_array(path: Path, values: np.ndarray) -> None:
    """Write an array as .npy."""
    with files.whole_file(path) as file:
        np.save(file, values, allow_pickle=False)
