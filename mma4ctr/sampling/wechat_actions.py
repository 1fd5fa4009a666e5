"""WeChat's seven actions, which occur together: sets of actions for rows that click, and for rows that do not."""

from __future__ import annotations

import numpy as np

from mma4ctr.sampling import draws
from mma4ctr.sampling.published import ACTION_RATES, WECHAT_CLICK_RATE

ACTIONS = tuple(ACTION_RATES)

# Sets whose weighted sum reaches 0.5 (at least 7 of 13), with their shares of the clicking rows. Chosen by us: the
# joint distribution is not published, and reading comments together with a like is the cheapest way to a click.
CLICK_SETS: dict[tuple[str, ...], float] = {
    ("read_comment", "like"): 0.62,
    ("read_comment", "like", "click_avatar"): 0.12,
    ("read_comment", "like", "forward"): 0.06,
    ("read_comment", "like", "comment"): 0.05,
    ("read_comment", "like", "favorite"): 0.04,
    ("read_comment", "like", "click_avatar", "follow"): 0.03,
    ("read_comment", "click_avatar", "follow"): 0.03,
    ("read_comment", "click_avatar", "forward"): 0.02,
    ("read_comment", "like", "click_avatar", "forward", "comment"): 0.02,
    ("like", "click_avatar", "forward", "favorite"): 0.01,
}
# Sets of two below 0.5, with their shares of all rows of the real log (chosen by us); single actions get what is left
# of the published rates.
PAIR_SETS: dict[tuple[str, ...], float] = {
    ("like", "click_avatar"): 0.0010,
    ("read_comment", "click_avatar"): 0.0008,
    ("like", "forward"): 0.0003,
    ("read_comment", "forward"): 0.0003,
    ("click_avatar", "follow"): 0.0003,
    ("like", "favorite"): 0.0002,
    ("read_comment", "comment"): 0.0001,
}


def other_sets() -> dict[tuple[str, ...], float]:
    """Return the sets below 0.5 with their shares of the rows that do not click, so that `ACTION_RATES` hold."""
    sets = dict(PAIR_SETS)
    for action, rate in ACTION_RATES.items():
        clicked = sum(share for names, share in CLICK_SETS.items() if action in names) * WECHAT_CLICK_RATE
        paired = sum(share for names, share in PAIR_SETS.items() if action in names)
        sets[(action,)] = rate - clicked - paired
    return {names: share / (1 - WECHAT_CLICK_RATE) for names, share in sets.items()}


def draw_sets(sets: dict[tuple[str, ...], float], rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return a set of actions for each of `rows` rows, in exact shares and random order, (rows, 7) int8."""
    members = np.array([[action in names for action in ACTIONS] for names in sets], dtype=np.int8)
    chosen = np.repeat(np.arange(len(sets)), draws.allocate(rows, list(sets.values())))
    return members[rng.permutation(chosen)]


def draw_actions(scores: np.ndarray, click_rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the actions of each row from its log-odds of a click.

    Rows that fall short of a click still act more often where the score is high: half of it goes into their odds.

    Returns
    -------
    actions : (rows, 7) int8, columns as `ACTIONS`
    click : (rows,) bool, the weighted sum reaches 0.5
    """
    click = draws.draw_exact(draws.sigmoid(scores + draws.intercept(scores, click_rate)), rng)
    others = other_sets()
    quiet = np.flatnonzero(~click)
    interest = scores[quiet] / 2
    acting = draws.draw_exact(draws.sigmoid(interest + draws.intercept(interest, sum(others.values()))), rng)
    actions = np.zeros((len(scores), len(ACTIONS)), dtype=np.int8)
    actions[click] = draw_sets(CLICK_SETS, int(click.sum()), rng)
    actions[quiet[acting]] = draw_sets(others, int(acting.sum()), rng)
    return actions, click
