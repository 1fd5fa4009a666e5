"""The rows of a task and their split equal a row-by-row oracle under both protocols.

Asserted: which repeats collapse and that the order stays, both splits, the orders of users, the places of ids, which
rows user embeddings are made from; and that under the clean protocol no label decides which rows and users exist or
where they fall.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.data import kept_log
from mma4ctr.data.gathering import gathered
from mma4ctr.data.item_rows import places_in
from mma4ctr.protocol import PARTS, PROTOCOLS, USER_ORDERS, clean_parts

# (user, item, click), sorted by user as step 1 leaves them; few users and items, so that pairs repeat.
INTERACTIONS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=80
).map(lambda triples: sorted(triples, key=lambda triple: triple[0]))
# Rows of each user, some without any.
COUNTS = st.lists(st.integers(0, 45), min_size=1, max_size=12).filter(any)
SEEDS = st.integers(0, 2**32 - 1)


def log_of(interactions: list[tuple[int, int, int]]) -> kept_log.KeptLog:
    """Return interactions, sorted by user, as step 1 has them; the label is in the column ``like``."""
    columns = dict(zip(("user", "item", "like"), zip(*interactions, strict=True), strict=True))
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).with_columns(
        pl.col("like").cast(pl.UInt8), time=pl.lit(0, pl.Int64), device=pl.lit(0, pl.Int64)
    )
    users = frame["user"].value_counts(name="len").sort("user")
    return gathered([frame], users, frame["item"].unique().sort(), ["like"], [])


def task_rows(interactions: list[tuple[int, int, int]], protocol: str) -> np.ndarray:
    """Return the rows (n, 3) that step 1 makes of interactions."""
    log, same = log_of(interactions), PROTOCOLS[protocol].same_row
    first = log.firsts(["like" if name == "click" else name for name in same])
    ids = [values.to_numpy()[log.columns[name]] for name, values in (("user", log.users), ("item", log.items))]
    return np.column_stack([*ids, log.columns["like"]])[first]


def first_of_each(interactions: list[tuple[int, int, int]], protocol: str) -> list[tuple[int, int, int]]:
    """Walk through the rows and keep the first of each pair, or of each triple under the published protocol."""
    seen, kept = set(), []
    for user, item, click in interactions:
        what = (user, item) if protocol == "clean" else (user, item, click)
        if what not in seen:
            seen.add(what)
            kept.append((user, item, click))
    return kept


def users_of(counts: list[int]) -> np.ndarray:
    """Return the user of each row when user k has counts[k] rows."""
    return np.repeat(np.arange(len(counts)), counts)


def cover(users: np.ndarray, seed: int) -> np.ndarray:
    """Return which rows a feature covers, drawn at random."""
    return np.random.default_rng(seed).random(len(users)) < 0.8


def clean_part_of_each_row(users: list[int]) -> list[int]:
    """Give each user's last tenth to the test part and as many rows before it to the validation part."""
    places = defaultdict(list)
    for place, user in enumerate(users):
        places[user].append(place)
    part = [0] * len(users)
    for own in places.values():
        k = len(own) // 10
        for place in own[len(own) - k :]:
            part[place] = 2
        for place in own[len(own) - 2 * k : len(own) - k]:
            part[place] = 1
    return part


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(interactions=INTERACTIONS)
def test_repeats_collapse_and_the_order_stays(protocol: str, interactions: list[tuple[int, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for rows in (3, 2**20):  # a bucket for every user, or one for all
            patch.setattr(kept_log, "BUCKET_ROWS", rows)
            made = task_rows(interactions, protocol)
            assert [tuple(row) for row in made.tolist()] == first_of_each(interactions, protocol)


def test_a_pair_with_both_labels_is_two_rows_only_under_the_published_protocol() -> None:
    rows = [(0, 7, 0), (0, 7, 1), (0, 7, 0), (0, 7, 1)]
    assert task_rows(rows, "published").tolist() == [[0, 7, 0], [0, 7, 1]]
    assert task_rows(rows, "clean").tolist() == [[0, 7, 0]]


def test_finish_and_like_collapse_separately() -> None:
    log = log_of([(0, 7, 0), (0, 7, 1)])
    log.columns["finish"] = np.ones(2, dtype=np.uint8)
    assert log.firsts(("user", "item", "finish")).tolist() == [True, False]
    assert log.firsts(("user", "item", "like")).tolist() == [True, True]


@given(interactions=INTERACTIONS, seed=SEEDS)
def test_no_label_decides_which_rows_exist_under_clean(interactions: list[tuple[int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [(user, item, int(rng.integers(2))) for user, item, _ in interactions]
    flipped = [(user, item, 1 - click) for user, item, click in interactions]
    as_they_are = task_rows(interactions, "clean")
    for other in (drawn, flipped):
        changed = task_rows(other, "clean")
        assert np.array_equal(changed[:, :2], as_they_are[:, :2])
        covered = cover(as_they_are[:, 0], seed)
        parts = [PROTOCOLS["clean"].split(made[:, 0], covered, seed) for made in (as_they_are, changed)]
        assert all(np.array_equal(parts[0][name], parts[1][name]) for name in PARTS)


@given(counts=COUNTS)
def test_clean_parts(counts: list[int]) -> None:
    users = users_of(counts)
    assert clean_parts(users).tolist() == clean_part_of_each_row(users.tolist())


@pytest.mark.parametrize(("number", "tested"), [(1, 0), (9, 0), (10, 1), (19, 1), (20, 2), (29, 2), (99, 9), (100, 10)])
def test_a_user_gives_a_tenth_to_test_and_a_tenth_to_validation(number: int, tested: int) -> None:
    expected = [0] * (number - 2 * tested) + [1] * tested + [2] * tested
    assert clean_parts(np.zeros(number, dtype=np.int32)).tolist() == expected


@given(counts=COUNTS, seed=SEEDS)
def test_clean_split_shares_one_cut_whatever_a_feature_covers(counts: list[int], seed: int) -> None:
    users = users_of(counts)
    covered = cover(users, seed)
    part = clean_part_of_each_row(users.tolist())
    split = PROTOCOLS["clean"].split(users, covered, seed)
    assert tuple(split) == PARTS
    for number, name in enumerate(PARTS):
        assert split[name].tolist() == [k for k in range(len(users)) if covered[k] and part[k] == number]


@given(counts=COUNTS, seed=SEEDS)
def test_published_split_groups_users_in_seeded_order_and_cuts_at_80_and_90_percent(
    counts: list[int], seed: int
) -> None:
    users = users_of(counts)
    covered = cover(users, seed)
    split = PROTOCOLS["published"].split(users, covered, seed)
    # The order of users, read off a split in which every row is covered, is the same whatever a feature covers.
    everything = PROTOCOLS["published"].split(users, np.ones(len(users), dtype=bool), seed)
    order = dict.fromkeys(users[np.concatenate([everything[name] for name in PARTS])].tolist())
    expected = [k for user in order for k in range(len(users)) if covered[k] and users[k] == user]
    first, second = int(len(expected) * 8 // 10), int(len(expected) * 9 // 10)
    assert tuple(split) == PARTS
    assert split["training"].tolist() == expected[:first]
    assert split["validation"].tolist() == expected[first:second]
    assert split["test"].tolist() == expected[second:]


@given(counts=COUNTS, seed=SEEDS)
def test_long_users_come_first_in_the_order_of_lengths(counts: list[int], seed: int) -> None:
    users = users_of(counts)
    covered = cover(users, seed)
    seeded, by_length = (
        np.concatenate(list(PROTOCOLS["published"].split(users, rows, seed, order).values())).tolist()
        for rows, order in ((np.ones(len(users), dtype=bool), "seeded"), (covered, "length"))
    )
    # Lengths are those over all rows, whatever a feature covers; users of equal length stand as the seed has them.
    place = {user: number for number, user in enumerate(dict.fromkeys(users[seeded].tolist()))}
    expected = sorted(place, key=lambda user: (-counts[user], place[user]))
    assert by_length == [k for user in expected for k in range(len(users)) if covered[k] and users[k] == user]


@given(counts=COUNTS, seed=SEEDS)
def test_no_order_of_users_changes_the_clean_split(counts: list[int], seed: int) -> None:
    users = users_of(counts)
    covered = cover(users, seed)
    found = [PROTOCOLS["clean"].split(users, covered, seed, order) for order in USER_ORDERS]
    assert all(np.array_equal(found[0][name], other[name]) for other in found for name in PARTS)


def test_published_order_of_users_follows_the_seed_alone() -> None:
    users, covered = users_of([3] * 40), np.ones(120, dtype=bool)
    orders = [PROTOCOLS["published"].split(users, covered, seed)["training"].tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


@given(
    ids=st.sets(st.integers(0, 50), max_size=20),
    wanted=st.lists(st.integers(-2, 55), max_size=30),
)
def test_places_of_ids(ids: set[int], wanted: list[int]) -> None:
    listed = sorted(ids)
    places = places_in(np.array(listed, dtype=np.int64), np.array(wanted, dtype=np.int64))
    assert places.tolist() == [listed.index(one) if one in ids else -1 for one in wanted]


@given(counts=COUNTS)
def test_embeddings_are_made_from_all_rows_or_from_training_rows(counts: list[int]) -> None:
    users = users_of(counts)
    assert PROTOCOLS["published"].embedding_rows(users).tolist() == [True] * len(users)
    assert PROTOCOLS["clean"].embedding_rows(users).tolist() == [part == 0 for part in clean_part_of_each_row(users)]
