"""WeChat's rows are sorted by user, day and place in the file, and a user's minimum counts distinct rows.

Against a slow oracle that reads the whole log, sorts it and counts with dictionaries, through step 1.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import preprocess_inter
from bad_input import refusal
from load_path import load_path
from mma4ctr.data import interactions, raw_files
from mma4ctr.data.datasets import wechat
from mma4ctr.data.gathering import gathered
from mma4ctr.data.raw_files import Part, parts_of
from mma4ctr.executor import LocalExecutor
from mma4ctr.store import reading, records
from plain_reading import LOG_COLUMNS, write_log

MINIMUM = 12


def rows_of(seed: int, users: int = 6) -> list[dict]:
    """Return a log in no order at all, with repeated rows, ids up to the ends of int64, and clicks."""
    rng = random.Random(seed)
    ids = [0, 2**63 - 1, -(2**63), 17, 2_924_305_332, -5][:users]
    rows = []
    for user in ids:
        items = rng.sample([2**63 - 1, -(2**63), *range(40)], 14)
        for _ in range(rng.choice([10, 15, 40])):
            actions = dict.fromkeys(wechat.ACTION_WEIGHTS, rng.randrange(2))
            rows.append(
                {"userid": user, "feedid": rng.choice(items), "date_": rng.randrange(1, 15), "device": 1, **actions}
            )
    rng.shuffle(rows)
    return rows


def settings_file(folder: Path) -> Path:
    file = folder / "path.json"
    file.write_text(json.dumps({"parent_folder": ".", "min_interactions": {"wechat": MINIMUM}}))
    return file


def expected_rows(rows: list[dict], by: tuple[str, ...], protocol: str) -> list[tuple[int, int, int]]:
    """Return (user, item, click) as step 1 should leave them, by ids."""
    triples: dict[int, set] = {}
    for row in rows:
        triples.setdefault(row["userid"], set()).add((row["feedid"], row["like"]))
    kept = [row for row in rows if len(triples[row["userid"]]) >= MINIMUM]
    seen, found = set(), []
    for row in sorted(kept, key=lambda row: [row[name] for name in ("userid", *by)]):  # stable
        same = (row["userid"], row["feedid"], *([row["like"]] if protocol == "published" else []))
        if same not in seen:
            seen.add(same)
            found.append((row["userid"], row["feedid"], row["like"]))
    return found


@pytest.mark.parametrize("protocol", ["published", "clean"])
@pytest.mark.parametrize("has_day", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_step_1_sorts_by_day_and_counts_distinct_rows(
    tmp_path: Path, seed: int, has_day: bool, protocol: str, capsys: pytest.CaptureFixture
) -> None:
    rows, file = rows_of(seed), settings_file(tmp_path)
    columns = [name for name in LOG_COLUMNS if has_day or name != "date_"]
    write_log(tmp_path / "dataset" / "wechat" / "user_action.csv", rows, columns)
    preprocess_inter.main(["--paths", str(file), "--dataset", "wechat"])
    said = "date_, within a day by place" if has_day else "place in the file, since user_action.csv has no date_"
    assert f"rows of a user sorted by: {said}" in capsys.readouterr().out
    settings = load_path(file)
    assert said in records.read(settings, records.INTER, "wechat", {}).counts["rows of a user sorted by"]
    users, items = (reading.load(settings, name, dataset="wechat") for name in ("users", "items"))
    found = reading.load(settings, "rows", task="wechat", protocol=protocol)
    named = [(int(users[user, 0]), int(items[item]), int(click)) for user, item, click in found]
    expected = expected_rows(rows, ("date_",) if has_day else (), protocol)
    assert named == expected
    assert 0 < len(users) < 6 or seed != 0  # not all of them have enough


def test_parts_of_a_log_are_put_back_in_order(tmp_path: Path) -> None:
    rows = rows_of(7)
    write_log(tmp_path / "user_action.csv", rows, LOG_COLUMNS)
    parts = parts_of(tmp_path / "user_action.csv", 700)
    assert len(parts) > 3
    frames = [wechat.DATASET.interactions(part, {"click_threshold": 0.5}).collect() for part in parts]
    whole = wechat.DATASET.interactions(Part(tmp_path / "user_action.csv"), {"click_threshold": 0.5}).collect()
    assert sum(map(len, frames)) == len(whole)

    class Here:
        """Maps in this process, as a cluster does."""

        is_local = False

        def share(self, function, *arguments):
            return function(*arguments)

        def map(self, function, parts, *shared):
            return [function(part, *shared) for part in parts]

    own, users = {"click_threshold": 0.5}, whole["user"].value_counts(name="len").sort("user")
    for executor in (Here(), LocalExecutor()):
        found = interactions.keep(executor, parts, users["user"], wechat.DATASET, own)
        log = gathered(found, users, whole["item"].unique().sort(), ["click"], [])
        expected = sorted(rows, key=lambda row: (row["userid"], row["date_"]))
        assert log.items.gather(log.columns["item"]).to_list() == [row["feedid"] for row in expected]


def test_a_log_whose_users_have_enough_rows_but_not_enough_distinct_ones(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    row = {"userid": 1, "date_": 1, "device": 1, **dict.fromkeys(wechat.ACTION_WEIGHTS, 0)}
    rows = [{**row, "feedid": number % 5} for number in range(3 * MINIMUM)]
    write_log(tmp_path / "dataset" / "wechat" / "user_action.csv", rows, LOG_COLUMNS)
    line = refusal(capfd, preprocess_inter.main, ["--paths", str(settings_file(tmp_path)), "--dataset", "wechat"])
    assert "the most active user has 5 distinct rows of user, item, click, so that no user is left" in line


@pytest.mark.parametrize("day", ["", "x", "1.5", "9" * 19])
def test_a_day_that_is_no_integer_is_named(tmp_path: Path, day: str, capfd: pytest.CaptureFixture) -> None:
    rows = rows_of(1)
    rows[3]["date_"] = day
    log = tmp_path / "dataset" / "wechat" / "user_action.csv"
    write_log(log, rows, LOG_COLUMNS)
    line = refusal(capfd, preprocess_inter.main, ["--paths", str(settings_file(tmp_path)), "--dataset", "wechat"])
    assert line.startswith(f"{log}:5: field date_ is {raw_files.shown(day)}") or f"field date_ is {day}" in line
