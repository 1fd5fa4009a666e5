"""WeChat's raw files are read with everything that they hold, each against a plain row-by-row reading."""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mma4ctr.data import feed_info
from mma4ctr.data.datasets import wechat
from mma4ctr.data.raw_files import Part
from plain_reading import dense, padded

ACTION_COLUMNS = (
    *("userid", "feedid", "date_", "device", "read_comment", "comment", "like", "play", "stay", "click_avatar"),
    *("forward", "follow", "favorite"),
)
INFO_COLUMNS = (
    *("feedid", "authorid", "videoplayseconds", "description", "ocr", "asr", "bgm_song_id", "bgm_singer_id"),
    *("manual_keyword_list", "machine_keyword_list", "manual_tag_list", "machine_tag_list", "description_char"),
    *("ocr_char", "asr_char"),
)
WEIGHTS = {"read_comment": 4, "like": 3, "click_avatar": 2, "forward": 1, "favorite": 1, "comment": 1, "follow": 1}


def write_csv(file: Path, columns: list[str], rows: list[dict], *, end: str = "\n", start: str = "") -> None:
    lines = [",".join(columns), *(",".join(str(row.get(column, "")) for column in columns) for row in rows)]
    file.write_text(start + end.join(lines) + end, encoding="utf-8", newline="")


def action(rng: random.Random, **changes: object) -> dict:
    row = {column: rng.randrange(2) for column in ACTION_COLUMNS}
    return {**row, "userid": rng.randrange(9), "feedid": rng.randrange(40), "play": 38_553_370, **changes}


def read_all(folder: Path) -> dict:
    feeds = wechat.read_feed_info(wechat.DATASET.feature_files(folder)["visual"][0])
    return {modality: wechat.raw_modality(modality, feeds, 0) for modality in wechat.TEXTS}


# ---- interactions


def interactions(folder: Path, threshold: float) -> pl.DataFrame:
    (file,) = wechat.DATASET.interaction_files(folder)
    return wechat.DATASET.interactions(Part(file), {"click_threshold": threshold}).collect()


@pytest.mark.parametrize(("end", "start"), [("\n", ""), ("\r\n", ""), ("\r\n", "\ufeff"), ("\n", "\ufeff")])
def test_wechat_interactions_equal_a_plain_reading(tmp_path: Path, end: str, start: str) -> None:
    rng = random.Random(end + start)
    columns = [*ACTION_COLUMNS, "note", "another"]
    rng.shuffle(columns)
    columns.append("score")
    rows = [action(rng, note="some text", another="", score=0.5) for _ in range(200)]
    write_csv(tmp_path / "user_action.csv", columns, rows, end=end, start=start)
    found = interactions(tmp_path, 0.5)
    with open(tmp_path / "user_action.csv", encoding="utf-8-sig", newline="") as stream:
        for got, row in itertools.zip_longest(found.iter_rows(named=True), csv.DictReader(stream)):
            assert (got["user"], got["item"], got["device"], got["time"]) == (
                int(row["userid"]), int(row["feedid"]), int(row["device"]), int(row["date_"]),
            )  # fmt: skip
            assert all(got[name] == int(row[name]) for name in WEIGHTS)
            assert got["click"] == int(sum(int(row[name]) * weight for name, weight in WEIGHTS.items()) / 13 >= 0.5)


@pytest.mark.parametrize("threshold", [0.01, 1 / 13, 4 / 13, 0.5, 7 / 13, 0.9, 1.0])
def test_a_wechat_click_is_a_weighted_mean_of_the_seven_actions(tmp_path: Path, threshold: float) -> None:
    rng = random.Random(0)
    every = list(itertools.product((0, 1), repeat=7))
    rows = [action(rng, **dict(zip(WEIGHTS, actions, strict=True))) for actions in every]
    write_csv(tmp_path / "user_action.csv", list(ACTION_COLUMNS), rows)
    clicks = interactions(tmp_path, threshold)["click"].to_list()
    expected = [
        sum(w for w, a in zip(WEIGHTS.values(), actions, strict=True) if a) / 13 >= threshold for actions in every
    ]
    assert len(every) == 128
    assert clicks == expected


# ---- features


def random_feed(rng: random.Random, feed: int) -> dict:
    def text(longest: int = 12) -> str:
        ids = " ".join(str(rng.choice([0, 5, rng.randrange(100_000)])) for _ in range(rng.randrange(1, longest)))
        return rng.choice([ids, ids + " ", ids, ids.replace(" ", "  ")])

    def maybe(value: object) -> object:
        return rng.choice(["", value])

    number = rng.choice([0, 12, 12, rng.randrange(30)])
    scores = ["0.39245349", "3.8e-07", "0.0", "1", "9.9E-1"]
    return {
        "feedid": feed,
        **{name: maybe(text()) for name in feed_info.TEXT_COLUMNS},
        "bgm_song_id": maybe(rng.choice([f"{number}", f"{number}.0"])),
        "bgm_singer_id": maybe(rng.choice([f"{number}", f"{number}."])),
        "manual_keyword_list": maybe("9;6;222;222"),
        "machine_keyword_list": maybe(";".join(str(rng.randrange(27_270)) for _ in range(rng.randrange(1, 20)))),
        "manual_tag_list": maybe("7;7;0"),
        "machine_tag_list": maybe(
            ";".join(f"{rng.randrange(352)} {rng.choice(scores)}" for _ in range(rng.randrange(1, 17)))
        ),
    }


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """300 feeds with every irregularity, out of order, one repeated, and what the file says of them, in order."""
    rng = random.Random(1)
    rows = [random_feed(rng, feed) for feed in rng.sample(range(1000), 300)]
    rows[7]["ocr"] = " ".join(["106444"] * 5198)
    rows[8] |= dict.fromkeys(INFO_COLUMNS[1:], "") | {"ocr": "  ", "ocr_char": " 3 4 "}
    again = {**random_feed(rng, rows[3]["feedid"]), "description": "77", "ocr_char": "78"}
    columns = [*INFO_COLUMNS, "extra"]
    rng.shuffle(columns)
    folder = tmp_path_factory.mktemp("feeds")
    write_csv(folder / "feed_info.csv", columns, [*rows, again], end="\r\n", start="\ufeff")
    return folder, sorted([*rows[:3], *rows[4:], again], key=lambda row: row["feedid"])


def words(row: dict, *fields: str) -> list[int]:
    """Return the ids of the first field that is not empty."""
    texts = (str(row[field]).strip() for field in fields)
    return [int(word) for word in next((text for text in texts if text), "").split()]


FILLED = {
    "visual": ("ocr", "ocr_char"),
    "acoustic": ("asr_char", "asr"),
    "textual": ("description", "description_char"),
}
OTHERS = {
    "visual": (), "acoustic": ("bgm_song_id", "bgm_singer_id"),
    "textual": ("machine_keyword_list", "machine_tag_list", "manual_tag_list"),
}  # fmt: skip


@pytest.mark.parametrize("modality", FILLED)
def test_wechat_texts_are_filled_and_padded(feeds: tuple[Path, list[dict]], modality: str) -> None:
    folder, rows = feeds
    raw = read_all(folder)[modality]
    has = [row for row in rows if any(str(row[name]).strip() for name in (*FILLED[modality], *OTHERS[modality]))]
    assert raw.items.tolist() == [row["feedid"] for row in has]
    text = dense(raw.blocks[0].matrix)
    lists = [words(row, *FILLED[modality]) for row in has]
    np.testing.assert_array_equal(text, padded(lists, max(map(len, lists))))
    assert raw.blocks[0].components == 0.9


def test_wechat_keywords_are_not_filled_but_tags_are(feeds: tuple[Path, list[dict]]) -> None:
    folder, rows = feeds
    raw = read_all(folder)["textual"]
    of = {row["feedid"]: row for row in rows}
    keywords, tags = [], []
    for feed in raw.items.tolist():
        keywords.append([int(word) for word in of[feed]["machine_keyword_list"].split(";") if word])
        machine = [int(pair.split(" ")[0]) for pair in of[feed]["machine_tag_list"].split(";") if pair]
        tags.append(machine or [int(word) for word in of[feed]["manual_tag_list"].split(";") if word])
    np.testing.assert_array_equal(raw.blocks[1].matrix, padded(keywords, 16))
    np.testing.assert_array_equal(raw.blocks[2].matrix, padded(tags, 14))
    assert max(map(len, keywords)) > 16  # longer lists are cut


@pytest.mark.parametrize(("place", "name"), [(1, "bgm_singer_id"), (2, "bgm_song_id")])
def test_equal_bgm_ids_have_equal_embeddings_and_a_missing_one_its_own(
    feeds: tuple[Path, list[dict]], place: int, name: str
) -> None:
    folder, rows = feeds
    raw = read_all(folder)["acoustic"]
    of = {row["feedid"]: float(row[name]) if row[name] != "" else None for row in rows}
    vectors = {}
    for feed, vector in zip(raw.items.tolist(), raw.blocks[place].matrix.tolist(), strict=True):
        assert vectors.setdefault(of[feed], vector) == vector
    assert {None, 0.0, 12.0} <= set(vectors)
    assert len({tuple(vector) for vector in vectors.values()}) == len(vectors)
    distinct = len(set(of.values()) - {None})
    assert raw.blocks[place].matrix.shape[1] == int(distinct**0.25)
    assert raw.blocks[place].components is None


def test_song_and_singer_embeddings_follow_the_seed(feeds: tuple[Path, list[dict]]) -> None:
    ids = pl.Series(["1", None, "2.0", "2"])
    one, again, other = (wechat.untrained_embedding(ids, seed, 1) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
