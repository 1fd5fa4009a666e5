"""Large samples follow the published statistics, and what is drawn carries the signal that it should."""

from __future__ import annotations

import numpy as np
import pytest

from mma4ctr.sampling import draws, published, scales, taste, wechat_feeds, wechat_log
from mma4ctr.sampling.wechat_actions import ACTIONS


@pytest.fixture(scope="module")
def tenth() -> tuple[scales.WechatScale, wechat_log.Log]:
    scale = scales.WECHAT_SCALES["tenth", "taste"]
    rng = draws.generator(0, 0, 0)
    feeds = wechat_feeds.draw_feeds(scale, taste.item_factors(scale.feeds, rng), rng)
    return scale, wechat_log.draw_log(scale, feeds, 0)


def test_tenth_of_wechat_follows_the_published_statistics(tenth: tuple[scales.WechatScale, wechat_log.Log]) -> None:
    scale, log = tenth
    assert len(log.user) == scale.rows == 731_788
    for action, rate in zip(ACTIONS, log.actions.mean(axis=0), strict=True):
        assert rate == pytest.approx(published.ACTION_RATES[action], rel=0.03)
    weights = np.array([{"read_comment": 4, "like": 3, "click_avatar": 2}.get(action, 1) for action in ACTIONS])
    assert np.array_equal(log.actions @ weights >= 0.5 * weights.sum(), log.click)
    assert (~log.click).sum() / log.click.sum() == pytest.approx(389.228, rel=0.01)
    for index, buckets in ((log.user, published.WECHAT_USERS), (log.feed, published.WECHAT_FEEDS)):
        counts = np.bincount(index)
        counts = counts[counts > 0]
        for bucket in buckets:
            share = ((counts >= bucket.low) & (counts <= (bucket.high or counts.max()))).mean()
            assert share == pytest.approx(bucket.share, abs=0.002)
    # With 2,000 users, feeds watched over 1,000 times repeat for the longest users.
    pairs = np.unique(log.user.astype(np.int64) * scale.feeds + log.feed)
    assert 0.95 * scale.rows < len(pairs) < scale.rows


@pytest.mark.parametrize("name", ["tenth", "full"])
def test_tiktok_users_follow_the_published_statistics(name: str) -> None:
    scale = scales.TIKTOK_SCALES[name, "taste"]
    counts = draws.counts_by_bucket(scale.users_by_length, scale.users, scale.rows, scale.longest_user)
    factor = 636_281 / scale.users
    assert counts.sum() == scale.rows and counts.max() == 21_302
    for least, users in ((1500, 35_645), (2000, 17_450), (3000, 4_997), (4000, 1_678)):
        assert (counts >= least).sum() * factor == pytest.approx(users, rel=0.01)
    for least, rows in ((2000, 49_550_347), (3000, 19_909_447), (4000, 8_622_897)):
        assert counts[counts >= least].sum() * factor == pytest.approx(rows, rel=0.01)


def test_tiktok_items_follow_the_published_statistics() -> None:
    scale = scales.TIKTOK_SCALES["tenth", "taste"]
    counts = draws.counts_by_bucket(scale.items_by_popularity, scale.items_watched, scale.rows, scale.most_popular)
    assert counts.sum() == scale.rows and counts.max() == scale.most_popular
    shares = [(counts == 1).mean(), ((counts > 1) & (counts <= 10)).mean(), (counts > 10).mean()]
    assert shares == pytest.approx([0.6492, 0.2786, 0.0722], abs=1e-3)


# Signal


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positives = labels.sum()
    return (ranks[labels].sum() - positives * (positives + 1) / 2) / positives / (len(labels) - positives)


@pytest.mark.parametrize(("signal", "low", "high"), [(1.0, 0.8, 0.9), (0.0, 0.45, 0.55)])
def test_what_the_true_probability_scores(signal: float, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    factors = taste.item_factors(3_000, rng)
    user, item = rng.integers(0, 500, 100_000), rng.integers(0, 3_000, 100_000)
    for weights in (taste.WECHAT_CLICK, taste.TIKTOK_FINISH, taste.TIKTOK_LIKE):
        users = taste.draw_users(500, weights, taste.draw_tastes(500, rng), signal, rng)
        scores = taste.scores(users, factors, user, item)
        labels = draws.draw_exact(draws.sigmoid(scores + draws.intercept(scores, 0.08)), rng)
        assert labels.sum() == pytest.approx(8_000, abs=2)
        assert low < area_under_curve(scores + 1e-6 * rng.random(len(scores)), labels) < high
        if signal:
            assert 0.62 < area_under_curve(users.rate[user], labels) < 0.74
            assert 0.58 < area_under_curve(factors[item] @ np.float32(weights.content), labels) < 0.70
