"""Read the raw logs of the TikTok data set (ICME 2019 short-video challenge, track 1 or track 2)."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr import raw_files
from mma4ctr.cli import UserError
from mma4ctr.features import Block, RawModality

KEY = "tiktok_dataset_path"
LABELS = ("finish", "like")
ACTIONS = LABELS
NEEDS_KEPT_ITEMS = True  # the feature files hold far more items than the kept users watched
COLUMNS = (
    *("uid", "user_city", "item_id", "author_id", "item_city", "channel", "finish", "like", "music_id", "device"),
    *("time", "duration"),
)
WANTED = ("uid", "item_id", "finish", "like", "device", "time")
VECTOR_LENGTH = 128
# Modality -> how its files are called, and the key that holds the vector.
VECTORS = {"visual": ("video", "video_feature_dim_128", 0.9), "acoustic": ("audio", "audio_feature_128_dim", 10)}
TITLE_KEY = "title_features"
WORD_COUNT = r'"(\d+)"\s*:\s*(\d+)'
TITLE_LINE = r'^\s*\{\s*"item_id"\s*:\s*\d+\s*,\s*"title_features"\s*:\s*\{(?:\s*"\d+"\s*:\s*\d+\s*,?)*\s*\}\s*\}\s*$'


def interaction_file(folder: Path) -> Path:
    """Return the interaction file of track 1 or track 2 in `folder`; raise `UserError` unless there is just one."""
    found = sorted(folder.glob("final_track[12]_train.txt"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "neither"
        raise UserError(
            f"{folder}: found {names}, expected one of final_track1_train.txt and final_track2_train.txt; "
            f"put it there or change {KEY} in path.json"
        )
    raw_files.require_file(found[0], KEY)
    return found[0]


def interaction_files(folder: Path) -> list[Path]:
    """Return the raw files that hold the interactions."""
    return [interaction_file(folder)]


def scan_interactions(folder: Path, click_threshold: float) -> pl.LazyFrame:
    """Scan the interactions lazily: columns user, item, device, time, finish, like (int64), in file order.

    Track 2 gives the time of publication, not of viewing, so its time is 0 throughout: rows keep their file order.
    """
    del click_threshold  # both labels are recorded as such
    file = interaction_file(folder)
    frame = raw_files.scan_integers(file, COLUMNS, WANTED, separator="\t", header=False)
    time = pl.col("time")
    if file.name.startswith("final_track2"):
        warnings.warn(f"{file.name}: its time is publication time; rows are taken in file order", stacklevel=2)
        time = pl.lit(0, pl.Int64)
    return frame.select(user="uid", item="item_id", device="device", time=time, finish="finish", like="like")


def explain_interactions(folder: Path) -> None:
    """Raise the `UserError` that names the first broken line of the interactions."""
    raw_files.explain_integers(interaction_file(folder), COLUMNS, WANTED, separator="\t", header=False)


def _part_number(file: Path) -> int:
    return int(re.findall(r"part(\d+)", file.name)[0]) if "part" in file.name else 0


def feature_files(folder: Path) -> dict[str, list[Path]]:
    """Return the feature files of each modality, parts in numeric order, and nothing for a modality without files."""
    track = interaction_file(folder).name.split("_")[1]
    patterns = {modality: f"{track}_{row[0]}_features*.txt" for modality, row in VECTORS.items()}
    patterns["textual"] = f"{track}_title.txt"
    files = {modality: sorted(folder.glob(pattern), key=_part_number) for modality, pattern in patterns.items()}
    for parts in files.values():
        for file in parts:
            raw_files.require_file(file, KEY)
    return {modality: parts for modality, parts in files.items() if parts}


def _vector_problem(key: str):
    def problem_of(content: dict) -> str | None:
        vector = content.get(key)
        if not isinstance(vector, list) or not all(type(value) in (int, float) for value in vector):
            return f"{key} is {vector!r:.60}, expected a list of numbers"
        if len(vector) > VECTOR_LENGTH:
            return f"{key} has {len(vector)} numbers, expected at most {VECTOR_LENGTH}"
        return None

    return problem_of


def _read_vectors(file: Path, key: str, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the items (n,) int64 of one part file and their vectors (n, 128) float32; an item's last line counts."""
    explain = functools.partial(raw_files.explain_objects, file, kept, _vector_problem(key))
    decoded = pl.col("line").str.json_decode(pl.Struct({key: pl.List(pl.Float64)})).struct.field(key)
    kept_lines = raw_files.scan_kept_objects(file, kept)
    (frame,) = raw_files.collect([kept_lines.select("item", vector=decoded)], explain, file)
    vectors = frame["vector"]
    longest = vectors.list.len().max() or 0
    missing = (frame["item"].null_count(), vectors.null_count(), vectors.explode(empty_as_null=False).null_count())
    if any(missing) or longest > VECTOR_LENGTH:
        explain()
        raise UserError(f"{file}: holds lines without {key}; expected it on every line")
    frame = frame.unique("item", keep="last", maintain_order=True)
    return frame["item"].to_numpy(), raw_files.dense_rows(frame["vector"], VECTOR_LENGTH)


def _vectors(files: list[Path], key: str, kept: np.ndarray, progress) -> tuple[np.ndarray, np.ndarray]:
    """Return the items (n,) that have a vector in any part file, and the vectors (n, 128) float32."""
    vectors = np.zeros((len(kept), VECTOR_LENGTH), dtype=np.float32)
    present = np.zeros(len(kept), dtype=bool)
    for file in progress(files):
        items, rows = _read_vectors(file, key, kept)
        places = np.searchsorted(kept, items)
        vectors[places] = rows
        present[places] = True
    return (kept, vectors) if present.all() else (kept[present], vectors[present])


def _title_problem(content: dict) -> str | None:
    title = content.get(TITLE_KEY)
    valid = isinstance(title, dict) and all(k.isdecimal() and type(v) is int and v >= 0 for k, v in title.items())
    return None if valid else f"{TITLE_KEY} is {title!r:.60}, expected an object of word ids and counts"


def _titles(files: list[Path], kept: np.ndarray, progress):
    """Return the items (n,) that have a title line, and their word ids, repeated by count, as sparse rows."""
    frames = []
    for file in progress(files):
        explain = functools.partial(raw_files.explain_objects, file, kept, _title_problem)
        lines = raw_files.scan_kept_objects(file, kept)
        words = pl.col("line").str.extract_all(WORD_COUNT)
        valid = pl.col("line").str.contains(TITLE_LINE)
        (frame,) = raw_files.collect([lines.select("item", words=words, valid=valid)], explain, file)
        if not frame["valid"].all():
            explain()
            raise UserError(f'{file}: a line is not of the form {{"item_id": 7, "{TITLE_KEY}": {{"1": 2}}}}')
        frames.append(frame)
    frame = pl.concat(frames).unique("item", keep="last", maintain_order=True).sort("item")
    # One row a (item, word); items without words have no row here.
    words = frame.with_row_index("row").select("row", "words").explode("words", empty_as_null=False)
    pairs = words.select(
        "row",
        word=pl.col("words").str.extract(WORD_COUNT, 1).cast(pl.Int64),
        count=pl.col("words").str.extract(WORD_COUNT, 2).cast(pl.Int64),
    )
    count = pairs["count"].to_numpy()
    lengths = np.bincount(pairs["row"].to_numpy(), weights=count, minlength=len(frame)).astype(np.int64)
    return frame["item"].to_numpy(), raw_files.sparse_rows(lengths, np.repeat(pairs["word"].to_numpy(), count))


def read_modalities(folder: Path, kept: np.ndarray, seed: int, progress) -> Iterator[RawModality]:
    """Read the modalities that have files, one after another.

    Parameters
    ----------
    folder : Path
    kept : (items,) int64 array
        The items of kept users, sorted; lines of other items are not parsed.
    seed : int
        Unused: nothing about these features is random.
    progress : callable
        Wraps the list of files of a modality to show progress.

    Yields
    ------
    RawModality
        An item has the modality when a file has a line for it; short and empty vectors are padded with zeros.
    """
    del seed
    files = feature_files(folder)
    for modality, (_, key, components) in VECTORS.items():
        if modality in files:
            items, vectors = _vectors(files[modality], key, kept, progress)
            yield RawModality(modality, items, [Block(vectors, components)])
    if "textual" in files:
        items, words = _titles(files["textual"], kept, progress)
        yield RawModality("textual", items, [Block(words, 0.9)])
