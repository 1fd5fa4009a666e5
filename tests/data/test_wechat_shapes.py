"""WeChat's two files in every shape that a CSV may have: read as a plain reading has it, or refused with the line."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mma4ctr.cli import UserError
from mma4ctr.data import interactions
from mma4ctr.data.datasets import wechat
from mma4ctr.data.feed_info import FORMS, INFO_COLUMNS, read_feed_info
from mma4ctr.data.raw_files import Part
from plain_reading import LOG_COLUMNS, write_log

DIGITS = "\u0661\u0662"  # digits to a regular expression's \d, not to a CSV


def log_of(folder: Path) -> Path:
    rng, file = random.Random(0), folder / "user_action.csv"
    rows = [{name: rng.randrange(2) for name in LOG_COLUMNS} | {"userid": k, "feedid": 100 + k} for k in range(6)]
    write_log(file, rows, LOG_COLUMNS)
    return file


def feeds_of(folder: Path) -> Path:
    file = folder / "feed_info.csv"
    lines = [",".join([str(feed), *["1 2 3"] * 6, "4", "5.0", "6;7", "8;9", "10 0.5;11 1e-7"]) for feed in range(6)]
    file.write_text("\n".join([",".join(INFO_COLUMNS), *lines]) + "\n", encoding="utf-8")
    return file


def read_log(file: Path) -> pl.DataFrame:
    """Read a log as step 1 does."""
    counts = interactions.count_part(Part(file), wechat.DATASET, {"click_threshold": 0.5})
    assert counts[2]["rows"].item() >= 0
    return wechat.DATASET.interactions(Part(file), {"click_threshold": 0.5}).collect()


READERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], pl.DataFrame]]] = {
    "log": (log_of, read_log),
    "feeds": (feeds_of, read_feed_info),
}


def line(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    """Return what changes one line, counted from 1."""

    def changed(text: str) -> str:
        lines = text.split("\n")
        lines[number - 1] = change(lines[number - 1])
        return "\n".join(lines)

    return changed


def columns_reversed(text: str) -> str:
    """Return a table with its columns in the other order."""
    return "\n".join(",".join(reversed(row.split(","))) for row in text.split("\n"))


# Shape -> what makes it, and the line that is refused; None where it means the same.
SHAPES: dict[str, tuple[Callable[[str], str], int | None]] = {
    "CRLF": (lambda text: text.replace("\n", "\r\n"), None),
    "BOM at the start": (lambda text: "\ufeff" + text, None),
    "no last newline": (lambda text: text.rstrip("\n"), None),
    "BOM and CRLF": (lambda text: "\ufeff" + text.replace("\n", "\r\n"), None),
    "columns in another order": (columns_reversed, None),
    "a space before a row": (line(3, lambda row: " " + row), None),
    "a plus before an id": (line(3, lambda row: "+" + row), None),
    "zeros before an id": (line(3, lambda row: "0" * 30 + row), None),
    "a lone CR for a line end": (lambda text: "\r".join(text.rsplit("\n", 2)), 6),
    "BOM at the end": (lambda text: text + "\ufeff", 8),
    "BOM in the middle": (line(3, lambda row: "\ufeff" + row), 3),
    "blank last line": (lambda text: text + "\n", 8),
    "blank line in the middle": (line(4, lambda row: "\n" + row), 4),
    "wholly quoted": (lambda text: "\n".join(f'"{row}"'.replace(",", '","') for row in text.split("\n") if row), 1),
    "rows quoted": (lambda text: text.replace("\n1,", '\n"1",'), 3),
    "a field quoted": (line(3, lambda row: '{0},"{2}"'.format(*row.rpartition(","))), 3),
    "tabs for commas": (lambda text: text.replace(",", "\t"), 1),
    "a tab after a row": (line(3, lambda row: row + "\t"), 3),
    "a tab for a comma": (line(3, lambda row: row.replace(",", "\t", 1)), 3),
    "one field more": (line(5, lambda row: row + ",1"), 5),
    "one field less": (line(5, lambda row: row.rpartition(",")[0]), 5),
    "cut in the middle": (lambda text: text[: text.rindex(",")], 7),
    "the header again": (line(4, lambda row: text_header(row) + "\n" + row), 4),
    "byte 0x1f": (line(3, lambda row: "\x1f" + row), 3),
    "NUL at the end": (lambda text: text + "\0", 8),
    "NUL": (line(3, lambda row: "\0" + row), 3),
    "digits of another script": (line(3, lambda row: DIGITS + row[row.index(",") :]), 3),
    "an id beyond 64 bits": (line(3, lambda row: str(2**63) + row[row.index(",") :]), 3),
    "an id of 3,000 digits": (line(3, lambda row: "9" * 3000 + row[row.index(",") :]), 3),
    "a column less": (lambda text: "\n".join(row.partition(",")[2] for row in text.split("\n")), 1),
    "a column twice": (line(1, lambda row: row + "," + row.partition(",")[0]), 1),
    "spaces around names": (line(1, lambda row: row.replace(",", " , ")), 1),
}


def text_header(row: str) -> str:
    """Return a header with as many fields as a row."""
    return ",".join(["userid", *["feedid"] * row.count(",")])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", READERS)
def test_a_shape_is_read_or_refused_with_its_line(tmp_path: Path, kind: str, shape: str) -> None:
    (write, read), (change, refused) = READERS[kind], SHAPES[shape]
    file = write(tmp_path)
    expected = read(file)
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8", newline="")
    if refused is None:
        assert read(file).equals(expected)
        return
    with pytest.raises(UserError) as told:
        read(file)
    message = str(told.value)
    assert message.startswith(f"{file}:{refused}: "), message
    assert "\n" not in message and len(message) < len(str(file)) + 500


@pytest.mark.parametrize("kind", READERS)
def test_invalid_text_is_refused_with_its_line(tmp_path: Path, kind: str) -> None:
    write, read = READERS[kind]
    file = write(tmp_path)
    lines = file.read_bytes().split(b"\n")
    lines[2] = b"\xff" + lines[2]
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match=rf"^{file}:3: "):
        read(file)


@pytest.mark.parametrize("kind", READERS)
def test_a_header_alone_is_a_table_without_rows(tmp_path: Path, kind: str) -> None:
    write, read = READERS[kind]
    file = write(tmp_path)
    file.write_text(file.read_text().split("\n")[0])
    assert read(file).is_empty()


IDS = ["0", "-1", str(2**63 - 1), str(-(2**63)), "2924305332"]


@pytest.mark.parametrize("number", IDS)
@pytest.mark.parametrize("kind", READERS)
def test_any_integer_of_64_bits_is_an_id(tmp_path: Path, kind: str, number: str) -> None:
    write, read = READERS[kind]
    file = write(tmp_path)
    changed = line(3, lambda row: number + row[row.index(",") :])(file.read_text())
    if kind == "log":
        fields = changed.split("\n")[2].split(",")
        changed = line(3, lambda _: ",".join([fields[0], number, *fields[2:]]))(changed)
    file.write_text(changed)
    found = read(file)
    columns = ("user", "item") if kind == "log" else ("feedid",)
    assert all(int(number) in found[name].to_list() for name in columns)


FIELDS = {"description": "{} 1", "bgm_song_id": "{}.0", "machine_keyword_list": "{};1", "machine_tag_list": "{} -0.5"}


def feeds_with(folder: Path, name: str, field: str) -> Path:
    """Write feed_info.csv with `field` as the column `name` of its first feed."""
    file = feeds_of(folder)
    header, first, *others = file.read_text().split("\n")
    fields = first.split(",")
    fields[INFO_COLUMNS.index(name)] = field
    file.write_text("\n".join([header, ",".join(fields), *others]))
    return file


@pytest.mark.parametrize("number", IDS)
@pytest.mark.parametrize("name", FIELDS)
def test_any_integer_of_64_bits_is_an_id_within_a_field(tmp_path: Path, name: str, number: str) -> None:
    feeds = read_feed_info(feeds_with(tmp_path, name, FIELDS[name].format(number)))
    words, keywords, tags = (block.matrix for block in wechat.raw_modality("textual", feeds, 0).blocks)
    found = {
        "description": words.toarray()[0, 0],
        "bgm_song_id": float(feeds["bgm_song_id"][0]),
        "machine_keyword_list": keywords[0, 0],
        "machine_tag_list": tags[0, 0],
    }
    assert found[name] == pytest.approx(int(number), rel=1e-7)


@pytest.mark.parametrize("number", [str(2**63), str(-(2**63) - 1)])
@pytest.mark.parametrize("name", FIELDS)
def test_an_id_beyond_64_bits_is_named_within_a_field(tmp_path: Path, name: str, number: str) -> None:
    file = feeds_with(tmp_path, name, FIELDS[name].format(number))
    with pytest.raises(UserError, match=rf"feed_info\.csv:2: field {name} holds {number}, expected integers from -"):
        read_feed_info(file)


def test_the_decimals_of_a_score_are_no_id(tmp_path: Path) -> None:
    file = feeds_with(tmp_path, "machine_tag_list", f"7 0.{'9' * 30};8 1e-{'0' * 20}7")
    assert wechat.raw_modality("textual", read_feed_info(file), 0).blocks[2].matrix[0, :2].tolist() == [7, 8]


def test_large_songs_stay_apart(tmp_path: Path) -> None:
    """2^53 and 2^53 + 1 are one float64."""
    ids = pl.Series([str(2**53), str(2**53 + 1), f"{2**53}.0", str(2**63 - 1), None])
    found = wechat.untrained_embedding(ids, 0, 1)
    assert found[0].tolist() == found[2].tolist()
    assert len({tuple(row) for row in found.tolist()}) == 4


def test_keywords_that_float32_makes_equal_are_said(tmp_path: Path) -> None:
    file = feeds_of(tmp_path)
    assert wechat.raw_modality("textual", read_feed_info(file), 0).warnings == ()
    file.write_text(file.read_text().replace("6;7", f"{2**24};{2**24 + 1}", 1))
    (warning,) = wechat.raw_modality("textual", read_feed_info(file), 0).warnings
    assert warning.startswith("textual: 1 of 4 keyword ids are too large for float32")


@pytest.mark.parametrize("name", FORMS)
def test_a_field_that_is_too_long_is_named(tmp_path: Path, name: str) -> None:
    file, place = feeds_of(tmp_path), INFO_COLUMNS.index(name)
    lines = file.read_text().split("\n")
    fields = lines[3].split(",")
    fields[place] = "1" * (FORMS[name].longest + 1)
    lines[3] = ",".join(fields)
    file.write_text("\n".join(lines))
    with pytest.raises(UserError, match=rf"feed_info\.csv:4: field {name} has {FORMS[name].longest + 1:,} bytes"):
        read_feed_info(file)


def test_a_field_of_50_megabytes_takes_no_gigabytes(tmp_path: Path) -> None:
    file = feeds_of(tmp_path)
    file.write_text(line(3, lambda row: row.replace("1 2 3", "1 " * 25_000_000, 1))(file.read_text()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"feed_info\.csv:3: the line is longer than"):
        read_feed_info(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
