"""The sample of WeChat has every irregularity of the real logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import scales, wechat_feeds, wechat_log


def test_user_action(actions: pl.DataFrame) -> None:
    assert tuple(actions.columns) == wechat_log.COLUMNS
    assert all(dtype == pl.Int64 for dtype in actions.dtypes) and not actions.null_count().sum_horizontal()[0]
    assert set(actions["date_"]) == set(range(1, 15)) and set(actions["device"]) == {1, 2}
    assert actions["userid"].min() == 8 and actions["userid"].max() == 250_236
    assert actions["feedid"].min() == 0
    # Users lie between one another, each in order of time.
    assert actions["date_"].is_sorted() and not actions["userid"].is_sorted()
    assert 0 < actions.group_by("userid").agg(pl.col("device").n_unique() > 1)["device"].mean() < 0.3
    lengths = actions["userid"].value_counts()["count"]
    assert 0 < (lengths < 50).sum() < 10


def test_play_and_stay(actions: pl.DataFrame) -> None:
    assert actions["play"].max() == 38_553_370 and actions["stay"].max() == 82_624_440
    assert (actions["play"] == 0).sum() > 0
    assert (actions["play"] > actions["stay"]).sum() > 0


def test_repeated_pairs_with_equal_and_other_labels(actions: pl.DataFrame, log: pl.DataFrame) -> None:
    for frame, pair, label in ((actions, ("userid", "feedid"), "read_comment"), (log, ("uid", "item_id"), "like")):
        pairs = frame.group_by(pair).agg(pl.len(), pl.col(label).n_unique().alias("values"))
        repeated = pairs.filter(pl.col("len") > 1)
        assert (repeated["values"] == 1).any() and (repeated["values"] == 2).any()
        assert len(repeated) < 0.05 * len(frame)


def test_feed_info(feeds: pl.DataFrame, actions: pl.DataFrame) -> None:
    assert tuple(feeds.columns) == wechat_feeds.COLUMNS
    ids = feeds["feedid"].cast(pl.Int64)
    assert ids.min() == 0 and ids.max() == 112_871 and set(actions["feedid"]) < set(ids)
    seconds = feeds["videoplayseconds"].cast(pl.Int64)
    assert seconds.min() >= 2 and seconds.max() == 59_960
    assert 0.4 < feeds["bgm_song_id"].is_null().mean() < 0.6
    assert feeds["bgm_song_id"].drop_nulls().str.contains(r"^\d+\.0$").all()
    assert not feeds.select((pl.all() == "-1").any()).row(0).count(True)


def test_texts(feeds: pl.DataFrame) -> None:
    for name, expected in (("ocr", True), ("asr", True), ("description", False)):
        words, characters = feeds[name].is_null(), feeds[f"{name}_char"].is_null()
        assert (words & ~characters).any() and (~words & characters).any()
        assert (words & characters).any() or not expected
        assert feeds[name].drop_nulls().str.contains(r"^\d+( \d+)*$").all()
        assert feeds[name].str.split(" ").list.len().max() == getattr(scales.WECHAT_TINY, name).longest
        assert feeds[f"{name}_char"].str.split(" ").list.len().max() <= 60


def test_keywords_and_tags(feeds: pl.DataFrame) -> None:
    for column, longest in {"manual_keyword_list": 18, "machine_keyword_list": 16, "manual_tag_list": 14}.items():
        lists = feeds[column].drop_nulls()
        assert 0 < len(lists) < len(feeds) and lists.str.contains(r"^\d+(;\d+)*$").all()
        lengths = lists.str.split(";").list.len()
        assert lengths.max() == longest
        assert (lists.str.split(";").list.n_unique() < lengths).any()
    tags = feeds["machine_tag_list"].drop_nulls()
    number = r"\d+ \d(\.\d+)?(e-\d\d)?"
    assert tags.str.contains(rf"^{number}(;{number})*$").all()
    assert tags.str.contains(r"e-07").any() and tags.str.contains(r" 0\.0(;|$)").any()
    scores = [[float(tag.split(" ")[1]) for tag in row.split(";")] for row in tags]
    assert any(row != sorted(row, reverse=True) for row in scores)


def test_feed_embeddings(tiny_raw: Path, feeds: pl.DataFrame) -> None:
    lines = (tiny_raw / "dataset/wechat/feed_embeddings.csv").read_text().splitlines()
    assert lines[0] == "feedid,feed_embedding" and all(line.endswith(" ") for line in lines[1:])
    ids, vectors = zip(*(line.split(",") for line in lines[1:]), strict=True)
    assert sorted(ids) == sorted(feeds["feedid"]) and list(ids) != list(feeds["feedid"])
    assert {len(np.fromstring(vector, sep=" ")) for vector in vectors} == {512}
