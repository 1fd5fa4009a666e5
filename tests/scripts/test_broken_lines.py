"""A broken raw file ends in one line that names the file and the line, and leaves nothing half-written."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import preprocess_inter
import preprocess_multimodal
from bad_input import AUDIO, FEEDS, LOG, ROWS, STEPS, TITLE, TRACK, VIDEO, fields, listing, refusal, replace
from mma4ctr.settings import Settings
from samples import paths_file


@pytest.fixture(scope="module")
def watched(tiny: Settings) -> list[int]:
    """The TikTok items of the kept users."""
    return np.load(tiny.graph_path / "tiktok_items.npy").tolist()


# ---- what is done to line k (counted from 1) of a file, and what is said of it


def info(name: str, value: str) -> Callable[[str, list[str]], str]:
    """Put `value` into a column that the header of feed_info.csv or user_action.csv names."""
    return lambda line, header: fields(line, ",", header.index(name), value)


def plain(change: Callable[[str], str]) -> Callable[[str, list[str]], str]:
    return lambda line, header: change(line)


def tab(place: int, value: str | None) -> Callable[[str, list[str]], str]:
    return lambda line, header: fields(line, "\t", place, value)


def video(value: str) -> Callable[[str, list[str]], str]:
    return lambda line, header: re.sub(r"\[.*\]", lambda _: value, line)


LINES = {
    "renamed column": ("1", LOG, 1, plain(lambda line: line.replace("feedid", "feed_id")), "missing column feedid"),
    "column twice": ("1", LOG, 1, plain(lambda line: line.replace("play", "like")), "column 'like' is there twice"),
    "too few fields": ("1", LOG, 4, plain(lambda line: line[:5]), r"found \d fields, expected 13"),
    "one field less": ("1", LOG, 9000, plain(lambda line: line.rpartition(",")[0]), "found 12 fields, expected 13"),
    "too many fields": ("1", LOG, 5, plain(lambda line: line + ",1"), "found 14 fields, expected 13"),
    "text": ("1", LOG, 77, info("feedid", "abc"), "field feedid is 'abc', expected an integer"),
    "float": ("1", LOG, 78, info("userid", "1.5"), "field userid is '1.5', expected an integer"),
    "empty field": ("1", LOG, 79, info("device", ""), "field device is '', expected an integer"),
    "empty line": ("1", LOG, 80, plain(lambda line: ""), "found an empty line"),
    "beyond int64": ("1", LOG, 81, info("userid", "9" * 25), "field userid is '9{25}', expected an integer"),
    "quoted": ("1", LOG, 82, info("userid", '"7"'), "field userid is '\"7\"', expected an integer"),
    "an action of 2": ("1", LOG, 83, info("like", "2"), "field like is 2, expected 0 or 1"),
    "an action of -1": ("1", LOG, 84, info("follow", "-1"), "field follow is -1, expected 0 or 1"),
    "no such byte": ("1", LOG, 85, info("play", "\udcff"), "bytes that are no UTF-8 text"),
    "tiktok few": ("1", ROWS, 1, tab(3, None), "found 11 fields, expected 12"),
    "tiktok without duration": ("1", ROWS, 2, tab(11, None), "found 11 fields, expected 12"),
    "tiktok empty duration": ("1", ROWS, 2, tab(11, ""), "field duration is empty, expected a value"),
    "tiktok few later": ("1", ROWS, 9600, tab(0, None), "found 11 fields, expected 12"),
    "tiktok many": ("1", ROWS, 3, plain(lambda line: line + "\t5"), "found 13 fields, expected 12"),
    "tiktok many first": ("1", ROWS, 1, plain(lambda line: line + "\t5\t6"), "found 14 fields, expected 12"),
    "tiktok text": ("1", ROWS, 70, tab(2, "x"), "field item_id is 'x', expected an integer"),
    "tiktok empty": ("1", ROWS, 71, tab(10, ""), "field time is '', expected an integer"),
    "tiktok label": ("1", ROWS, 72, tab(7, "3"), "field like is 3, expected 0 or 1"),
    "feeds: renamed": ("2", FEEDS, 1, plain(lambda line: line.replace("ocr_c", "ocrc")), "missing column ocr_char"),
    "feeds: few": ("2", FEEDS, 9, plain(lambda line: line.partition(",")[2]), "found 14 fields, expected 15"),
    "feeds: many": ("2", FEEDS, 640, plain(lambda line: line + ","), "found 16 fields, expected 15"),
    "feeds: text": ("2", FEEDS, 10, info("ocr", "1 2 x 3"), "field ocr is '1 2 x 3', expected integers between spaces"),
    "feeds: id": ("2", FEEDS, 11, info("feedid", "1.0"), "field feedid is '1.0', expected an integer"),
    "feeds: no id": ("2", FEEDS, 12, info("feedid", ""), "field feedid is None, expected an integer"),
    "feeds: song": ("2", FEEDS, 13, info("bgm_song_id", "1.5"), "field bgm_song_id is '1.5', expected an integer"),
    "feeds: huge word": ("2", FEEDS, 14, info("asr_char", "9" * 30), "field asr_char holds 9{30}, expected int"),
    "feeds: keywords": ("2", FEEDS, 15, info("machine_keyword_list", "1;;2"), "integers between semicolons"),
    "feeds: tags": ("2", FEEDS, 16, info("machine_tag_list", "1 0.5;2"), "pairs of an integer and a number"),
    "feeds: empty line": ("2", FEEDS, 17, plain(lambda line: ""), "found 1 fields, expected 15"),
    "feeds: no such byte": ("2", FEEDS, 18, info("asr", "\udcfe"), "bytes that are no UTF-8 text"),
    "feeds: a control character": ("2", FEEDS, 19, info("ocr", "1\x1f2"), "field ocr is '1.x1f2'"),
    "json cut": ("2", VIDEO, 4, plain(lambda line: line[:-20]), "broken JSON"),
    "json list": ("2", VIDEO, 5, plain(lambda line: "[1]"), r"found \[1\], expected one JSON object"),
    "json without item": ("2", VIDEO, 5, plain(lambda line: '{"a": 1}'), "item_id is None, expected an integer"),
    "json item text": ("2", VIDEO, 6, plain(lambda line: '{"item_id": "7"}'), "item_id is '7', expected an integer"),
    "vector too long": ("2", VIDEO, 7, video(str([0] * 129)), "has 129 numbers, expected at most 128"),
    "vector with null": ("2", VIDEO, 8, video("[1, null]"), "holds None, expected numbers"),
    "vector with text": ("2", VIDEO, 9, video('[1, "2"]'), "holds '2', expected numbers"),
    "vector with true": ("2", VIDEO, 10, video("[1, true]"), "holds True, expected numbers"),
    "vector beyond float32": ("2", VIDEO, 11, video("[1, -1e39]"), r"holds -1e\+39, expected numbers up to 1e\+30"),
    "vector of a number": ("2", VIDEO, 12, video("3"), "is 3, expected a list of numbers"),
    "vector is null": ("2", VIDEO, 13, video("null"), "is None, expected a list of numbers"),
    "audio under video's key": (
        "2", AUDIO, 3, plain(lambda line: line.replace("audio_feature_128_dim", "audio_feature_dim_128")),
        "audio_feature_128_dim is None, expected a list",
    ),
    "vector with nan": ("2", VIDEO, 14, video("[1, NaN]"), r"broken JSON \(found NaN"),
    "key twice": ("2", VIDEO, 15, plain(lambda line: line.replace("{", '{"a": 1, "a": 2, ')), "key 'a' is there twice"),
    "nested item": ("2", VIDEO, 16, plain(lambda line: f'{{"cover": {line}, "item_id": "7"}}'), "item_id is '7'"),
    "title word twice": ("2", TITLE, 9, plain(lambda line: re.sub(r"\{[^{}]*\}", '{"5": 1, "5": 2}', line)),
                         "key '5' is there twice"),
    "title without words": ("2", TITLE, 3, plain(lambda line: line.replace("title_f", "f")), "title_features is None"),
    "title count": ("2", TITLE, 4, plain(lambda line: re.sub(r"\{[^{}]*\}", '{"5": 1.5}', line)),
                    r"holds \{'5': 1.5\}, expected word ids and whole counts"),
    "title word": ("2", TITLE, 5, plain(lambda line: re.sub(r"\{[^{}]*\}", '{"a": 1}', line)), r"holds \{'a': 1\}"),
    "title cut": ("2", TITLE, 6, plain(lambda line: line[:-1]), "broken JSON"),
    "title of a million words": (
        "2", TITLE, 7, plain(lambda line: re.sub(r"\{[^{}]*\}", '{"5": 1000000}', line)), "counts 1000000 words",
    ),
    "title with another key": ("2", TITLE, 8, plain(lambda line: line[:-1] + ', "a": 1}'), "found the key 'a'"),
}  # fmt: skip


def kept_line(lines: list[str], number: int, watched: list[int]) -> int:
    """Return the number of the first line from `number` on that is of a kept item."""
    found = (re.search(r'"item_id"\s*:\s*(\d+)', line) for line in lines)
    return next(n for n, match in enumerate(found, start=1) if n >= number and match and int(match[1]) in watched)


@pytest.mark.parametrize("case", LINES)
def test_a_broken_line_is_named(
    case: str, raw: Path, tmp_path: Path, watched: list[int], tiny: Settings, capfd: pytest.CaptureFixture
) -> None:
    step, name, number, change, said = LINES[case]
    dataset = "tiktok" if name.startswith(TRACK) else "wechat"
    (tmp_path / "out").mkdir()
    shutil.copytree(tiny.graph_path, tmp_path / "out" / "bipartite_graph") if step == "2" else None
    text = (raw / name).read_text()
    lines = text.splitlines()
    if "item_id" in lines[0]:
        number = kept_line(lines, number, watched)
    lines[number - 1] = change(lines[number - 1], lines[0].split(","))
    replace(raw / name, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    file = paths_file(tmp_path / "out", raw)
    if step == "2":  # step 1 read the same log, at other times
        for log in (LOG, ROWS):
            shutil.copystat(tiny.raw_folder("wechat").parents[1] / log, raw / log)
    before = listing(tmp_path / "out")
    line = refusal(capfd, STEPS[step].main, ["--paths", str(file), "--dataset", dataset])
    assert line.startswith(f"{raw / name}:{number}: "), line
    assert re.search(said, line), line
    assert re.search("; (mend|rename|remove)", line), line
    left = listing(tmp_path / "out") - before
    assert not [file for file in left if file.endswith(".part") or "records" in file]


# ---- anything at all


@pytest.mark.parametrize("name", [LOG, FEEDS, ROWS, VIDEO, TITLE])
def test_flipped_bytes_are_taken_or_refused(
    name: str, raw: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:  # fmt: skip
    rng = random.Random(name)
    dataset = "tiktok" if name.startswith(TRACK) else "wechat"
    whole = (raw / name).read_bytes()
    (tmp_path / "out").mkdir()
    to = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", dataset]
    preprocess_inter.main(to)
    script = preprocess_inter if name in (LOG, ROWS) else preprocess_multimodal
    for _ in range(8):
        broken = bytearray(whole)
        for place in rng.choices(range(len(whole)), k=rng.choice([1, 2, 5])):
            broken[place] = rng.choice([rng.randrange(256), *b'\n\r\x00,"e9-. \t{}[]'])
        replace(raw / name, bytes(broken))
        capfd.readouterr()
        try:
            script.main(to)
        except SystemExit as stop:
            assert stop.code == 2
            assert re.fullmatch(r"error: .+\n", capfd.readouterr().err)
