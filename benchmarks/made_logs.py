"""Logs for step_1.py: written at random, counted and filtered by polars alone, and taken through step 1.

tiktok  eleven columns of integers beside the user, of which about half of the rows are of users with enough of them
taobao  UserBehavior.csv, as it is declared: a comma CSV without header; nearly every user has enough rows
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import measure
import numpy as np
import polars as pl

sys.path.insert(0, str(measure.ROOT))

import preprocess_inter
from mma4ctr.data.datasets import tiktok

CHUNK = 2_000_000  # rows that are written at a time
BEHAVIOURS = {"pv": 0.9, "cart": 0.05, "fav": 0.03, "buy": 0.02}
TAOBAO = {"user": pl.Int64, "item": pl.Int64, "category": pl.Int64, "behaviour": pl.String, "time": pl.Int64}


LEAST = {"tiktok": 300, "taobao": 10}


def tiktok_rows(rng: np.random.Generator, rows: int, share: float) -> pl.DataFrame:
    """Return rows of a TikTok log of the time of viewing; at the 20 M rows that `share` is 1 for, 70,000 users."""
    users, items = max(60, int(70_000 * share)), max(500, int(4_000_000 * share))
    user, item = ((number * rng.random(rows) ** power).astype(np.int64) for number, power in ((users, 2), (items, 3)))
    columns = {
        "uid": user, "user_city": rng.integers(-1, 400, rows), "item_id": item, "author_id": item // 3,
        "item_city": rng.integers(-1, 460, rows), "channel": rng.integers(0, 5, rows),
        "finish": (rng.random(rows) < 0.4).astype(int), "like": (rng.random(rows) < 0.01).astype(int),
        "music_id": rng.integers(-1, 89_000, rows), "device": user + (rng.random(rows) < 0.02),
        "time": 53_056_000_000 + rng.integers(0, 30_000_000, rows), "duration": rng.integers(3, 60, rows),
    }  # fmt: skip
    return pl.DataFrame(columns).select(tiktok.COLUMNS)


def taobao_rows(rng: np.random.Generator, rows: int, share: float) -> pl.DataFrame:
    """Return rows of a Taobao log; at the 100 M rows that `share` is 1 for, 988,000 users and 4.16 M items."""
    users, items = max(60, int(988_000 * share)), max(500, int(4_160_000 * share))
    user, item = ((number * rng.random(rows) ** power).astype(np.int64) for number, power in ((users, 1.5), (items, 3)))
    behaviour = pl.Series(list(BEHAVIOURS)).gather(rng.choice(len(BEHAVIOURS), rows, p=list(BEHAVIOURS.values())))
    return pl.DataFrame({"user": user + 1, "item": item + 1, "category": item % 9_000, "behaviour": behaviour,
                         "time": 1_511_544_000 + rng.integers(0, 777_600, rows)})  # fmt: skip


ROWS: dict[str, tuple[Callable[[np.random.Generator, int, float], pl.DataFrame], int, str]] = {
    "tiktok": (tiktok_rows, 20_000_000, "\t"), "taobao": (taobao_rows, 100_000_000, ","),
}  # fmt: skip


def file_of(log: str, folder: str) -> Path:
    """Return where a log lies."""
    return Path(folder) / ("final_track1_train.txt" if log == "tiktok" else "UserBehavior.csv")


def write(log: str, rows: str, folder: str) -> None:
    """Write a log, and a path.json that leads to it."""
    (made, full, separator), left, rng = ROWS[log], int(rows), np.random.default_rng(0)
    with open(file_of(log, folder), "wb") as stream:
        while left > 0:
            frame = made(rng, min(left, CHUNK), int(rows) / full)
            frame.write_csv(stream, separator=separator, include_header=False)
            left -= len(frame)
    content = {"parent_folder": "built", f"{log}_dataset_path": folder, "min_interactions": {log: LEAST[log]}}
    (Path(folder) / "path.json").write_text(json.dumps(content))


def bare(log: str, folder: str) -> None:
    """Count the rows of each user, and keep those of users with enough: polars by itself, on the columns of step 1."""
    schema = dict.fromkeys(tiktok.COLUMNS, pl.Int64) if log == "tiktok" else TAOBAO
    wanted = tiktok.WANTED if log == "tiktok" else [name for name in TAOBAO if name != "category"]
    scan = pl.scan_csv(file_of(log, folder), separator=ROWS[log][2], has_header=False, schema=schema).select(wanted)
    counts = scan.group_by(wanted[0]).len().filter(pl.col("len") >= LEAST[log]).collect(engine="streaming")
    kept = scan.filter(pl.col(wanted[0]).is_in(counts[wanted[0]].implode())).collect(engine="streaming")
    print(f"{len(kept):,} rows of {len(counts):,} users kept")


def step_1(log: str, folder: str) -> None:
    """Run step 1."""
    preprocess_inter.main(["--paths", str(Path(folder) / "path.json"), "--dataset", log, "--force"])


if __name__ == "__main__":
    measure.run_one_of({"write": write, "bare": bare, "step_1": step_1}, __doc__)
