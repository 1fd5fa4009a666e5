"""Where a part lacks a class, the line names the cause, and min_interactions only where lowering it helps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import preprocess_inter
from load_path import load_path
from mma4ctr.cli import UserError
from mma4ctr.data.datasets.wechat import ACTION_WEIGHTS
from mma4ctr.inputs import causes
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.protocol import PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import artifacts, reading
from plain_reading import LOG_COLUMNS, write_log

ALL, READ, LIKE = dict.fromkeys(ACTION_WEIGHTS, 1), {"read_comment": 1}, {"like": 1}


def rows_of(user: int, number: int, clicked: int = 0, actions: dict = ALL, otherwise: dict | None = None) -> list[dict]:
    """Return `number` rows of a user, the first `clicked` of them with the actions, the others with other ones."""
    none = dict.fromkeys(ACTION_WEIGHTS, 0)
    return [{"userid": user, "feedid": item, "date_": 1, "device": 1, **none,
             **(actions if item < clicked else otherwise or {})} for item in range(number)]  # fmt: skip


def log_of(users: int, number: int, clicked: int = 0, **others: dict) -> list[dict]:
    return [row for user in range(users) for row in rows_of(user, number, clicked, **others)]


def read(folder: Path, rows: list[dict], least: int, threshold: float) -> Settings:
    """Run step 1 on a log."""
    write_log(folder / "dataset/wechat/user_action.csv", rows, LOG_COLUMNS)
    settings = {"parent_folder": ".", "min_interactions": {"wechat": least}, "click_threshold": threshold}
    file = folder / "path.json"
    file.write_text(repr(settings).replace("'", '"'))
    preprocess_inter.main(["--paths", str(file), "--dataset", "wechat"])
    return load_path(file)


def refused(settings: Settings, protocol: str, uncovered: range = range(0)) -> str:
    """Return why the rows of a log cannot be trained on; items in `uncovered` do not have the feature."""
    rows = reading.load(settings, "rows", task="wechat", protocol=protocol)
    covered = ~np.isin(rows[:, 1], uncovered)
    parts = PROTOCOLS[protocol].split(rows[:, 0], covered, settings.seed, settings.user_order)
    with pytest.raises(UserError) as error:
        causes.require_both_classes(TaskRows(rows, parts), settings, "wechat", protocol, "vat_concat")
    assert artifacts.path(settings, "rows", task="wechat", protocol=protocol).exists()
    return str(error.value)


CLEAN, PUBLISHED = "clean", "published"
MIXED = log_of(12, 20, 6)
# Rows of the log, min_interactions, click_threshold, protocol, items without the feature -> what the line ends with
CASES = {
    "no action": (log_of(12, 20), 1, 0.5, CLEAN, range(0), r"no row of the whole log has any action; look whether .*"),
    "threshold out of reach": (log_of(12, 20, 6, actions=LIKE), 1, 0.5, CLEAN, range(0),
                               r"no row of the whole log reaches click_threshold, which is 0\.5; lower it .*"),
    "threshold below all": (log_of(12, 20, 6, otherwise=READ), 1, 0.01, CLEAN, range(0),
                            r"every row of the whole log reaches click_threshold, which is 0\.01; raise it .*"),
    "clicks of others": (log_of(12, 20) + rows_of(99, 5, 5), 10, 0.5, PUBLISHED, range(0),
                         r"the 12 kept users have 0 clicks in 240 rows; lower min_interactions of wechat .* is 10, .*"),
    "short users": (log_of(12, 9, 4), 1, 0.5, CLEAN, range(0),
                    r"under clean the validation rows come from users with 10 rows or more, which 0 of 12 users have "
                    r"\(the longest has 9\); use a longer log, or another protocol"),
    "few long users": (rows_of(1, 30, 20) + log_of(1, 9, 3), 1, 0.5, CLEAN, range(0),
                       r"under clean .* users with 10 rows or more, which only 1 of 2 users have; use a longer log: a "
                       r"lower min_interactions would keep no further user that helps"),
    "few users": (rows_of(1, 20, 6) + rows_of(2, 20), 1, 0.5, PUBLISHED, range(0),
                  r"there are only 2 users, too few to be cut at 80 % and 90 % of the rows; use a longer log: .*"),
    "few users of more": (rows_of(1, 20, 6) + rows_of(2, 20) + log_of(1, 9, 3), 15, 0.5, PUBLISHED, range(0),
                          r"there are only 2 users, .*; lower min_interactions of wechat in .*, which is 15, .*"),
    "no item": (MIXED, 1, 0.5, CLEAN, range(20),
                r"no row is of an item that has vat_concat; look whether the feature files belong to this log"),
    "clicked items missing": (MIXED, 1, 0.5, CLEAN, range(6),
                              r"of 72 clicks in 240 rows, 0 in 168 rows are of items that have vat_concat; look .*"),
    "few clicks": (log_of(12, 20) + rows_of(50, 20, 1), 1, 0.5, CLEAN, range(0),
                   r"there are only 1 clicks in 260 rows, too few for every part to have some .*; use a .*"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named(case: str, tmp_path: Path) -> None:
    rows, least, threshold, protocol, uncovered, said = CASES[case]
    line = refused(read(tmp_path, rows, least, threshold), protocol, uncovered)
    part = r"wechat, vat_concat, \w+: the \w+ part has \d+ rows and \d+ clicks, expected both classes; "
    assert re.fullmatch(part + said, line), line
    assert "\n" not in line


def test_rows_with_both_classes_in_every_part_pass(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    log = [row for user in range(20) for row in rows_of(user, 40)]
    for row in log:
        row.update(ALL if rng.random() < 0.3 else {})
    settings = read(tmp_path, log, 1, 0.5)
    rows = reading.load(settings, "rows", task="wechat", protocol="clean")
    parts = PROTOCOLS["clean"].split(rows[:, 0], np.ones(len(rows), bool), 0, settings.user_order)
    causes.require_both_classes(TaskRows(rows, parts), settings, "wechat", "clean", "vat_concat")
