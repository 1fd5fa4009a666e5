"""TikTok's feature files: video in eleven parts, audio in four, one file of titles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import Progress

from mma4ctr.sampling import draws, files
from mma4ctr.sampling.scales import TiktokScale
from mma4ctr.sampling.taste import FACTORS, MODALITIES
from mma4ctr.sampling.wechat_feeds import topic_ids

VECTOR_LENGTH = 128
CHUNK = 20_000
# Shares of items, before `TiktokScale.missing`: no line, an empty value, a vector shorter than 128 (vectors only);
# items with a second line, whose value differs.
NO_LINE = {"visual": 0.05, "acoustic": 0.07, "textual": 0.04}
EMPTY = {"visual": 0.01, "acoustic": 0.01, "textual": 0.03}
SHORT = 0.01
REPEATED_LINES = 0.01


@dataclass(frozen=True)
class VectorFile:
    """A modality given as vectors: its files, the key of the vector, and how slowly its spectrum decays.

    Variances along the principal directions fall as exp(-k / decay): about 2.3 * decay of them hold 90 %.
    """

    modality: str
    name: str
    parts: int
    key: str
    decay: float


VECTOR_FILES = (
    VectorFile("visual", "track1_video_features_part{}.txt", 11, "video_feature_dim_128", 31.0),
    VectorFile("acoustic", "track1_audio_features_part{}.txt", 4, "audio_feature_128_dim", 8.0),
)
TITLE_FILE = "track1_title.txt"


@dataclass(frozen=True)
class FeatureItems:
    """Which items (indices) have a feature line, and in which modality the value is empty.

    index : (feature items,) int64, ascending
    has, empty : for each modality (feature items,) bool
    """

    index: np.ndarray
    has: dict[str, np.ndarray]
    empty: dict[str, np.ndarray]

    def complete(self, items: int) -> np.ndarray:
        """Return which of all items have a value in every modality, (items,) bool."""
        result = np.zeros(items, dtype=bool)
        result[self.index] = np.logical_and.reduce([self.has[name] & ~self.empty[name] for name in MODALITIES])
        return result


def draw_feature_items(scale: TiktokScale, wanted: np.ndarray, rng: np.random.Generator) -> FeatureItems:
    """Choose the items with feature lines: `wanted` (what kept users watch) and others, watched or never watched."""
    index = np.union1d(wanted, rng.integers(0, scale.items, scale.extra_feature_items))
    has = {name: rng.random(len(index)) >= NO_LINE[name] * scale.missing for name in MODALITIES}
    empty = {name: rng.random(len(index)) < EMPTY[name] * scale.missing for name in MODALITIES}
    return FeatureItems(index, has, empty)


def line_order(features: FeatureItems, modality: str, rng: np.random.Generator) -> np.ndarray:
    """Return the positions in `features` of a modality's lines, in file order; some items have two."""
    lines = np.flatnonzero(features.has[modality])
    again = lines[rng.random(len(lines)) < REPEATED_LINES]
    return rng.permutation(np.concatenate([lines, again]))


def vectors(factors: np.ndarray, mixing: np.ndarray, decay: float, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of a decaying spectrum whose first two directions are the items' factors.

    factors : (lines, 2); mixing : (128, 128) orthogonal. Returns (lines, 128) float32.
    """
    latent = rng.standard_normal((len(factors), VECTOR_LENGTH), dtype=np.float32)
    latent[:, :FACTORS] = factors
    latent *= np.exp(-np.arange(VECTOR_LENGTH, dtype=np.float32) / (2 * decay))
    return (latent @ mixing).round(6)


def write_vectors(
    folder: Path, file: VectorFile, features: FeatureItems, ids: np.ndarray, factors: np.ndarray, seed: int, key: int,
    progress: Progress,
) -> None:  # fmt: skip
    """Write all parts of a vector modality; `ids` and `factors` are those of the feature items."""
    rng = draws.generator(seed, 1, key)
    mixing = np.linalg.qr(rng.standard_normal((VECTOR_LENGTH, VECTOR_LENGTH)))[0].astype(np.float32)
    modality = MODALITIES.index(file.modality)
    own = factors[:, modality * FACTORS : (modality + 1) * FACTORS].astype(np.float32)
    parts = np.array_split(line_order(features, file.modality, rng), file.parts)
    for number, part in enumerate(progress.track(parts, description=file.name.format("*")), start=1):
        with files.whole_file(folder / file.name.format(number)) as output:
            for chunk in files.chunks(len(part), CHUNK):
                position = part[chunk]
                short = rng.random(len(position)) < SHORT
                length = np.where(short, rng.integers(1, VECTOR_LENGTH, len(position)), VECTOR_LENGTH)
                length[features.empty[file.modality][position]] = 0
                frame = pl.DataFrame(
                    {"item_id": ids[position], file.key: vectors(own[position], mixing, file.decay, rng), "n": length}
                )
                cut = pl.col(file.key).arr.to_list().list.head(pl.col("n"))
                frame.select("item_id", cut).write_ndjson(output)


def title_lines(
    ids: np.ndarray, topic: np.ndarray, words: np.ndarray, vocabulary: int, rng: np.random.Generator
) -> pl.Series:
    """Return the JSON lines of titles: word ids with their counts, `{}` where a title has no words.

    ids, topic, words (number of words) : (lines,)
    """
    row = np.repeat(np.arange(len(ids)), words)
    drawn = pl.DataFrame({"row": row, "word": topic_ids(topic, words, vocabulary, rng)})
    # A word that occurs again: a neighbour's id is taken over, so that counts above 1 are not rare.
    again = pl.lit(pl.Series(rng.random(len(row)) < 0.15)) & (pl.col("row") == pl.col("row").shift(1))
    drawn = drawn.with_columns(pl.when(again).then(pl.col("word").shift(1)).otherwise("word").alias("word"))
    counted = drawn.group_by("row", "word", maintain_order=True).len()
    pairs = counted.select(pl.format('"{}": {}', "word", "len").alias("pair"))["pair"]
    inside = files.join_lists(np.bincount(counted["row"].to_numpy(), minlength=len(ids)), pairs, ", ")
    frame = pl.DataFrame({"item": ids, "inside": inside.fill_null("")})
    prefix, middle, suffix = pl.lit('{"item_id": '), pl.lit(', "title_features": {'), pl.lit("}}")
    return frame.select(pl.concat_str(prefix, "item", middle, "inside", suffix).alias("line"))["line"]


def write_titles(
    folder: Path, scale: TiktokScale, features: FeatureItems, ids: np.ndarray, factors: np.ndarray, seed: int, key: int,
    progress: Progress,
) -> None:  # fmt: skip
    """Write the title file; `ids` and `factors` are those of the feature items."""
    rng = draws.generator(seed, 1, key)
    modality = MODALITIES.index("textual") * FACTORS
    order = line_order(features, "textual", rng)
    with files.whole_file(folder / TITLE_FILE) as output:
        for chunk in progress.track(files.chunks(len(order), CHUNK), description=TITLE_FILE):
            position = order[chunk]
            topic, length = factors[position, modality : modality + FACTORS].astype(np.float32).T
            words = np.clip(6 * np.exp(0.5 * length), 1, 30).astype(np.int64)
            words *= ~features.empty["textual"][position]
            files.write_lines(output, title_lines(ids[position], topic, words, scale.title_vocabulary, rng))
