"""Users, items, devices and context that are text: artefacts know them by their places, and keep their names."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from baseline import interactions
from frame_log import FrameLog, built
from mma4ctr.cli import UserError
from mma4ctr.data import blocks, names
from mma4ctr.data.blocks import Block, RawModality
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading, records

READER = FrameLog(labels=("click", "like"), context=("tab", "hour"), minimum=8)
WORDS = ["b", "a", "Z", "ä", "user 10", "", "x,y", 'q"', "日本", "user 9"]


def log_of(seed: int) -> pl.DataFrame:
    """Return a log in no order, with repeats, missing devices and tabs, and users with too few rows."""
    rng = random.Random(seed)
    rows = [{"user": user, "item": rng.choice(WORDS) * 2, "device": rng.choice(["mi", "vivo", None]),
             "time": rng.randrange(-2, 12), "click": rng.randrange(2), "like": rng.randrange(2),
             "tab": rng.choice(["hot", "new", None]), "hour": rng.randrange(24)}
            for user in WORDS for _ in range(rng.choice([3, 20]))]  # fmt: skip
    rng.shuffle(rows)
    return pl.DataFrame(rows)


def places(values: list) -> dict:
    """Return the place of each value among the distinct ones, sorted by UTF-8 bytes, a missing one first."""

    def key(value: object) -> tuple:
        return value is not None, value.encode() if isinstance(value, str) else value or 0

    return {value: place for place, value in enumerate(sorted(set(values), key=key))}


pytestmark = pytest.mark.filterwarnings("ignore:.*time below 0")


@pytest.fixture(scope="module", params=range(3))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[dict]]:
    """The artefacts of a log, and its kept rows, sorted."""
    frame = log_of(request.param)
    often = Counter(frame["user"].to_list())
    rows = [row for row in frame.rows(named=True) if often[row["user"]] >= READER.minimum]
    rows.sort(key=lambda row: (row["user"].encode(), row["time"]))
    return built(tmp_path_factory.mktemp("text"), frame, READER), rows


@pytest.mark.parametrize("protocol", ["published", "clean"])
@pytest.mark.parametrize("label", ["click", "like"])
def test_rows_and_context(made: tuple[Settings, list[dict]], label: str, protocol: str) -> None:
    settings, rows = made
    codes = {name: places([row[name] for row in rows]) for name in ("user", "item", "tab", "hour")}
    first = {}
    for row in rows:
        same = (row["user"], row["item"], *([row[label]] if protocol == "published" else []))
        first.setdefault(same, row)
    keys = {"task": f"log_{label}", "protocol": protocol}
    expected = [[codes["user"][row["user"]], codes["item"][row["item"]], row[label]] for row in first.values()]
    assert reading.load(settings, "rows", **keys).tolist() == expected
    expected = [[codes["tab"][row["tab"]], codes["hour"][row["hour"]]] for row in first.values()]
    assert reading.load(settings, "context", **keys).tolist() == expected
    values = {name: list(codes[name]) for name in ("tab", "hour")}
    assert reading.load_json(settings, "context_values", dataset="log") == values


def test_names_and_devices(made: tuple[Settings, list[dict]]) -> None:
    settings, rows = made
    users, items = (places([row[name] for row in rows]) for name in ("user", "item"))
    assert names.user_names(settings, "log").to_list() == list(users)
    assert names.item_names(settings, "log").to_list() == list(items)
    assert reading.load(settings, "items", dataset="log").tolist() == list(range(len(items)))
    codes, expected = places([row["device"] for row in rows]), []
    for user in users:
        counts = Counter(codes[row["device"]] for row in rows if row["user"] == user)
        expected.append([users[user], min(counts, key=lambda device, counts=counts: (-counts[device], device))])
    assert reading.load(settings, "users", dataset="log").tolist() == expected


def test_all_that_was_watched_is_written_for_recbole(made: tuple[Settings, list[dict]], tmp_path: Path) -> None:
    settings, rows = made
    interactions.watched_written(tmp_path / "log_watched", settings, "log")
    with open(tmp_path / "log_watched" / "log_watched.inter", newline="") as stream:
        header, *found = csv.reader(stream, delimiter="\t")
    assert header == ["user_id:token", "item_id:token", "timestamp:float"]
    assert found == [[row["user"], row["item"], str(place)] for place, row in enumerate(rows)]
    stamp = (tmp_path / "log_watched" / "log_watched.inter").stat().st_mtime_ns
    interactions.watched_written(tmp_path / "log_watched", settings, "log")
    assert (tmp_path / "log_watched" / "log_watched.inter").stat().st_mtime_ns == stamp
    (tmp_path / "log_watched" / "log_watched.inter").write_text("damaged")
    interactions.watched_written(tmp_path / "log_watched", settings, "log")
    assert len((tmp_path / "log_watched" / "log_watched.inter").read_text()) > 100


def test_integer_ids_are_named_by_their_digits(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [7, 7, -(2**63)], "item": [2**63 - 1, 5, 5], "click": [0, 1, 1]})
    settings = built(tmp_path, frame, FrameLog())
    assert names.user_names(settings, "log").to_list() == [str(-(2**63)), "7"]
    assert names.item_names(settings, "log").to_list() == ["5", str(2**63 - 1)]
    assert reading.load(settings, "users", dataset="log").tolist() == [[-(2**63), 0], [7, 0]]
    assert names.named_items(settings, "log") is None


def test_a_damaged_file_of_names_is_refused(tmp_path: Path) -> None:
    settings = built(tmp_path, log_of(0), READER)
    file = artifacts.path(settings, "item_names", dataset="log")
    whole = file.read_bytes()
    for content, told in ((whole[:-5], "is not the file that was written"), (None, "missing; run")):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(UserError, match=told):
            names.item_names(settings, "log")
    record = records.read(settings, records.INTER, "log", {})
    for content, told in ((b"PAR1 and nothing else", "not a whole Parquet file"),
                          (pl.DataFrame({"name": [1]}), "expected name, text"),
                          (pl.DataFrame({"name": ["a", None]}), "expected name, text")):  # fmt: skip
        file.write_bytes(content) if isinstance(content, bytes) else content.write_parquet(file)
        changed = {**record.outputs, file.name: reading.disk.checksums.of_file(file)}
        records.write(settings, records.dataclasses.replace(record, outputs=changed))
        with pytest.raises(UserError, match=told):
            names.item_names(settings, "log")


def test_an_absurd_item_is_called_by_its_name() -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    matrix[7, 2] = 1e6
    raw = RawModality("visual", np.arange(40), [Block(matrix, 3)], names=[f"film {number}" for number in range(40)])
    (said,) = blocks.reduced(raw).warnings
    assert "item 'film 7' alone" in said


@pytest.mark.parametrize(("clicks", "told"), [([0, 0], "click is 0 in every one of 2 rows"), ([1, 1], "click is 1")])
def test_a_label_of_one_class_is_refused_where_the_data_set_says_so(
    tmp_path: Path, clicks: list[int], told: str
) -> None:
    frame = pl.DataFrame({"user": [1, 2], "item": [1, 1], "click": clicks})
    with pytest.raises(UserError, match=told):
        built(tmp_path, frame, FrameLog(refuses_one_class=True))
    built(tmp_path, frame, FrameLog())
