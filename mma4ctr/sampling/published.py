"""What the organisers and other readers of the real logs published about them.

Shares of users by number of interactions and of items by popularity stand as `Bucket` rows; the action rates of
WeChat as `ACTION_RATES`. Means inside a bucket are not published, except where totals give them away (the 1,678 users
with at least 4,000 rows have 8,622,897 rows); the others are our choice, near the middle of the bucket or below it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bucket:
    """Users with `low` to `high` interactions, or items watched that often.

    `share` is the part of all users or items; `mean` the mean count in the bucket, None where it is what the total
    number of rows leaves (one bucket of a table); `high` is None where it is the scale's longest user or most popular
    item (the last bucket).
    """

    low: int
    high: int | None
    share: float
    mean: float | None


WECHAT_USERS = (
    Bucket(1, 100, 0.1396, None),
    Bucket(101, 300, 0.3511, 200),
    Bucket(301, 500, 0.2253, 400),
    Bucket(501, 700, 0.1634, 598),
    Bucket(701, 900, 0.1106, 795),
    Bucket(901, None, 0.0102, 920),
)
WECHAT_FEEDS = (
    Bucket(1, 2, 0.1110, 1.45),
    Bucket(3, 5, 0.1459, 3.9),
    Bucket(6, 9, 0.1313, 7.4),
    Bucket(10, 100, 0.4449, 37),
    Bucket(101, 500, 0.1378, 210),
    Bucket(501, 1000, 0.0204, 690),
    Bucket(1001, None, 0.0088, None),
)
# Users with at least 1,500, 2,000, 3,000 and 4,000 rows are published as counts among 636,281 users.
TIKTOK_USERS = (
    Bucket(1, 50, 0.2492, 20),
    Bucket(51, 100, 0.0993, 74),
    Bucket(101, 500, 0.3622, None),
    Bucket(501, 1000, 0.1666, 725),
    Bucket(1001, 1499, 0.1227 - 35_645 / 636_281, 1220),
    Bucket(1500, 1999, (35_645 - 17_450) / 636_281, 1720),
    Bucket(2000, 2999, (17_450 - 4_997) / 636_281, (49_550_347 - 19_909_447) / (17_450 - 4_997)),
    Bucket(3000, 3999, (4_997 - 1_678) / 636_281, (19_909_447 - 8_622_897) / (4_997 - 1_678)),
    Bucket(4000, None, 1_678 / 636_281, 8_622_897 / 1_678),
)
TIKTOK_ITEMS = (
    Bucket(1, 1, 0.6492, 1),
    Bucket(2, 10, 0.2786, 3.9),
    Bucket(11, None, 0.0722, None),
)

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
WECHAT_CLICK_RATE = 1 / (1 + 389.228)
TIKTOK_FINISH_RATE = 1 / (1 + 2.5322)
TIKTOK_LIKE_RATE = 1 / (1 + 61.2809)
