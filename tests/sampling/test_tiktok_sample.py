"""The sample of TikTok has every irregularity of the real logs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

VECTOR_KEYS = {"video": "video_feature_dim_128", "audio": "audio_feature_128_dim"}


def feature_lines(track: Path, name: str) -> list[list[dict]]:
    paths = sorted(track.glob(f"track1_{name}*.txt"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


def test_track_log(log: pl.DataFrame) -> None:
    assert all(dtype == pl.Int64 for dtype in log.dtypes) and not log.null_count().sum_horizontal()[0]
    assert log["time"].min() > 2**31
    for column in ("user_city", "item_city", "music_id"):
        assert 0 < (log[column] == -1).mean() < 0.8
    assert log.drop("user_city", "item_city", "music_id").min().min_horizontal()[0] >= 0
    assert not any(user["time"].is_sorted() for _, user in log.group_by("uid") if len(user) > 20)
    assert log["item_id"].max() > 30_000_000 and log["uid"].min() == 0


@pytest.mark.parametrize(("name", "parts"), [("video", 11), ("audio", 4)])
def test_vectors(name: str, parts: int, track: Path, log: pl.DataFrame) -> None:
    files = feature_lines(track, name)
    lines = [line for part in files for line in part]
    assert len(files) == parts and all(files)
    assert {tuple(line) for line in lines} == {("item_id", VECTOR_KEYS[name])}
    lengths = np.array([len(line[VECTOR_KEYS[name]]) for line in lines])
    assert (lengths == 128).mean() > 0.9 and (lengths == 0).any() and ((lengths > 0) & (lengths < 128)).any()
    ids = [line["item_id"] for line in lines]
    watched = set(log["item_id"])
    assert watched - set(ids) and set(ids) - watched
    by_item = {}
    differ = [by_item.setdefault(line["item_id"], line) != line for line in lines]
    assert any(differ) and len(by_item) < len(lines)


def test_titles(track: Path) -> None:
    (lines,) = feature_lines(track, "title")
    assert {tuple(line) for line in lines} == {("item_id", "title_features")}
    titles = [line["title_features"] for line in lines]
    assert {} in titles and max(max(title.values(), default=0) for title in titles) > 1
    assert (track / "track1_title.txt").read_text().startswith('{"item_id": ')
