"""What step 1 publishes about the unfiltered log equals plain counts."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from mma4ctr.settings import Settings
from mma4ctr.store import reading


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
        found = reading.load(tiny, name, dataset=dataset)
        assert found.tolist() == [list(pair) for pair in sorted(expected.items())]
    actions = reading.load_json(tiny, "actions", dataset=dataset)
    assert actions["rows"] == len(rows)
    assert actions[label] == sum(row[2] for row in rows)
