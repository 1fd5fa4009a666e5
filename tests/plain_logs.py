"""The logs of public formats, read line by line: what steps are compared with on samples of declared data sets."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Cells = list[str]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a log; `labels` has 0 or 1 for each task, and nothing where every row is a click."""

    user: int
    item: int
    time: int
    labels: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Format:
    """How a log is written: where user, item and time stand, and when a row is positive in each task.

    `time` is None in a log without times; `labels` is empty in a log of clicks.
    """

    files: tuple[str, ...]
    between: str
    header: bool
    places: tuple[int, int, int | None]
    least: int  # rows of a user that is kept
    labels: Mapping[str, Callable[[Cells], bool]] = dataclasses.field(default_factory=dict)

    def rows(self, folder: Path) -> Iterator[Row]:
        """Yield the rows of the files, in order."""
        user, item, time = self.places
        for file in self.files:
            for line in (folder / file).read_text().splitlines()[self.header :]:
                cells = line.split(self.between)
                labels = {task: int(is_positive(cells)) for task, is_positive in self.labels.items()}
                yield Row(int(cells[user]), int(cells[item]), 0 if time is None else int(cells[time]), labels)


class Lists(Format):
    """A log of JSON objects, user -> items."""

    def rows(self, folder: Path) -> Iterator[Row]:
        """Yield the rows of the files, in order."""
        for file in self.files:
            for user, items in json.loads((folder / file).read_text()).items():
                yield from (Row(int(user), item, 0, {}) for item in items)


def _four_stars(cells: Cells) -> bool:
    return float(cells[2]) >= 4


def _is_1(place: int) -> Callable[[Cells], bool]:
    return lambda cells: cells[place] == "1"


def _mmrec(name: str) -> Format:
    return Format((f"{name}.inter",), "\t", True, (0, 1, 3), 5)


FORMATS: dict[str, Format] = {
    "movielens_100k": Format(("u.data",), "\t", False, (0, 1, 3), 20, {"movielens_100k": _four_stars}),
    "movielens_1m": Format(("ratings.dat",), "::", False, (0, 1, 3), 20, {"movielens_1m": _four_stars}),
    "movielens_10m": Format(("ratings.dat",), "::", False, (0, 1, 3), 20, {"movielens_10m": _four_stars}),
    "ml100k_recbole": Format(("ml-100k.inter",), "\t", True, (0, 1, 3), 20, {"ml100k_recbole": _four_stars}),
    "movielens_1m_multimodal": Format(
        ("movielens_1m.inter",), "\t", True, (0, 1, 3), 20, {"movielens_1m_multimodal": _is_1(2)}
    ),
    "dbbook": Format(("dbbook.inter",), "\t", True, (0, 1, None), 5, {"dbbook": _is_1(2)}),
    "lfm2k": Format(("lfm2k.inter",), "\t", True, (0, 1, None), 5),
    "taobao": Format(
        ("UserBehavior.csv",), ",", False, (0, 1, 4), 20, {"taobao": lambda cells: cells[3] in ("buy", "cart", "fav")}
    ),
    "kuairand_pure": Format(
        ("log_standard_4_08_to_4_21_pure.csv", "log_standard_4_22_to_5_08_pure.csv"), ",", True, (0, 1, 4), 20,
        {"kuairand_pure_click": _is_1(5), "kuairand_pure_long_view": _is_1(11), "kuairand_pure_like": _is_1(6)},
    ),
    "kuaishou": Format(("train_interaction.txt",), "\t", False, (0, 1, 5), 20, {"kuaishou": _is_1(2)}),
    "microvideo_1_7m": Format(("train_data.csv",), ",", True, (0, 1, 4), 20, {"microvideo_1_7m": _is_1(3)}),
    "microlens_100k": Format(("MicroLens-100k_pairs.csv",), ",", True, (0, 1, 2), 5),
    **{f"mmrec_{name}": _mmrec(name) for name in ("baby", "sports", "clothing")},
    "mmssl_tiktok": Lists(("train.json", "val.json", "test.json"), "", False, (0, 1, None), 5),
}  # fmt: skip


def kept(rows: list[Row], least: int) -> list[Row]:
    """Return the rows of users with at least so many, sorted by user and time, then place."""
    counts = Counter(row.user for row in rows)
    return sorted((row for row in rows if counts[row.user] >= least), key=lambda row: (row.user, row.time))


def distinct(rows: list[Row], task: str) -> list[tuple[int, int, int]]:
    """Return user, item and label of each pair's first row: the rows of a task under the clean protocol."""
    first: dict[tuple[int, int], int] = {}
    for row in rows:
        first.setdefault((row.user, row.item), row.labels.get(task, 1))
    return [(*pair, label) for pair, label in first.items()]
