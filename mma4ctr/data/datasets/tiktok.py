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
from mma4ctr.data import item_rows, raw_files
from mma4ctr.data.blocks import Block, Modality, RawModality, reduced
from mma4ctr.data.contract import DataSet
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import Executor
from mma4ctr.published import logs
from mma4ctr.sampling import tiktok as sample_logs

LABELS = ("finish", "like")
COLUMNS = (
    *("uid", "user_city", "item_id", "author_id", "item_city", "channel", "finish", "like", "music_id", "device"),
    *("time", "duration"),
)
WANTED = ("uid", "item_id", "finish", "like", "device", "time")
PUBLICATION_TIME = "final_track2"  # files that are called so give the time of publication, not of viewing
VECTOR_LENGTH = 128
# Modality -> how its files are called, and the key that holds the vector.
VECTORS = {"visual": ("video", "video_feature_dim_128", 0.9), "acoustic": ("audio", "audio_feature_128_dim", 10)}
LARGEST = 1e30  # a vector holds nothing near it; beyond it float32 overflows somewhere on the way
TITLE_KEY = "title_features"
LONGEST_TITLE = 10_000  # words, each as often as it is counted
WORD_COUNT = r'"(\d{1,18})"\s*:\s*(\d{1,18})'
_ITEM = r'"item_id"\s*:\s*-?\d+'
_WORD = r'"\d{1,18}"\s*:\s*\d{1,18}'
_TITLE = rf'"{TITLE_KEY}"\s*:\s*\{{\s*(?:{_WORD}\s*(?:,\s*{_WORD}\s*)*)?\}}'
TITLE_LINE = rf"^\s*\{{\s*(?:{_ITEM}\s*,\s*{_TITLE}|{_TITLE}\s*,\s*{_ITEM})\s*\}}\s*$"
FEATURE_FILE = re.compile(r"(track[12])_(?:(video|audio)_features(?:_part(\d+))?|(title))\.txt")


def _vector_problem(key: str):
    def problem_of(content: dict) -> str | None:
        vector = content.get(key)
        if not isinstance(vector, list):
            return f"{key} is {raw_files.shown(vector)}, expected a list of numbers"
        if len(vector) > VECTOR_LENGTH:
            return f"{key} has {len(vector)} numbers, expected at most {VECTOR_LENGTH}"
        odd = [value for value in vector if type(value) not in (int, float) or abs(value) > LARGEST]
        return f"{key} holds {raw_files.shown(odd[0])}, expected numbers up to {LARGEST:g}" if odd else None

    return problem_of


def read_vectors(part: Part, kept: np.ndarray, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the items (n,) int64 of one part and their vectors (n, 128) float32; an item's last line counts."""
    explain = functools.partial(raw_files.explain_objects, part.file, kept, _vector_problem(key))
    decoded = pl.col("line").str.json_decode(pl.Struct({key: pl.List(pl.Float64)})).struct.field(key)
    # Decoding alone would take true for 1 and a bare number for a list of one.
    numbers = pl.col("line").str.contains(rf'"{key}"\s*:\s*\[[-+.,eE0-9 \t]*\]')
    kept_lines = raw_files.scan_kept_objects(part, kept)
    (frame,) = raw_files.collect([kept_lines.select("item", vector=decoded, numbers=numbers)], explain, part.file)
    vectors = frame["vector"]
    valid = frame["item"].null_count() == 0 and vectors.null_count() == 0 and frame["numbers"].all()
    largest = frame.select(pl.max_horizontal(pl.col("vector").list.max().max(), -pl.col("vector").list.min().min()))
    longest = int(vectors.list.len().to_numpy().max(initial=0)) if valid else 0
    if not valid or (largest.item() or 0.0) > LARGEST or longest > VECTOR_LENGTH:
        explain()
        raise UserError(f'{part.file}: a line is not of the form {{"item_id": 7, "{key}": [0.5]}}; mend the line')
    frame = frame.unique("item", keep="last", maintain_order=True)
    return frame["item"].to_numpy(), raw_files.dense_rows(frame["vector"], VECTOR_LENGTH)


def _title_problem(content: dict) -> str | None:
    title = content.get(TITLE_KEY)
    if not isinstance(title, dict):
        return f"{TITLE_KEY} is {raw_files.shown(title)}, expected an object of word ids and counts"
    for word, count in title.items():
        if not re.fullmatch("[0-9]{1,18}", word) or type(count) is not int or count < 0:
            return f"{TITLE_KEY} holds {raw_files.shown({word: count})}, expected word ids and whole counts"
    if sum(title.values()) > LONGEST_TITLE:
        return f"{TITLE_KEY} counts {sum(title.values())} words, expected at most {LONGEST_TITLE}"
    others = [key for key in content if key not in ("item_id", TITLE_KEY)]
    return f"found the key {raw_files.shown(others[0])}, expected only item_id and {TITLE_KEY}" if others else None


def _title_lines(part: Part, kept: np.ndarray) -> pl.DataFrame:
    """Return the lines of kept items in a part: columns item, and words, a list of texts like ``"12": 3``."""
    explain = functools.partial(raw_files.explain_objects, part.file, kept, _title_problem)
    words = pl.col("line").str.extract_all(WORD_COUNT)
    valid = pl.col("line").str.contains(TITLE_LINE)
    lines = raw_files.scan_kept_objects(part, kept).select("item", words=words, valid=valid)
    (frame,) = raw_files.collect([lines], explain, part.file)
    if not frame["valid"].all() or frame["item"].has_nulls():
        explain()
        raise UserError(
            f'{part.file}: a line is not of the form {{"item_id": 7, "{TITLE_KEY}": {{"1": 2}}}}; mend the line'
        )
    return frame.select("item", "words").unique("item", keep="last", maintain_order=True)


def read_titles(part: Part, kept: np.ndarray) -> tuple[np.ndarray, scipy.sparse.csr_array]:
    """Return the items (n,) int64 of a part of the title file, and their word ids, repeated by count, as sparse rows.

    An item's last line counts.
    """
    frame = _title_lines(part, kept)
    # One row a (item, word); items without words have no row here.
    pairs = frame.with_row_index("row").select("row", "words").explode("words", empty_as_null=False)
    pairs = pairs.select(
        "row",
        word=pl.col("words").str.extract(WORD_COUNT, 1).cast(pl.Int64),
        count=pl.col("words").str.extract(WORD_COUNT, 2).cast(pl.Int64).clip(upper_bound=LONGEST_TITLE + 1),
    )
    count = pairs["count"].to_numpy()
    lengths = np.bincount(pairs["row"].to_numpy(), weights=count, minlength=len(frame)).astype(np.int64)
    if lengths.max(initial=0) > LONGEST_TITLE:
        raw_files.explain_objects(part.file, kept, _title_problem)
        raise UserError(
            f"{part.file}: a title has {lengths.max()} words, expected at most {LONGEST_TITLE}; mend the line"
        )
    return frame["item"].to_numpy(), raw_files.sparse_rows(lengths, np.repeat(pairs["word"].to_numpy(), count))


class TikTok(DataSet):
    """The TikTok data set, track 1 or track 2."""

    name = "tiktok"
    folder = "dataset/TikTok2019ICME/track1"
    tasks = (Task("tiktok_finish", "tiktok", "finish"), Task("tiktok_like", "tiktok", "like", "2"))
    minimum = 4000
    actions = LABELS
    place = 2
    published = logs.TIKTOK
    sample = sample_logs.SAMPLE

    def interaction_files(self, folder: Path) -> list[Path]:
        """Return the interaction file of either track; warn of track 2, whose time is not that of viewing.

        Raises
        ------
        UserError
            Unless there is just one.
        """
        found = sorted(folder.glob("final_track[12]_train.txt"))
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
        """Scan a part of the interactions: the columns of the contract, finish and like.

        Track 2 gives the time of publication, not of viewing, so its time is 0 throughout: rows keep their file order.
        """
        frame = raw_files.scan_integers(part, COLUMNS, WANTED, LABELS, separator="\t", header=False)
        time = pl.lit(0, pl.Int64) if part.name.startswith(PUBLICATION_TIME) else pl.col("time")
        return frame.select(user="uid", item="item_id", device="device", time=time, finish="finish", like="like")

    def explain(self, file: Path) -> None:
        """Raise the `UserError` that names the first broken line of the interactions in `file`."""
        raw_files.explain_integers(file, COLUMNS, WANTED, LABELS, separator="\t", header=False)

    def feature_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return the feature files of each modality, parts in numeric order, and nothing for a modality without files.

        Raises
        ------
        UserError
            If there are none, they belong to two tracks, one is empty, or a name could be a part's but is not.
        """
        patterns = ("track[12]_*_features*.txt", "track[12]_title*.txt")
        found = sorted(file for pattern in patterns for file in folder.glob(pattern))
        names: dict[Path, re.Match[str]] = {}
        for file in found:
            if (name := FEATURE_FILE.fullmatch(file.name)) is None:
                raise UserError(
                    f"{file}: not a name of a feature file, such as track1_video_features_part3.txt; rename it"
                )
            raw_files.require_file(file, self.key)
            names[file] = name
        tracks = {name[1] for name in names.values()}
        tracks |= {file.name.split("_")[1] for file in folder.glob("final_track[12]_train.txt")}
        if not found or len(tracks) > 1:
            raise UserError(
                f"{folder}: found {'files of track 1 and of track 2' if found else 'no feature files'}, expected those "
                f"of one track, such as track1_title.txt; put them there or change {self.key} in path.json"
            )
        found.sort(key=lambda file: int(names[file][3] or 0))
        kinds = {**{modality: row[0] for modality, row in VECTORS.items()}, "textual": "title"}
        files = {modality: [file for file in found if kind in names[file].groups()] for modality, kind in kinds.items()}
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
                parts = raw_files.parts(executor, files[modality])
                items, vectors = item_rows.rows_of_items(executor, read_vectors, parts, kept, key)
                yield RawModality(modality, items, [Block(vectors, components)])
        if "textual" in files:
            parts = raw_files.parts(executor, files["textual"])
            items, words = item_rows.rows_of_items(executor, read_titles, parts, kept)
            yield RawModality("textual", items, [Block(words, 0.9)])

    def read_modalities(
        self, folder: Path, kept: np.ndarray, values: Mapping[str, Any], executor: Executor
    ) -> Iterator[Modality]:
        """Read and reduce the modalities that have files, one after another; lines of other items are not parsed."""
        yield from map(reduced, self.raw_modalities(folder, kept, executor))


DATASET = TikTok()
