"""The raw readers take everything that real files hold: each against a plain row-by-row reading of the same file."""

from __future__ import annotations

import csv
import itertools
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mma4ctr.cli import UserError
from mma4ctr.data.datasets import tiktok, wechat
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts

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
REAL_ROWS = Path(__file__).parents[2] / "shared" / "data" / "tiktok_track2_200_rows.txt"


def write_csv(file: Path, columns: list[str], rows: list[dict], *, end: str = "\n", start: str = "") -> None:
    lines = [",".join(columns), *(",".join(str(row.get(column, "")) for column in columns) for row in rows)]
    file.write_text(start + end.join(lines) + end, encoding="utf-8", newline="")


def action(rng: random.Random, **changes: object) -> dict:
    row = {column: rng.randrange(2) for column in ACTION_COLUMNS}
    return {**row, "userid": rng.randrange(9), "feedid": rng.randrange(40), "play": 38_553_370, **changes}


def read_all(folder: Path, kept: list[int] | None = None, reader=tiktok) -> dict:
    if reader is wechat:
        feeds = wechat.read_feed_info(wechat.feature_files(folder)["visual"][0])
        return {modality: wechat.raw_modality(modality, feeds, 0) for modality in wechat.TEXTS}
    kept = np.array(sorted(kept or []), dtype=np.int64)
    return {raw.modality: raw for raw in tiktok.raw_modalities(folder, kept, LocalExecutor())}


def dense(matrix) -> np.ndarray:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def padded(lists: list[list], width: int) -> np.ndarray:
    """Zero-pad at the end, the slow way."""
    result = np.zeros((len(lists), width))
    for row, values in enumerate(lists):
        for column, value in enumerate(values[:width]):
            result[row, column] = value
    return result


# ---- WeChat interactions


@pytest.mark.parametrize(("end", "start"), [("\n", ""), ("\r\n", ""), ("\r\n", "\ufeff"), ("\n", "\ufeff")])
def test_wechat_interactions_equal_a_plain_reading(tmp_path: Path, end: str, start: str) -> None:
    rng = random.Random(end + start)
    columns = [*ACTION_COLUMNS, "note", "another"]
    rng.shuffle(columns)
    columns.append("score")
    rows = [action(rng, note="some text", another="", score=0.5) for _ in range(200)]
    write_csv(tmp_path / "user_action.csv", columns, rows, end=end, start=start)
    found = wechat.scan_interactions(Part(tmp_path / "user_action.csv"), 0.5).collect()
    with open(tmp_path / "user_action.csv", encoding="utf-8-sig", newline="") as stream:
        for got, row in itertools.zip_longest(found.iter_rows(named=True), csv.DictReader(stream)):
            assert (got["user"], got["item"], got["device"], got["time"]) == (
                int(row["userid"]), int(row["feedid"]), int(row["device"]), 0,
            )  # fmt: skip
            assert all(got[name] == int(row[name]) for name in WEIGHTS)
            assert got["click"] == int(sum(int(row[name]) * weight for name, weight in WEIGHTS.items()) / 13 >= 0.5)


@pytest.mark.parametrize("threshold", [0.01, 1 / 13, 4 / 13, 0.5, 7 / 13, 0.9, 1.0])
def test_a_wechat_click_is_a_weighted_mean_of_the_seven_actions(tmp_path: Path, threshold: float) -> None:
    rng = random.Random(0)
    every = list(itertools.product((0, 1), repeat=7))
    rows = [action(rng, **dict(zip(WEIGHTS, actions, strict=True))) for actions in every]
    write_csv(tmp_path / "user_action.csv", list(ACTION_COLUMNS), rows)
    clicks = wechat.scan_interactions(Part(tmp_path / "user_action.csv"), threshold).collect()["click"].to_list()
    expected = [
        sum(w for w, a in zip(WEIGHTS.values(), actions, strict=True) if a) / 13 >= threshold for actions in every
    ]
    assert len(every) == 128
    assert clicks == expected


# ---- WeChat features


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
        **{name: maybe(text()) for name in wechat.TEXT_COLUMNS},
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
    raw = read_all(folder, reader=wechat)[modality]
    has = [row for row in rows if any(str(row[name]).strip() for name in (*FILLED[modality], *OTHERS[modality]))]
    assert raw.items.tolist() == [row["feedid"] for row in has]
    text = dense(raw.blocks[0].matrix)
    lists = [words(row, *FILLED[modality]) for row in has]
    np.testing.assert_array_equal(text, padded(lists, max(map(len, lists))))
    assert raw.blocks[0].components == 0.9


def test_wechat_keywords_are_not_filled_but_tags_are(feeds: tuple[Path, list[dict]]) -> None:
    folder, rows = feeds
    raw = read_all(folder, reader=wechat)["textual"]
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
    raw = read_all(folder, reader=wechat)["acoustic"]
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


# ---- TikTok interactions


def write_track(folder: Path, rows: list[list[int]], track: int = 1, end: str = "\n") -> None:
    text = end.join("\t".join(map(str, row)) for row in rows) + end
    (folder / f"final_track{track}_train.txt").write_text(text, newline="")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tiktok_interactions_equal_a_plain_reading(tmp_path: Path, end: str) -> None:
    rng = random.Random(2)
    rows = [
        [rng.randrange(9), -1, rng.randrange(99), 5, -1, 0, rng.randrange(2), rng.randrange(2), -1, rng.randrange(9),
         53_000_000_000 + rng.randrange(10**9), 12]
        for _ in range(300)
    ]  # fmt: skip
    write_track(tmp_path, rows, end=end)
    found = tiktok.scan_interactions(*map(Part, tiktok.interaction_files(tmp_path)), 0.5).collect()
    assert found.columns == ["user", "item", "device", "time", "finish", "like"]
    assert found.rows() == [(row[0], row[2], row[9], row[10], row[6], row[7]) for row in rows]


def test_the_time_of_track_2_is_its_file_position(tmp_path: Path) -> None:
    write_track(tmp_path, [[3, -1, 7, 1, -1, 0, 1, 0, -1, 2, 53_000_000_000 - row, 9] for row in range(5)], track=2)
    with pytest.warns(UserWarning, match="file order"):
        found = tiktok.scan_interactions(*map(Part, tiktok.interaction_files(tmp_path)), 0.5).collect()
    assert found["time"].to_list() == [0] * 5


def test_real_rows_of_track_2_parse(tmp_path: Path) -> None:
    if not REAL_ROWS.exists():
        pytest.skip("the real rows are not part of the repository")
    (tmp_path / "final_track2_train.txt").write_bytes(REAL_ROWS.read_bytes())
    with pytest.warns(UserWarning, match="file order"):
        found = tiktok.scan_interactions(*map(Part, tiktok.interaction_files(tmp_path)), 0.5).collect()
    rows = [[int(field) for field in line.split("\t")] for line in REAL_ROWS.read_text().splitlines()]
    assert len(rows) == 200
    assert found.rows() == [(row[0], row[2], row[9], 0, row[6], row[7]) for row in rows]


# ---- TikTok features

VIDEO, AUDIO = "video_feature_dim_128", "audio_feature_128_dim"
LAYOUTS = (
    lambda item, key, value: json.dumps({"item_id": item, key: value}),
    lambda item, key, value: json.dumps({"item_id": item, key: value}, separators=(",", ":")),
    lambda item, key, value: json.dumps({key: value, "item_id": item}),
    lambda item, key, value: f'  {{ "{key}" :  {json.dumps(value)} , "item_id" : {item} }}\t',
)


def random_vector(rng: random.Random) -> list[float]:
    length = rng.choice([0, 1, 17, 128, 128, 128])
    return [rng.choice([0, 3, -1.5e-07, rng.gauss(0, 1), 1e5]) for _ in range(length)]


def write_parts(folder: Path, name: str, key: str, parts: int, make, seed: int) -> dict[int, object]:
    """Write part files with repeats within and across them; return what each item's last line says."""
    rng, last = random.Random(seed), {}
    for part in range(1, parts + 1):
        lines = []
        for _ in range(60):
            item, value = rng.randrange(150), make(rng)
            lines.append(rng.choice(LAYOUTS)(item, key, value))
            last[item] = value
        suffix = f"_part{part}" if parts > 1 else ""
        (folder / f"{name}{suffix}.txt").write_text(rng.choice(["\n", "\r\n"]).join(lines) + "\n\n", newline="")
    return last


@pytest.mark.parametrize(
    ("modality", "name", "key", "parts"),
    [
        ("visual", "track1_video_features", VIDEO, 11),
        ("acoustic", "track1_audio_features", AUDIO, 4),
        ("visual", "track2_video_features", VIDEO, 1),
        ("acoustic", "track2_audio_features", AUDIO, 1),
    ],
)
def test_tiktok_vectors_equal_a_plain_reading(
    tmp_path: Path, modality: str, name: str, key: str, parts: int
) -> None:  # fmt: skip
    last = write_parts(tmp_path, name, key, parts, random_vector, seed=parts)
    kept = [item for item in range(150) if item % 3] + [10**12]
    raw = read_all(tmp_path, kept)[modality]
    assert raw.items.tolist() == sorted(set(kept) & set(last))
    expected = padded([last[item] for item in raw.items.tolist()], 128).astype(np.float32)
    np.testing.assert_array_equal(raw.blocks[0].matrix, expected)
    assert raw.blocks[0].components == {"visual": 0.9, "acoustic": 10}[modality]


def random_title(rng: random.Random) -> dict[str, int]:
    return {str(rng.randrange(50)): rng.choice([1, 1, 2, 3, 0]) for _ in range(rng.choice([0, 0, 1, 4, 9]))}


@pytest.mark.parametrize("track", [1, 2])
def test_tiktok_titles_equal_a_plain_reading(tmp_path: Path, track: int) -> None:
    last = write_parts(tmp_path, f"track{track}_title", "title_features", 1, random_title, seed=track)
    kept = [item for item in range(150) if item % 4]
    raw = read_all(tmp_path, kept)["textual"]
    assert raw.items.tolist() == sorted(set(kept) & set(last))
    lists = [[int(w) for w, count in last[item].items() for _ in range(count)] for item in raw.items.tolist()]
    np.testing.assert_array_equal(dense(raw.blocks[0].matrix), padded(lists, max(map(len, lists))))


def test_titles_without_any_word_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "track1_title.txt").write_text('{"item_id": 3, "title_features": {}}\n' * 2)
    raw = read_all(tmp_path, [3])["textual"]
    assert raw.items.tolist() == [3]
    assert raw.blocks[0].matrix.shape == (1, 0)


def test_lines_of_items_that_nobody_kept_are_not_parsed(tmp_path: Path) -> None:
    good, bad = json.dumps({"item_id": 1, VIDEO: [0.5]}), f'{{"item_id": 2, "{VIDEO}": [0.5, oops'
    (tmp_path / "track1_video_features_part1.txt").write_text(f"{bad}\n{good}\n{bad}\n")
    (tmp_path / "track1_title.txt").write_text('{"item_id": 2, "title_features": [}\n')
    found = read_all(tmp_path, [1])
    assert found["visual"].items.tolist() == [1]
    assert found["textual"].items.tolist() == []
    with pytest.raises(UserError, match=r"part1\.txt:1: broken JSON"):
        read_all(tmp_path, [1, 2])


def test_parts_go_in_numeric_order_and_missing_modalities_are_left_out(tmp_path: Path) -> None:
    for part in (1, 2, 10, 11):
        (tmp_path / f"track1_audio_features_part{part}.txt").write_text("{}\n")
    files = tiktok.feature_files(tmp_path)
    assert list(files) == ["acoustic"]
    assert [file.stem.rpartition("part")[2] for file in files["acoustic"]] == ["1", "2", "10", "11"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "found no feature files"),
        (["track1_title.txt", "track2_title.txt"], "track 1 and of track 2"),
        (["track1_title.txt", "final_track2_train.txt"], "track 1 and of track 2"),
        (["track1_video_features_part1 (1).txt"], "rename it"),
    ],
)
def test_feature_files_that_cannot_be_told_apart_are_refused(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(UserError, match=said):
        tiktok.feature_files(tmp_path)


# ---- what step 1 publishes about the unfiltered log


@pytest.mark.parametrize(("dataset", "label"), [("wechat", "like"), ("tiktok", "finish")])
def test_statistics_equal_plain_counts(tiny: Settings, dataset: str, label: str) -> None:
    folder = tiny.raw_folder(dataset)
    if dataset == "wechat":
        with open(folder / "user_action.csv", newline="") as stream:
            rows = [(row["userid"], row["feedid"], int(row[label])) for row in csv.DictReader(stream)]
    else:
        lines = (folder / "final_track1_train.txt").read_text().splitlines()
        rows = [(f[0], f[2], int(f[6])) for f in (line.split("\t") for line in lines)]
    for name, place in (("user_lengths", 0), ("item_popularities", 1)):
        expected = Counter(Counter(row[place] for row in rows).values())
        found = artifacts.load(tiny, name, dataset=dataset)
        assert found.tolist() == [list(pair) for pair in sorted(expected.items())]
    actions = artifacts.load_json(tiny, "actions", dataset=dataset)
    assert actions["rows"] == len(rows)
    assert actions[label] == sum(row[2] for row in rows)
