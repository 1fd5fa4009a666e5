"""The sample: same seed, same bytes; every irregularity of the real logs; published statistics; safe folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sample_data
from mma4ctr.sampling import draws, published, scales, split_counts, taste, wechat_feeds, wechat_log
from mma4ctr.sampling.wechat_actions import ACTIONS

VECTOR_KEYS = {"video": "video_feature_dim_128", "audio": "audio_feature_128_dim"}
LOG_COLUMNS = (
    "uid", "user_city", "item_id", "author_id", "item_city", "channel",
    "finish", "like", "music_id", "device", "time", "duration",
)  # fmt: skip


def write(folder: Path, *arguments: str) -> Path:
    sample_data.main(["--out", str(folder), *arguments])
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tiny"), "--scale", "tiny")


@pytest.fixture(scope="module")
def actions(tiny: Path) -> pl.DataFrame:
    return pl.read_csv(tiny / "dataset/wechat/user_action.csv")


@pytest.fixture(scope="module")
def feeds(tiny: Path) -> pl.DataFrame:
    return pl.read_csv(tiny / "dataset/wechat/feed_info.csv", infer_schema=False)


@pytest.fixture(scope="module")
def track(tiny: Path) -> Path:
    return tiny / "dataset/TikTok2019ICME/track1"


@pytest.fixture(scope="module")
def log(track: Path) -> pl.DataFrame:
    return pl.read_csv(track / "final_track1_train.txt", separator="\t", has_header=False, new_columns=LOG_COLUMNS)


def feature_lines(track: Path, name: str) -> list[list[dict]]:
    paths = sorted(track.glob(f"track1_{name}*.txt"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


# Folders and the marker


def test_same_seed_same_bytes(tiny: Path, tmp_path: Path) -> None:
    assert digests(write(tmp_path / "again", "--scale", "tiny")) == digests(tiny)
    other = digests(write(tmp_path / "other", "--scale", "tiny", "--seed", "1"))
    assert [name for name, digest in digests(tiny).items() if other[name] == digest] == ["path.json"]


def test_one_dataset_has_the_same_bytes_as_both(tiny: Path, tmp_path: Path) -> None:
    alone = digests(write(tmp_path, "--scale", "tiny", "--dataset", "tiktok"))
    assert not (tmp_path / "dataset/wechat").exists()
    alone.pop("sample.json")
    assert alone.items() <= digests(tiny).items()


def test_complete_sample_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    before = times()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert "wechat: up to date" in capsys.readouterr().out
    assert times() == before
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat", "--force")
    after = times()
    assert all(after[path] > before[path] for path in tmp_path.rglob("*.csv"))
    (tmp_path / "dataset/wechat/feed_info.csv").unlink()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert (tmp_path / "dataset/wechat/feed_info.csv").exists()


def test_force_with_other_settings_leaves_nothing_of_the_old_sample(tmp_path: Path) -> None:
    write(tmp_path, "--scale", "tiny")
    write(tmp_path, "--scale", "tiny", "--seed", "1", "--dataset", "wechat", "--force")
    assert not [path for path in (tmp_path / "dataset/TikTok2019ICME").rglob("*") if path.is_file()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        sample_data.main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize("name", ["dataset/wechat/user_action.csv", "dataset/notes.txt", "path.json"])
def test_never_among_real_logs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = tmp_path / name
    real.parent.mkdir(parents=True, exist_ok=True)
    real.write_text("real")
    for force in ((), ("--force",)):
        assert str(real) in refused(capsys, "--scale", "tiny", "--out", str(tmp_path), *force)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [real]
    assert real.read_text() == "real"


def test_other_settings_need_force(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(tiny)
    error = refused(capsys, "--scale", "tiny", "--seed", "1", "--out", str(tiny))
    assert "seed 0" in error and "seed 1" in error and "--force" in error
    assert digests(tiny) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"written_by": "somebody"}'])
def test_foreign_marker_is_refused(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sample.json").write_text(content)
    assert "sample.json" in refused(capsys, "--scale", "tiny", "--out", str(tmp_path), "--force")


def test_no_large_scale_without_signal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "use --scale demo or tiny" in refused(capsys, "--scale", "full", "--signal", "none")


def test_an_interrupted_write_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_feeds, "feed_info", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert {path.name for path in (tmp_path / "dataset/wechat").iterdir()} == {"user_action.csv"}
    monkeypatch.undo()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert (tmp_path / "dataset/wechat/feed_info.csv").exists()


def test_paths_file(tiny: Path) -> None:
    content = json.loads((tiny / "path.json").read_text())
    assert content["parent_folder"] == "."
    assert content["min_interactions"] == {"wechat": 50, "tiktok": 50}
    for dataset in ("wechat", "tiktok"):
        assert (tiny / content[f"{dataset}_dataset_path"]).is_dir()


# Positives


PROMISED = [("tiny", "taste", 200), ("demo", "taste", 200), ("tiny", "none", 2000)]


@pytest.mark.parametrize(("scale", "signal", "least"), PROMISED)
def test_positives_in_validation_and_test(scale: str, signal: str, least: int, tmp_path: Path) -> None:
    write(tmp_path, "--scale", scale, "--signal", signal)
    lines = json.loads((tmp_path / "sample.json").read_text())["complete"]
    tasks = [line for dataset in lines.values() for line in dataset if "in validation" in line]
    assert [line.split(":")[0] for line in tasks] == ["wechat", "tiktok_finish", "tiktok_like"]
    for line in tasks:
        validation, test = line.split("modalities ")[1].replace(",", "").split(" positives in validation ")
        assert int(validation) >= least, line
        assert int(test.split()[0]) >= least, line


def test_split_counts_on_a_log_counted_by_hand() -> None:
    # User 0 has 11 rows, one of them a repeated pair: ten remain, the last is test, the one before it validation.
    # User 1 is too short to be kept.
    user = np.array([0] * 11 + [1] * 3)
    item = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1, 2])
    time = np.array([20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 0, 0, 0])
    labels = np.zeros((14, 2), dtype=bool)
    labels[0] = True, True  # item 0 at time 20: the last row but for its repetition
    labels[9] = True, False  # item 9 at time 9: the one before
    labels[10] = True, True  # the repetition
    complete = np.ones(10, dtype=bool)
    counts = split_counts.count(user, item, time, labels, complete, 4)
    assert (counts.rows, counts.kept_users, counts.kept_rows, counts.fused_rows) == (14, 1, 11, 11)
    assert counts.positives.tolist() == [3, 2]
    assert counts.test_positives.tolist() == [1, 1]
    assert counts.validation_positives.tolist() == [1, 0]
    complete[0] = False
    assert split_counts.count(user, item, time, labels, complete, 4).test_positives.tolist() == [0, 0]


# Irregularities of WeChat


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


def test_feed_embeddings(tiny: Path, feeds: pl.DataFrame) -> None:
    lines = (tiny / "dataset/wechat/feed_embeddings.csv").read_text().splitlines()
    assert lines[0] == "feedid,feed_embedding" and all(line.endswith(" ") for line in lines[1:])
    ids, vectors = zip(*(line.split(",") for line in lines[1:]), strict=True)
    assert sorted(ids) == sorted(feeds["feedid"]) and list(ids) != list(feeds["feedid"])
    assert {len(np.fromstring(vector, sep=" ")) for vector in vectors} == {512}


# Irregularities of TikTok


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


# Published statistics


@pytest.fixture(scope="module")
def tenth() -> tuple[scales.WechatScale, wechat_log.Log]:
    scale = scales.WECHAT_SCALES["tenth", "taste"]
    rng = draws.generator(0, 0, 0)
    feeds = wechat_feeds.draw_feeds(scale, taste.item_factors(scale.feeds, rng), rng)
    return scale, wechat_log.draw_log(scale, feeds, 0)


def test_tenth_of_wechat_follows_the_published_statistics(tenth: tuple[scales.WechatScale, wechat_log.Log]) -> None:
    scale, log = tenth
    assert len(log.user) == scale.rows == 731_788
    for action, rate in zip(ACTIONS, log.actions.mean(axis=0), strict=True):
        assert rate == pytest.approx(published.ACTION_RATES[action], rel=0.03)
    weights = np.array([{"read_comment": 4, "like": 3, "click_avatar": 2}.get(action, 1) for action in ACTIONS])
    assert np.array_equal(log.actions @ weights >= 0.5 * weights.sum(), log.click)
    assert (~log.click).sum() / log.click.sum() == pytest.approx(389.228, rel=0.01)
    for index, buckets in ((log.user, published.WECHAT_USERS), (log.feed, published.WECHAT_FEEDS)):
        counts = np.bincount(index)
        counts = counts[counts > 0]
        for bucket in buckets:
            share = ((counts >= bucket.low) & (counts <= (bucket.high or counts.max()))).mean()
            assert share == pytest.approx(bucket.share, abs=0.002)
    # With 2,000 users, feeds watched over 1,000 times repeat for the longest users.
    pairs = np.unique(log.user.astype(np.int64) * scale.feeds + log.feed)
    assert 0.95 * scale.rows < len(pairs) < scale.rows


@pytest.mark.parametrize("name", ["tenth", "full"])
def test_tiktok_users_follow_the_published_statistics(name: str) -> None:
    scale = scales.TIKTOK_SCALES[name, "taste"]
    counts = draws.counts_by_bucket(scale.users_by_length, scale.users, scale.rows, scale.longest_user)
    factor = 636_281 / scale.users
    assert counts.sum() == scale.rows and counts.max() == 21_302
    for least, users in ((1500, 35_645), (2000, 17_450), (3000, 4_997), (4000, 1_678)):
        assert (counts >= least).sum() * factor == pytest.approx(users, rel=0.01)
    for least, rows in ((2000, 49_550_347), (3000, 19_909_447), (4000, 8_622_897)):
        assert counts[counts >= least].sum() * factor == pytest.approx(rows, rel=0.01)


def test_tiktok_items_follow_the_published_statistics() -> None:
    scale = scales.TIKTOK_SCALES["tenth", "taste"]
    counts = draws.counts_by_bucket(scale.items_by_popularity, scale.items_watched, scale.rows, scale.most_popular)
    assert counts.sum() == scale.rows and counts.max() == scale.most_popular
    shares = [(counts == 1).mean(), ((counts > 1) & (counts <= 10)).mean(), (counts > 10).mean()]
    assert shares == pytest.approx([0.6492, 0.2786, 0.0722], abs=1e-3)


# Signal


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positives = labels.sum()
    return (ranks[labels].sum() - positives * (positives + 1) / 2) / positives / (len(labels) - positives)


@pytest.mark.parametrize(("signal", "low", "high"), [(1.0, 0.8, 0.9), (0.0, 0.45, 0.55)])
def test_what_the_true_probability_scores(signal: float, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    factors = taste.item_factors(3_000, rng)
    user, item = rng.integers(0, 500, 100_000), rng.integers(0, 3_000, 100_000)
    for weights in (taste.WECHAT_CLICK, taste.TIKTOK_FINISH, taste.TIKTOK_LIKE):
        users = taste.draw_users(500, weights, taste.draw_tastes(500, rng), signal, rng)
        scores = taste.scores(users, factors, user, item)
        labels = draws.draw_exact(draws.sigmoid(scores + draws.intercept(scores, 0.08)), rng)
        assert labels.sum() == pytest.approx(8_000, abs=2)
        assert low < area_under_curve(scores + 1e-6 * rng.random(len(scores)), labels) < high
        if signal:
            assert 0.62 < area_under_curve(users.rate[user], labels) < 0.74
            assert 0.58 < area_under_curve(factors[item] @ np.float32(weights.content), labels) < 0.70
