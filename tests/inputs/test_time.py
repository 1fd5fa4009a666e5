"""What a row may see of the time before it: counts of earlier rows, and slots, each against rows one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mma4ctr.data.registry import TASKS, dataset_of
from mma4ctr.inputs import counts, graphs, slots
from mma4ctr.inputs.rows import TaskRows
from mma4ctr.protocol import PARTS, PROTOCOLS
from mma4ctr.settings import Settings
from mma4ctr.store import reading

ROW = st.tuples(*(st.integers(0, most) for most in (3, 3, 1, 5, 2)))  # user, item, click, moment, part
ROWS = st.lists(ROW, min_size=1, max_size=40)


def problem_of(rows: list[tuple[int, ...]]) -> tuple[TaskRows, np.ndarray]:
    """Return rows (user, item, click, moment, part), the first of them a training row, sorted by user and moment."""
    ordered = sorted([(*rows[0][:4], 0), *rows[1:]], key=lambda row: (row[0], row[3]))
    array = np.array(ordered, dtype=np.int32)
    parts = {name: np.flatnonzero(array[:, 4] == number) for number, name in enumerate(PARTS)}
    return TaskRows(array[:, :3], parts), array[:, 3]


@given(ROWS)
def test_counts_are_those_of_earlier_training_rows(rows: list[tuple[int, ...]]) -> None:
    task, moments = problem_of(rows)
    training = [(*task.rows[place].tolist(), moments[place]) for place in task.parts["training"]]
    for row, moment, found in zip(task.rows, moments, counts.earlier(task, moments), strict=True):
        earlier = [one for one in training if one[3] < moment]
        expected = [of for column in (0, 1) for own in [[one for one in earlier if one[column] == row[column]]]
                    for of in (len(own), sum(one[2] for one in own))]  # fmt: skip
        assert found.tolist() == expected


@given(ROWS, st.integers(1, 5))
def test_slots_are_cut_at_equal_numbers_of_training_rows(rows: list[tuple[int, ...]], number: int) -> None:
    task, moments = problem_of(rows)
    found = slots.cut(task, moments, number)
    training = sorted(moments[task.parts["training"]])
    begins = [training[place * len(training) // number] for place in range(1, number)]
    for moment, slot in zip(moments, found.of_rows, strict=True):
        after_all = moment > training[-1]
        assert slot == (number if after_all else sum(begin <= moment for begin in begins))
    assert found.number == number


@given(ROWS, st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=50)
def test_the_labels_of_a_slot_change_nothing_that_its_rows_see(
    rows: list[tuple[int, ...]], number: int, flipped: int
) -> None:
    task, moments = problem_of(rows)
    cut = slots.cut(task, moments, number)
    own = cut.of_rows == flipped
    other = TaskRows(task.rows.copy(), task.parts)
    other.rows[own, 2] = 1 - other.rows[own, 2]
    seen = []
    for one in (task, other):
        graph = graphs.clicks(one, cut)
        earlier = graph.slots < flipped
        seen.append([graph.users[earlier].tolist(), graph.items[earlier].tolist(), graph.slots[earlier].tolist()])
    assert seen[0] == seen[1]
    firsts = [counts.earlier(one, moments)[own & (moments == moments[own].min(initial=0))] for one in (task, other)]
    assert firsts[0].tobytes() == firsts[1].tobytes()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("task", ["wechat", "tiktok_like"])
def test_moments_of_the_sample_order_the_rows_of_a_user_and_all_others(
    tiny: Settings, task: str, protocol: str
) -> None:
    rows, found = reading.load(tiny, "rows", task=task, protocol=protocol), slots.moments(tiny, task, protocol)
    same_user = rows[1:, 0] == rows[:-1, 0]
    assert (np.diff(found)[same_user] > 0).all()
    assert len(np.unique(found)) == len(rows) and found.min() >= 0
    assert not same_user.all() and dataset_of(tiny, TASKS[task].dataset).negatives is None


def test_moments_are_places_in_the_whole_log_by_time(tiny: Settings) -> None:
    files = dataset_of(tiny, "tiktok").interaction_files(tiny.raw_folder("tiktok"))
    raw = [line.split("\t") for file in files for line in file.read_text().splitlines()]
    rows = reading.load(tiny, "rows", task="tiktok_like", protocol="clean")
    users, items = (reading.load(tiny, name, dataset="tiktok") for name in ("users", "items"))
    kept = {str(user) for user in users[:, 0]}
    in_time = sorted((int(line[10]), place, line) for place, line in enumerate(raw) if line[0] in kept)
    first: dict[tuple[int, int], int] = {}
    for moment, (_, _, line) in enumerate(in_time):
        first.setdefault((int(line[0]), int(line[2])), moment)
    expected = [first[int(users[user, 0]), int(items[item])] for user, item, _ in rows.tolist()]
    assert slots.moments(tiny, "tiktok_like", "clean").tolist() == expected
