"""Read the raw logs of the WeChat Channels data set (2021 Big Data Challenge)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from keras_preprocessing.sequence import pad_sequences

from mma4ctr.catalogue import Task
from mma4ctr.data import raw_files
from mma4ctr.data.blocks import Block, Modality, RawModality, reduced
from mma4ctr.data.contract import DataSet
from mma4ctr.data.feed_info import ID, read_feed_info
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor
from mma4ctr.keys import Key, is_number
from mma4ctr.published import logs
from mma4ctr.sampling import wechat as sample_logs

# The last release of keras-preprocessing, 1.1.2, asks for np.unicode_, a name that NumPy 2 no longer has.
vars(np).setdefault("unicode_", np.str_)

# The published weights of the seven actions; a click is a weighted mean that reaches click_threshold.
ACTION_WEIGHTS = {
    "read_comment": 4, "like": 3, "click_avatar": 2, "forward": 1, "favorite": 1, "comment": 1, "follow": 1,
}  # fmt: skip
WANTED = ("userid", "feedid", "device", *ACTION_WEIGHTS)
DAY = "date_"  # 1 to 14, where the file has it
# Modality -> the text that it starts from, and the text that stands in where that one is empty.
TEXTS = {
    "visual": ("ocr", "ocr_char"),
    "acoustic": ("asr_char", "asr"),
    "textual": ("description", "description_char"),
}
KEYWORDS, TAGS = 16, 14  # the longest machine keyword and tag lists of the full data


def filled(frame: pl.DataFrame, field: str, stand_in: str) -> pl.Series:
    """Return the text column `field`, taken from `stand_in` where it is empty."""
    return frame.select(pl.coalesce(field, stand_in)).to_series()


def text_rows(texts: pl.Series):
    """Return space-separated ids (rows,) as zero-padded sparse rows; a missing text is an empty row."""
    lists = texts.str.extract_all(ID)
    words = lists.explode(empty_as_null=False, keep_nulls=False).cast(pl.Int64).to_numpy()
    return raw_files.sparse_rows(lists.list.len().fill_null(0).to_numpy().astype(np.int64), words)


def padded_lists(lists: pl.Series, length: int) -> np.ndarray:
    """Return lists of ids as a matrix (rows, length) float32, zero-padded at the end; longer lists are cut."""
    sequences = lists.fill_null([]).to_list()
    return pad_sequences(sequences, maxlen=length, dtype="float32", padding="post", truncating="post", value=0)


def untrained_embedding(ids: pl.Series, seed: int, key: int) -> np.ndarray:
    """Embed ids by a seeded, untrained table of standard normal numbers.

    Parameters
    ----------
    ids : polars.Series, (rows,) of str or null
        A missing id has a row of the table for itself, since 0 is a real id.
    seed, key : int
        The seed of path.json, and a number for each of its uses.

    Returns
    -------
    (rows, int(distinct ids ** 0.25)) float32 array
    """
    numbers = ids.str.replace(r"\.0*$", "").cast(pl.Int64)  # by way of a float, large ids would become one
    known = np.sort(numbers.drop_nulls().unique().to_numpy())
    place = np.searchsorted(known, numbers.fill_null(0).to_numpy()) + 1
    place[numbers.is_null().to_numpy()] = 0
    table = np.random.default_rng([seed, key]).standard_normal((len(known) + 1, int(len(known) ** 0.25)))
    return table.astype(np.float32)[place]


def _keyword_ids(frame: pl.DataFrame) -> pl.Series:
    """Return the machine keywords as lists of ids."""
    return frame["machine_keyword_list"].str.extract_all(ID).cast(pl.List(pl.Int64))


def _tag_ids(frame: pl.DataFrame) -> pl.Series:
    """Return the machine tags without their scores, as lists of ids; the manual ones where there are none."""
    machine = pl.col("machine_tag_list").str.replace_all(r" [^;]*", "")
    tags = pl.coalesce(machine, "manual_tag_list").str.extract_all(ID).cast(pl.List(pl.Int64))
    return frame.select(tags).to_series()


def _equal_in_float32(frame: pl.DataFrame) -> tuple[str, ...]:
    """Say of keywords and tags, which are kept as float32 numbers, how many ids become equal to another one."""
    said = []
    for name, lists in (("keyword", _keyword_ids(frame)), ("tag", _tag_ids(frame))):
        ids = lists.explode(empty_as_null=False, keep_nulls=False).unique().to_numpy()
        lost = len(ids) - len(np.unique(ids.astype(np.float32)))
        if lost:
            said.append(
                f"textual: {lost:,} of {len(ids):,} {name} ids are too large for float32 and equal others there"
            )
    return tuple(said)


def _blocks(frame: pl.DataFrame, modality: str, seed: int) -> list[Block]:
    """Return the blocks of one modality of the feeds in `frame`."""
    text = Block(text_rows(filled(frame, *TEXTS[modality])), 0.9)
    if modality == "acoustic":
        singer = untrained_embedding(frame["bgm_singer_id"], seed, 1)
        song = untrained_embedding(frame["bgm_song_id"], seed, 2)
        return [text, Block(singer, None), Block(song, None)]
    if modality == "textual":
        keywords, tags = padded_lists(_keyword_ids(frame), KEYWORDS), padded_lists(_tag_ids(frame), TAGS)
        return [text, Block(keywords, None), Block(tags, None)]
    return [text]


# Modality -> the fields of which at least one must be there for a feed to have the modality.
PRESENT_BY = {
    "visual": TEXTS["visual"],
    "acoustic": (*TEXTS["acoustic"], "bgm_song_id", "bgm_singer_id"),
    "textual": (*TEXTS["textual"], "machine_keyword_list", "machine_tag_list", "manual_tag_list"),
}


def raw_modality(modality: str, feeds: pl.DataFrame, seed: int) -> RawModality:
    """Return one modality of the feeds of `read_feed_info`; a feed has it when one of the modality's fields is there.

    `seed` is that of the untrained song and singer embeddings.
    """
    present = feeds.filter(pl.any_horizontal(pl.col(PRESENT_BY[modality]).is_not_null()))
    warnings = _equal_in_float32(present) if modality == "textual" else ()
    return RawModality(modality, present["feedid"].to_numpy(), _blocks(present, modality, seed), warnings)


def reduced_modality(modality: str, feeds: pl.DataFrame, seed: int) -> Modality:
    """Return one modality with its blocks reduced."""
    return reduced(raw_modality(modality, feeds, seed))


def _columns(file: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns of user_action.csv, and those that are read of them."""
    columns = raw_files.header_of(file, WANTED)
    return columns, (*WANTED, DAY) if DAY in columns else WANTED


class WeChat(DataSet):
    """The WeChat Channels data set."""

    name = "wechat"
    folder = "dataset/wechat"
    tasks = (Task("wechat", "wechat", "click", "1"),)
    minimum = 100
    actions = (*ACTION_WEIGHTS, "click")
    version = 2
    place = 1
    minimum_counts = ("item", "click")  # the published script collapses equal rows before it counts
    settings = MappingProxyType({
        "click_threshold": Key(
            0.5, "a number above 0, at most 1", lambda value: is_number(value) and 0 < value <= 1, float
        )
    })  # fmt: skip
    modality_settings = ("seed",)  # of the untrained song and singer embeddings
    needs_kept_items = False  # feed_info.csv is small: the features see all of its feeds, watched or not
    weights = MappingProxyType(ACTION_WEIGHTS)
    published = logs.WECHAT
    sample = sample_logs.SAMPLE

    def interaction_files(self, folder: Path) -> list[Path]:
        """Return user_action.csv."""
        return [folder / "user_action.csv"]

    def order(self, file: Path) -> str:
        """Say by what the rows of a user are sorted: the day, where user_action.csv has it."""
        if DAY in raw_files.header_of(file, WANTED):
            return f"{DAY}, within a day by place in the file"
        return f"place in the file, since {file.name} has no {DAY}"

    def interactions(self, part: Part, own: Mapping[str, Any]) -> pl.LazyFrame:
        """Scan a part of user_action.csv: the columns of the contract, the seven actions and click.

        The time is the day, 0 throughout where the file has none: within a day, file order is time order.
        """
        columns, wanted = _columns(part.file)
        frame = raw_files.scan_integers(part, columns, wanted, tuple(ACTION_WEIGHTS), separator=",", header=True)
        score = pl.sum_horizontal(pl.col(action) * weight for action, weight in ACTION_WEIGHTS.items())
        click = (score / sum(ACTION_WEIGHTS.values()) >= own["click_threshold"]).cast(pl.Int64)
        return frame.select(
            *ACTION_WEIGHTS, user="userid", item="feedid", device="device",
            time=pl.col(DAY) if DAY in wanted else pl.lit(0, pl.Int64), click=click,
        )  # fmt: skip

    def explain(self, file: Path) -> None:
        """Raise the `UserError` that names the first broken line of user_action.csv."""
        columns, wanted = _columns(file)
        raw_files.explain_integers(file, columns, wanted, tuple(ACTION_WEIGHTS), separator=",", header=True)

    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return feed_info.csv, which holds every modality; raise `UserError` if it is missing."""
        file = folder / "feed_info.csv"
        raw_files.require_file(file, self.key)
        return {modality: [file] for modality in TEXTS}

    def raw_modality(
        self, name: str, folder: Path, kept: np.ndarray, values: Mapping[str, Any], executor: Executor
    ) -> RawModality:
        """Read one modality."""
        return raw_modality(name, read_feed_info(self.feature_files(folder)["visual"][0]), values["seed"])

    def read_modalities(
        self, folder: Path, kept: np.ndarray, values: Mapping[str, Any], executor: Executor
    ) -> Iterator[Modality]:
        """Read and reduce the modalities one after another; on a cluster each of them is one task."""
        feeds = executor.share(read_feed_info, self.feature_files(folder)["visual"][0].resolve())
        yield from executor.map(reduced_modality, list(TEXTS), feeds, values["seed"])


DATASET = WeChat()
