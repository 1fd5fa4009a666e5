"""Read the raw logs of the TikTok data set (ICME 2019 short-video challenge, track 1 or track 2)."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse

from mma4ctr.catalogue import Task
from mma4ctr.cli import UserError
from mma4ctr.data import item_rows, json_lines, raw_files, raw_folder
from mma4ctr.data.blocks import Block, Modality, RawModality, reduced
from mma4ctr.data.contract import DataSet
from mma4ctr.data.json_lines import GAP, Unfit
from mma4ctr.data.raw_files import MOST, Part, shown
from mma4ctr.executor import Executor
from mma4ctr.published import logs
from mma4ctr.sampling import tiktok as sample_logs

LABELS = ("finish", "like")
COLUMNS = (
    *("uid", "user_city", "item_id", "author_id", "item_city", "channel", "finish", "like", "music_id", "device"),
    *("time", "duration"),
)
CONTEXT = ("author_id", "music_id")  # -1 where it is unknown, which is a value like others
WANTED = ("uid", "item_id", "finish", "like", "device", "time", *CONTEXT)
PUBLICATION_TIME = "final_track2"  # files that are called so give the time of publication, not of viewing
VECTOR_LENGTH = 128
# Modality -> how its files are called, and the key that holds the vector.
VECTORS = {"visual": ("video", "video_feature_dim_128", 0.9), "acoustic": ("audio", "audio_feature_128_dim", 10)}
LARGEST = 1e30  # a vector holds nothing near it; beyond it float32 overflows somewhere on the way
NUMBER = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"
VECTOR = rf"\[{GAP}(?:{NUMBER}{GAP}(?:,{GAP}{NUMBER}{GAP})*)?\]"
TITLE_KEY = "title_features"
LONGEST_TITLE = 10_000  # words, each as often as it is counted
# What a title of the published form holds; 100 of them are no more than the longest title. Others go to the parser.
WORD_ID, WORDS_AT_ONCE = r"(0|[1-9][0-9]{0,17})", 100
WORD = rf'"{WORD_ID}"{GAP}:{GAP}(0|[1-9][0-9]?)'
TITLE = rf"\{{{GAP}(?:{WORD}{GAP}(?:,{GAP}{WORD}{GAP})*)?\}}"
WORD_COUNT = r'"([0-9]+)"[^0-9]+([0-9]+)'
FEATURE_FILE = re.compile(r"(track[12])_(?:(video|audio)_features(?:_part([1-9][0-9]{0,3}))?|(title))\.txt")
LOOKS_LIKE_FEATURES = re.compile(r"track.*(?:video|audio|title)|(?:video|audio).?feature", re.IGNORECASE)
ROWS_FILE = re.compile(r"final_(track[12])_train\.txt")
LOOKS_LIKE_ROWS = re.compile(r"track.*train", re.IGNORECASE)


def _decoded_vectors(line: pl.Expr, key: str) -> pl.Expr:
    vector = line.str.json_decode(pl.Struct({key: pl.List(pl.Float64)})).struct.field(key)
    is_large = (vector.list.max() > LARGEST) | (vector.list.min() < -LARGEST)
    return pl.when(~((vector.list.len() > VECTOR_LENGTH) | is_large).fill_null(False)).then(vector)


def _vector_of(content: dict, key: str) -> list[float]:
    vector = content.get(key)
    if not isinstance(vector, list):
        raise Unfit(f"{key} is {shown(vector)}, expected a list of numbers")
    if len(vector) > VECTOR_LENGTH:
        raise Unfit(f"{key} has {len(vector)} numbers, expected at most {VECTOR_LENGTH}")
    odd = [value for value in vector if type(value) not in (int, float) or abs(value) > LARGEST]
    if odd:
        raise Unfit(f"{key} holds {shown(odd[0])}, expected numbers up to {LARGEST:g}")
    return [float(value) for value in vector]


def read_vectors(part: Part, kept: np.ndarray, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the items (n,) int64 of one part and their vectors (n, 128) float32; an item's last line counts."""
    decoded, vector_of = functools.partial(_decoded_vectors, key=key), functools.partial(_vector_of, key=key)
    form = json_lines.Form(json_lines.pattern_of(key, VECTOR), decoded, vector_of, pl.List(pl.Float64))
    frame = json_lines.read_objects(part, kept, form)
    return frame["item"].to_numpy(), raw_files.dense_rows(frame["content"], VECTOR_LENGTH)


def _decoded_words(line: pl.Expr) -> pl.Expr:
    """Return the words of titles as texts like ``"12": 3``; null for a title with a word twice."""
    words = line.str.extract_all(WORD)
    once = line.str.extract_all(rf'"{WORD_ID}"').list.n_unique() == words.list.len()
    return pl.when(once & (words.list.len() <= WORDS_AT_ONCE)).then(words)


def _words_of(content: dict) -> list[str]:
    title = content.get(TITLE_KEY)
    if not isinstance(title, dict):
        raise Unfit(f"{TITLE_KEY} is {shown(title)}, expected an object of word ids and counts")
    for word, count in title.items():
        if not re.fullmatch("0|[1-9][0-9]{0,18}", word) or int(word) > MOST or type(count) is not int or count < 0:
            raise Unfit(f"{TITLE_KEY} holds {shown({word: count})}, expected word ids and whole counts, ids to {MOST}")
    if sum(title.values()) > LONGEST_TITLE:
        raise Unfit(f"{TITLE_KEY} counts {shown(sum(title.values()))} words, expected at most {LONGEST_TITLE}")
    others = [key for key in content if key not in ("item_id", TITLE_KEY)]
    if others:
        raise Unfit(f"found the key {shown(others[0])}, expected only item_id and {TITLE_KEY}")
    return [f'"{word}": {count}' for word, count in title.items()]


TITLES = json_lines.Form(json_lines.pattern_of(TITLE_KEY, TITLE), _decoded_words, _words_of, pl.List(pl.String))


def read_titles(part: Part, kept: np.ndarray) -> tuple[np.ndarray, scipy.sparse.csr_array]:
    """Return the items (n,) int64 of a part of the title file, and their word ids, repeated by count, as sparse rows.

    An item's last line counts.
    """
    frame = json_lines.read_objects(part, kept, TITLES)
    # One row a (item, word); items without words have no row here.
    pairs = frame.with_row_index("row").select("row", "content").explode("content", empty_as_null=False)
    word, count = (pl.col("content").str.extract(WORD_COUNT, group).cast(pl.Int64) for group in (1, 2))
    pairs = pairs.select("row", word=word, count=count)
    repeats = pairs["count"].to_numpy()
    lengths = np.bincount(pairs["row"].to_numpy(), weights=repeats, minlength=len(frame)).astype(np.int64)
    return frame["item"].to_numpy(), raw_files.sparse_rows(lengths, np.repeat(pairs["word"].to_numpy(), repeats))


class TikTok(DataSet):
    """The TikTok data set, track 1 or track 2."""

    name = "tiktok"
    folder = "dataset/TikTok2019ICME/track1"
    tasks = (Task("tiktok_finish", "tiktok", "finish"), Task("tiktok_like", "tiktok", "like", "2"))
    minimum = 4000
    actions = LABELS
    context = CONTEXT
    version = 3
    place = 2
    published = logs.TIKTOK
    sample = sample_logs.SAMPLE

    def interaction_files(self, folder: Path) -> list[Path]:
        """Return the interaction file of either track; warn of track 2, whose time is not that of viewing.

        Raises
        ------
        UserError
            Unless there is just one, and nothing that seems to be another.
        """
        lying = raw_folder.entries(folder)
        found = [file for file in lying if ROWS_FILE.fullmatch(file.name)]
        raw_folder.check_names(lying, found, LOOKS_LIKE_ROWS, "final_track1_train.txt")
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "neither"
            raise UserError(
                f"{folder}: found {names}, expected one of final_track1_train.txt and final_track2_train.txt; "
                f"put it there or change {self.key} in path.json"
            )
        (file,) = found
        raw_files.require_file(file, self.key)
        if file.name.startswith(PUBLICATION_TIME):
            warnings.warn(f"{file.name}: its time is publication time; rows are taken in file order", stacklevel=1)
        return [file]

    def order(self, file: Path) -> str:
        """Say by what the rows of a user are sorted: the time of viewing, which only track 1 has."""
        if file.name.startswith(PUBLICATION_TIME):
            return f"place in the file, since the time of {file.name} is that of publication"
        return super().order(file)

    def interactions(self, part: Part, own: Mapping[str, Any]) -> pl.LazyFrame:
        """Scan a part of the interactions: the columns of the contract, finish and like, author and music.

        Track 2 gives the time of publication, not of viewing, so its time is 0 throughout: rows keep their file order.
        """
        frame = raw_files.scan_integers(part, COLUMNS, WANTED, LABELS, separator="\t", header=False)
        time = pl.lit(0, pl.Int64) if part.name.startswith(PUBLICATION_TIME) else pl.col("time")
        kept = frame.select(*LABELS, *CONTEXT, user="uid", item="item_id", device="device", time=time)
        return kept.select("user", "item", "device", "time", *LABELS, *CONTEXT)

    def explain(self, file: Path) -> None:
        """Raise the `UserError` that names the first broken line of the interactions in `file`."""
        raw_files.explain_integers(file, COLUMNS, WANTED, LABELS, separator="\t", header=False)

    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return the feature files of each modality, parts in numeric order, and nothing for a modality without files.

        Raises
        ------
        UserError
            If there are none, they belong to two tracks, one is empty, one modality has a whole file beside parts, or
            something else seems to be one of them.
        """
        lying = raw_folder.entries(folder)
        names = {file: name for file in lying if (name := FEATURE_FILE.fullmatch(file.name))}
        raw_folder.check_names(lying, names, LOOKS_LIKE_FEATURES, "track1_video_features_part3.txt")
        for file in names:
            raw_files.require_file(file, self.key)
        tracks = {name[1] for name in names.values()}
        tracks |= {name[1] for file in lying if (name := ROWS_FILE.fullmatch(file.name))}
        if not names or len(tracks) > 1:
            raise UserError(
                f"{folder}: found {'files of track 1 and of track 2' if names else 'no feature files'}, expected those "
                f"of one track, such as track1_title.txt; put them there or change {self.key} in path.json"
            )
        found = sorted(names, key=lambda file: int(names[file][3] or 0))
        kinds = {**{modality: row[0] for modality, row in VECTORS.items()}, "textual": "title"}
        files = {modality: [file for file in found if kind in names[file].groups()] for modality, kind in kinds.items()}
        for parts in files.values():
            if len(parts) > 1 and not names[parts[0]][3]:
                raise UserError(
                    f"{parts[0]}: lies beside {parts[1].name}, expected one or the other; remove one of them"
                )
        return {modality: parts for modality, parts in files.items() if parts}

    def raw_modalities(self, folder: Path, kept: np.ndarray, executor: Executor) -> Iterator[RawModality]:
        """Read the modalities that have files, one after another; on a cluster their rows stay on the workers.

        Yields
        ------
        RawModality
            An item has the modality when a file has a line for it; short and empty vectors are padded with zeros. Of
            several lines of an item the last one counts, in the order of the part files.
        """
        files = self.feature_files(folder)
        for modality, (_, key, components) in VECTORS.items():
            if modality in files:
                parts = json_lines.parts(executor, files[modality])
                items, vectors = item_rows.rows_of_items(executor, read_vectors, parts, kept, key)
                yield RawModality(modality, items, [Block(vectors, components)], raw_folder.gaps(files[modality]))
        if "textual" in files:
            parts = json_lines.parts(executor, files["textual"])
            items, words = item_rows.rows_of_items(executor, read_titles, parts, kept)
            yield RawModality("textual", items, [Block(words, 0.9)])

    def raw_modality(
        self, name: str, folder: Path, kept: np.ndarray, values: Mapping[str, Any], executor: Executor
    ) -> RawModality:
        """Read one modality; the others are read before it."""
        return next(found for found in self.raw_modalities(folder, kept, executor) if found.modality == name)

    def read_modalities(
        self, folder: Path, kept: np.ndarray, values: Mapping[str, Any], executor: Executor
    ) -> Iterator[Modality]:
        """Read and reduce the modalities that have files, one after another; lines of other items are not parsed."""
        yield from map(reduced, self.raw_modalities(folder, kept, executor))


DATASET = TikTok()
