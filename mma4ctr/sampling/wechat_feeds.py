"""WeChat's feed_info.csv and feed_embeddings.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.progress import Progress

from mma4ctr.sampling import draws, files
from mma4ctr.sampling.scales import TextField, WechatScale
from mma4ctr.sampling.taste import FACTORS, MODALITIES

LARGEST_FEED = 112_871
AUTHORS = 18_789
SONGS, SINGERS = 25_159, 17_500
KEYWORDS, TAGS = 27_271, 353
LONGEST_SECONDS = 59_960
EMBEDDING_LENGTH = 512
CHUNK = 4_000
# The feed with this index has every text and list at its published maximum, and the longest video.
LONGEST_FEED = 1
# The text of each modality, and the shares of feeds without both forms, without words only, without characters only.
TEXTS = {
    "ocr": ("visual", 0.04, 0.05, 0.03),
    "asr": ("acoustic", 0.07, 0.05, 0.03),
    "description": ("textual", 0.01, 0.03, 0.02),
}
# Lists of a feed: vocabulary, longest list, share of feeds without it.
LISTS = {
    "manual_keyword_list": (KEYWORDS, 18, 0.10),
    "machine_keyword_list": (KEYWORDS, 16, 0.04),
    "manual_tag_list": (TAGS, 14, 0.30),
    "machine_tag_list": (TAGS, 14, 0.04),
}
COLUMNS = (
    "feedid", "authorid", "videoplayseconds", "description", "ocr", "asr", "bgm_song_id", "bgm_singer_id",
    "manual_keyword_list", "machine_keyword_list", "manual_tag_list", "machine_tag_list",
    "description_char", "ocr_char", "asr_char",
)  # fmt: skip


@dataclass(frozen=True)
class Feeds:
    """All feeds of a sample: ids (feeds,), factors (feeds, 6), videoplayseconds (feeds,), and for each column
    of feed_info that may be empty whether the feed has it, (feeds,) bool."""

    ids: np.ndarray
    factors: np.ndarray
    seconds: np.ndarray
    has: dict[str, np.ndarray]

    def complete(self) -> np.ndarray:
        """Return which feeds have every modality: a form of each text, machine keywords and tags, (feeds,) bool."""
        texts = [self.has[text] | self.has[f"{text}_char"] for text in TEXTS]
        tags = self.has["machine_tag_list"] | self.has["manual_tag_list"]
        return np.logical_and.reduce([*texts, self.has["machine_keyword_list"], tags])


def draw_feeds(scale: WechatScale, factors: np.ndarray, rng: np.random.Generator) -> Feeds:
    """Draw what the log has to know of the feeds: lengths of videos and which fields are missing."""
    # Three quarters of the videos last at most 54 s.
    seconds = np.clip(np.exp(rng.normal(np.log(28), 0.97, scale.feeds)), 2, LONGEST_SECONDS).astype(np.int64)
    seconds[LONGEST_FEED] = LONGEST_SECONDS
    has = {}
    for text, (_, both, word, character) in TEXTS.items():
        # Three zones: words missing, both forms missing, characters missing.
        drawn = rng.random(scale.feeds) / scale.missing
        has[text] = drawn >= word + both
        has[f"{text}_char"] = (drawn < word) | (drawn >= word + both + character)
    for column, (_, _, share) in LISTS.items():
        has[column] = rng.random(scale.feeds) >= share * scale.missing
    has["bgm"] = rng.random(scale.feeds) >= 0.498
    for column in has:
        has[column][LONGEST_FEED] = True
    return Feeds(draws.stretch(np.arange(scale.feeds), scale.feeds, 0, LARGEST_FEED), factors, seconds, has)


def topic_ids(topic: np.ndarray, lengths: np.ndarray, vocabulary: int, rng: np.random.Generator) -> np.ndarray:
    """Return the ids of all texts, one after the other, (sum of lengths,) int32.

    A feed's topic sets where in the vocabulary its ids lie: the size of the numbers themselves tells the topic, since
    the published features take them as numbers. Every tenth id is a common word.
    """
    centre = 0.08 + 0.62 * draws.sigmoid(1.7 * topic)
    position = np.repeat(centre, lengths) + 0.3 * rng.random(lengths.sum(), dtype=np.float32)
    common = rng.random(len(position), dtype=np.float32) < 0.1
    position[common] *= 0.1
    return (position * vocabulary).astype(np.int32)


def text_columns(
    name: str, field: TextField, scale: WechatScale, feeds: Feeds, index: np.ndarray, rng: np.random.Generator
) -> dict[str, pl.Series]:
    """Return the word and character form of a text for the feeds `index`: ids with spaces between, null if missing."""
    modality = MODALITIES.index(TEXTS[name][0])
    topic, length = feeds.factors[index][:, modality * FACTORS : (modality + 1) * FACTORS].astype(np.float32).T
    deviation = 0.8 * length + 0.6 * rng.standard_normal(len(index), dtype=np.float32)
    words = field.median * np.exp(field.spread * deviation)
    forms = {
        name: (words, field.longest, scale.word_vocabulary),
        f"{name}_char": (1.5 * words, field.longest_characters, scale.character_vocabulary),
    }
    columns = {}
    for form, (lengths, longest, vocabulary) in forms.items():
        lengths = np.where(index == LONGEST_FEED, longest, np.clip(lengths, 1, longest)).astype(np.int64)
        lengths *= feeds.has[form][index]
        ids = topic_ids(topic, lengths, vocabulary, rng)
        columns[form] = files.join_lists(lengths, pl.Series(ids).cast(pl.String), " ")
    return columns


def tag_scores(row: np.ndarray, rng: np.random.Generator) -> pl.Series:
    """Return machine tag scores as Python prints them (0.39245349, 3.8e-07, 0.0); `row` is each tag's feed, ascending.

    Scores fall within most feeds; a fifth of the feeds are not sorted.
    """
    score = rng.random(len(row)) ** 4
    sorted_feed = rng.random(int(row.max(initial=0)) + 1)[row] < 0.8
    order = np.lexsort((np.where(sorted_feed, -score, np.arange(len(row))), row))
    score = score[order]
    tiny = pl.Series(rng.integers(10, 99, len(row)) / 10).cast(pl.String) + "e-07"
    kind = pl.Series(np.where(score < 1e-7, 0, np.where(score < 1e-4, 1, 2)))
    frame = pl.DataFrame({"score": score.round(8), "tiny": tiny, "kind": kind})
    plain = pl.col("score").cast(pl.String)
    shown = pl.when(pl.col("kind") == 0).then(pl.lit("0.0")).when(pl.col("kind") == 1).then("tiny").otherwise(plain)
    return frame.select(shown.alias("shown"))["shown"]


def list_columns(feeds: Feeds, index: np.ndarray, rng: np.random.Generator) -> dict[str, pl.Series]:
    """Return the keyword and tag lists of the feeds `index`: ids with semicolons between, some of them twice."""
    topic = feeds.factors[index, MODALITIES.index("textual") * FACTORS].astype(np.float32)
    columns = {}
    for column, (vocabulary, longest, _) in LISTS.items():
        lengths = np.where(index == LONGEST_FEED, longest, 1 + rng.binomial(longest - 1, 0.3, len(index)))
        lengths = lengths * feeds.has[column][index]
        row = np.repeat(np.arange(len(index)), lengths)
        ids = topic_ids(topic, lengths, vocabulary, rng)
        again = np.flatnonzero((rng.random(len(ids))[1:] < 0.1) & (row[1:] == row[:-1])) + 1
        ids[again] = ids[again - 1]
        shown = pl.Series(ids).cast(pl.String)
        if column == "machine_tag_list":
            shown = shown + " " + tag_scores(row, rng)
        columns[column] = files.join_lists(lengths, shown, ";")
    return columns


def feed_info(scale: WechatScale, feeds: Feeds, index: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Return the rows of feed_info.csv of the feeds `index`."""
    song = (SONGS * rng.random(len(index)) ** 2).astype(np.int64)
    music = pl.Series(feeds.has["bgm"][index])
    columns = {
        "feedid": feeds.ids[index],
        "authorid": (AUTHORS * rng.random(len(index)) ** 1.5).astype(np.int64),
        "videoplayseconds": feeds.seconds[index],
        # As pandas writes a column of integers with gaps: 12.0.
        "bgm_song_id": song.astype(np.float64),
        "bgm_singer_id": (song * SINGERS // SONGS).astype(np.float64),
        **list_columns(feeds, index, rng),
    }
    for name in TEXTS:
        columns |= text_columns(name, getattr(scale, name), scale, feeds, index, rng)
    frame = pl.DataFrame(columns).with_columns(pl.when(music).then(pl.col("^bgm_.*$")))
    return frame.select(COLUMNS)


def write_feed_info(path: Path, scale: WechatScale, feeds: Feeds, seed: int, progress: Progress) -> None:
    """Write feed_info.csv, a chunk of feeds at a time."""
    parts = files.chunks(scale.feeds, CHUNK)
    with files.whole_file(path) as file:
        for number, index in enumerate(progress.track(parts, description="feed_info.csv")):
            frame = feed_info(scale, feeds, index, draws.generator(seed, 0, 1, number))
            frame.write_csv(file, include_header=number == 0)


def write_feed_embeddings(path: Path, feeds: Feeds, seed: int, progress: Progress) -> None:
    """Write feed_embeddings.csv: 512 numbers and a trailing space, feeds in random order."""
    rng = draws.generator(seed, 0, 2)
    order = rng.permutation(len(feeds.ids))
    mixing = rng.standard_normal((feeds.factors.shape[1], EMBEDDING_LENGTH), dtype=np.float32) / 4
    with files.whole_file(path) as file:
        file.write(b"feedid,feed_embedding\n")
        for part in progress.track(files.chunks(len(order), CHUNK), description="feed_embeddings.csv"):
            index = order[part]
            vectors = rng.standard_normal((len(index), EMBEDDING_LENGTH), dtype=np.float32) / 4
            vectors += feeds.factors[index].astype(np.float32) @ mixing
            frame = pl.DataFrame(vectors)
            # The id, a comma and the first number make one cell, so that spaces can stand between the others.
            first = pl.Series("first", feeds.ids[index]).cast(pl.String) + "," + frame[:, 0].round(6).cast(pl.String)
            frame.with_columns(first.alias(frame.columns[0])).write_csv(
                file, include_header=False, separator=" ", line_terminator=" \n", quote_style="never", float_precision=6
            )
