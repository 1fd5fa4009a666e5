"""What the organisers and other readers of the real logs published about them, as the samples need it.

The published shares of users by number of interactions and of items by popularity stand in `mma4ctr.published.logs`;
here a mean is added to each, and TikTok's most active users are told apart. Means inside a bucket are not published,
except where totals give them away (the 1,678 users with at least 4,000 rows have 8,622,897 rows); the others are our
choice, near the middle of the bucket or below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mma4ctr.published import logs


@dataclass(frozen=True)
class Bucket(logs.Bucket):
    """A bucket of which the sample also needs the `mean` count.

    `mean` is None where it is what the total number of rows leaves (one bucket of a table); `high` is None where it is
    the scale's longest user or most popular item (the last bucket).
    """

    share: float
    mean: float | None


def share_of(bucket: logs.Bucket) -> float:
    """Return the share of a bucket; those of both data sets are published."""
    assert bucket.share is not None
    return bucket.share


def with_means(buckets: Sequence[logs.Bucket], means: Sequence[float | None]) -> tuple[Bucket, ...]:
    """Return the published buckets, each with a mean."""
    return tuple(Bucket(row.low, row.high, share_of(row), mean) for row, mean in zip(buckets, means, strict=True))


WECHAT, TIKTOK = logs.WECHAT, logs.TIKTOK
WECHAT_USERS = with_means(WECHAT.user_lengths, (None, 200, 400, 598, 795, 920))
WECHAT_FEEDS = with_means(WECHAT.item_popularities, (1.45, 3.9, 7.4, 37, 210, 690, None))
# Users with at least 1,500, 2,000, 3,000 and 4,000 rows are published as counts among 636,281 users.
TIKTOK_USERS = (
    *with_means(TIKTOK.user_lengths[:-1], (20, 74, None, 725)),
    Bucket(1001, 1499, share_of(TIKTOK.user_lengths[-1]) - 35_645 / TIKTOK.users, 1220),
    Bucket(1500, 1999, (35_645 - 17_450) / TIKTOK.users, 1720),
    Bucket(2000, 2999, (17_450 - 4_997) / TIKTOK.users, (49_550_347 - 19_909_447) / (17_450 - 4_997)),
    Bucket(3000, 3999, (4_997 - 1_678) / TIKTOK.users, (19_909_447 - 8_622_897) / (4_997 - 1_678)),
    Bucket(4000, None, 1_678 / TIKTOK.users, 8_622_897 / 1_678),
)
TIKTOK_ITEMS = with_means(TIKTOK.item_popularities, (1, 3.9, None))

# Positives of each WeChat action among all rows. A click is a weighted sum of at least 0.5: one row in 390.228.
ACTION_RATES = {
    "read_comment": 0.03502,
    "like": 0.02580,
    "click_avatar": 0.00753,
    "forward": 0.00382,
    "favorite": 0.00134,
    "follow": 0.00072,
    "comment": 0.00040,
}
WECHAT_CLICK_RATE = 1 / (1 + WECHAT.ratios["click"])
TIKTOK_FINISH_RATE = 1 / (1 + TIKTOK.ratios["finish"])
TIKTOK_LIKE_RATE = 1 / (1 + TIKTOK.ratios["like"])
