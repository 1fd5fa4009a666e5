"""The files of the tiny sample, read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

LOG_COLUMNS = (
    "uid", "user_city", "item_id", "author_id", "item_city", "channel",
    "finish", "like", "music_id", "device", "time", "duration",
)  # fmt: skip


@pytest.fixture(scope="module")
def actions(tiny_raw: Path) -> pl.DataFrame:
    return pl.read_csv(tiny_raw / "dataset/wechat/user_action.csv")


@pytest.fixture(scope="module")
def feeds(tiny_raw: Path) -> pl.DataFrame:
    return pl.read_csv(tiny_raw / "dataset/wechat/feed_info.csv", infer_schema=False)


@pytest.fixture(scope="module")
def track(tiny_raw: Path) -> Path:
    return tiny_raw / "dataset/TikTok2019ICME/track1"


@pytest.fixture(scope="module")
def log(track: Path) -> pl.DataFrame:
    return pl.read_csv(track / "final_track1_train.txt", separator="\t", has_header=False, new_columns=LOG_COLUMNS)
