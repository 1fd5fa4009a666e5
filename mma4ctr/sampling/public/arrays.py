"""Logs beside arrays whose row numbers are the items: MMRec, MMSSL, and the multimodal extension of three data sets."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import files
from mma4ctr.sampling.public import content
from mma4ctr.sampling.public.log import CHOSEN, RATED, Log, Sizes, Writer, draw_log

PARTS = (0.8, 0.1, 0.1)  # training, validation, test: x_label 0, 1, 2
# Name of an array -> the modality it is made of, its width.
Arrays = dict[str, tuple[str, int]]
MMREC: Arrays = {"image_feat": ("visual", 4096), "text_feat": ("textual", 384)}
MMSSL: Arrays = {"image_feat": ("visual", 128), "audio_feat": ("acoustic", 128), "text_feat": ("textual", 768)}
DBBOOK: Arrays = {"vit_cls": ("visual", 768), "all-mpnet-base-v2": ("textual", 768)}
LFM2K: Arrays = {"vit_avg": ("visual", 768), "whisper": ("acoustic", 512), "all-MiniLM-L6-v2": ("textual", 384)}
MOVIELENS: Arrays = {**LFM2K, "r2p1d": ("visual", 512)}


def _write_arrays(folder: Path, log: Log, arrays: Arrays, rng: np.random.Generator) -> None:
    for name, (modality, width) in arrays.items():
        content.write_array(folder / f"{name}.npy", content.vectors(log.factors, modality, width, rng))


def _part(log: Log, rng: np.random.Generator) -> np.ndarray:
    """Return the part of each row, (rows,) int64; the first row of every user is for training."""
    part = rng.choice(len(PARTS), len(log.user), p=PARTS)
    part[np.unique(log.user, return_index=True)[1]] = 0
    return part


def write_mmrec(folder: Path, rng: np.random.Generator, name: str) -> None:
    """Write NAME.inter (tabs; rows by user and time, whole days) and the arrays."""
    log = draw_log(CHOSEN, rng, chosen=True)
    day = 86_400
    rows = pl.DataFrame({
        "userID": log.user, "itemID": log.item, "rating": rng.choice([3.0, 4.0, 5.0], len(log.user)),
        "timestamp": log.seconds(1_100_000_000, 1_405_987_200) // day * day, "x_label": _part(log, rng),
    })  # fmt: skip
    content.write_table(folder / f"{name}.inter", rows.sort("userID", maintain_order=True).to_dict(), "\t")
    _write_arrays(folder, log, MMREC, rng)


def write_extension(
    folder: Path, rng: np.random.Generator, name: str, sizes: Sizes, arrays: Arrays, rated: bool, timed: bool
) -> None:
    """Write NAME.inter (tabs; one part after the other, each by user) and the arrays.

    With `rated`, ratings are 0 and 1, else always 1; only with `timed` is there a time.
    """
    log = draw_log(sizes, rng, chosen=not rated)
    rating = log.positives(0.55, rng) if rated else np.ones(len(log.user), dtype=np.int64)
    times = {"timestamp": log.seconds(956_703_932, 1_046_454_590)} if timed else {}
    rows = pl.DataFrame({"userID": log.user, "itemID": log.item, "rating": rating, **times, "x_label": _part(log, rng)})
    rows = rows[rng.permutation(len(rows))].sort("x_label", "userID", maintain_order=True)
    content.write_table(folder / f"{name}.inter", rows.to_dict(), "\t")
    _write_arrays(folder, log, arrays, rng)


def write_mmssl(folder: Path, rng: np.random.Generator) -> None:
    """Write train.json, val.json and test.json, each user -> items for every user, and the arrays."""
    log = draw_log(CHOSEN, rng, chosen=True)
    rows = pl.DataFrame({"user": log.user, "item": log.item, "part": _part(log, rng)})
    users = pl.DataFrame({"user": np.arange(CHOSEN.users)})
    for number, part in enumerate(("train", "val", "test")):
        lists = rows.filter(pl.col("part") == number).group_by("user", maintain_order=True).agg("item")
        lists = users.join(lists, on="user", how="left", maintain_order="left").with_columns(
            pl.col("item").fill_null([])
        )
        by_user = dict(zip(lists["user"].cast(pl.String).to_list(), lists["item"].to_list(), strict=True))
        with files.whole_file(folder / f"{part}.json") as file:
            file.write(json.dumps(by_user).encode())
    _write_arrays(folder, log, MMSSL, rng)


WRITERS: dict[str, Writer] = {
    **{f"mmrec_{name}": functools.partial(write_mmrec, name=name) for name in ("baby", "sports", "clothing")},
    "mmssl_tiktok": write_mmssl,
    "dbbook": functools.partial(write_extension, name="dbbook", sizes=RATED, arrays=DBBOOK, rated=True, timed=False),
    "lfm2k": functools.partial(write_extension, name="lfm2k", sizes=CHOSEN, arrays=LFM2K, rated=False, timed=False),
    "movielens_1m_multimodal": functools.partial(
        write_extension, name="movielens_1m", sizes=RATED, arrays=MOVIELENS, rated=True, timed=True
    ),
}
