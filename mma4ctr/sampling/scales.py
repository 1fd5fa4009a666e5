"""The sizes that `sample_data.py` can write: one row for each data set, scale and signal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mma4ctr.sampling import published
from mma4ctr.sampling.published import Bucket

# Small samples: a tenth of the users fall below min_interactions, the others have rows enough for a split 8:1:1.
SMALL_USERS = (Bucket(5, 45, 0.1, 25), Bucket(110, None, 0.9, None))
SMALL_ITEMS = (Bucket(1, 9, 0.3, 4), Bucket(10, 60, 0.6, 20), Bucket(61, None, 0.1, None))
TINY_ITEMS = (Bucket(1, 9, 0.4, 4), Bucket(10, 30, 0.4, 17), Bucket(31, None, 0.2, None))
# The null check: every user about as long, no item so popular that pairs repeat.
NULL_USERS = (Bucket(50, None, 1.0, None),)
NULL_ITEMS = (Bucket(20, None, 1.0, None),)


@dataclass(frozen=True)
class TextField:
    """One text of a feed: `median` and `longest` number of word ids, `longest_characters`, and how widely the
    lengths spread (standard deviation of their logarithm)."""

    median: int
    longest: int
    longest_characters: int
    spread: float


@dataclass(frozen=True)
class WechatScale:
    """Sizes of a WeChat sample.

    `signal` multiplies everything that makes labels depend on users and feeds (0: labels are independent of all);
    `missing` multiplies the shares of missing texts, keywords and tags; `repeated_pairs` is the share of rows that
    show a user the feed of the row before once more.
    """

    users: int
    feeds: int
    feeds_watched: int
    rows: int
    longest_user: int
    most_popular: int
    users_by_length: tuple[Bucket, ...]
    feeds_by_popularity: tuple[Bucket, ...]
    min_interactions: int
    click_rate: float
    signal: float
    missing: float
    repeated_pairs: float
    ocr: TextField
    asr: TextField
    description: TextField
    word_vocabulary: int
    character_vocabulary: int


@dataclass(frozen=True)
class TiktokScale:
    """Sizes of a TikTok track 1 sample; `signal`, `missing` and `repeated_pairs` as in `WechatScale`.

    Beside the items that kept users watch, up to `extra_feature_items` others have feature lines.
    """

    users: int
    items: int
    items_watched: int
    rows: int
    longest_user: int
    most_popular: int
    users_by_length: tuple[Bucket, ...]
    items_by_popularity: tuple[Bucket, ...]
    min_interactions: int
    finish_rate: float
    like_rate: float
    signal: float
    missing: float
    repeated_pairs: float
    extra_feature_items: int
    user_id_space: int
    item_id_space: int
    author_id_space: int
    title_vocabulary: int


WECHAT_FULL = WechatScale(
    users=published.WECHAT.users,
    feeds=106_444,
    feeds_watched=published.WECHAT.items,
    rows=published.WECHAT.rows,
    longest_user=957,
    most_popular=12_000,
    users_by_length=published.WECHAT_USERS,
    feeds_by_popularity=published.WECHAT_FEEDS,
    min_interactions=100,
    click_rate=published.WECHAT_CLICK_RATE,
    signal=1.0,
    missing=1.0,
    repeated_pairs=0.002,
    ocr=TextField(40, 5198, 7796, 1.05),
    asr=TextField(40, 1003, 1401, 1.05),
    description=TextField(20, 622, 899, 1.05),
    word_vocabulary=150_000,
    character_vocabulary=20_000,
)
WECHAT_DEMO = WechatScale(
    users=560,
    feeds=3_200,
    feeds_watched=3_000,
    rows=73_000,
    longest_user=210,
    most_popular=400,
    users_by_length=SMALL_USERS,
    feeds_by_popularity=SMALL_ITEMS,
    min_interactions=60,
    click_rate=0.08,
    signal=1.0,
    missing=0.6,
    repeated_pairs=0.005,
    ocr=TextField(30, 300, 450, 0.4),
    asr=TextField(30, 200, 280, 0.4),
    description=TextField(15, 120, 180, 0.4),
    word_vocabulary=20_000,
    character_vocabulary=5_000,
)
WECHAT_TINY = replace(
    WECHAT_DEMO,
    users=68,
    feeds=640,
    feeds_watched=600,
    rows=9_600,
    most_popular=55,
    feeds_by_popularity=TINY_ITEMS,
    min_interactions=50,
    click_rate=0.36,
    repeated_pairs=0.01,
    ocr=TextField(15, 40, 60, 0.4),
    asr=TextField(12, 30, 45, 0.4),
    description=TextField(8, 20, 30, 0.4),
    word_vocabulary=2_000,
    character_vocabulary=500,
)
WECHAT_NULL = replace(
    WECHAT_TINY,
    users=4_000,
    feeds=3_200,
    feeds_watched=3_000,
    rows=240_000,
    longest_user=70,
    most_popular=200,
    users_by_length=NULL_USERS,
    feeds_by_popularity=NULL_ITEMS,
    min_interactions=20,
    click_rate=0.10,
    signal=0.0,
    missing=0.1,
    repeated_pairs=0.0005,
)
WECHAT_SCALES = {
    ("full", "taste"): WECHAT_FULL,
    ("tenth", "taste"): replace(
        WECHAT_FULL, users=2_000, feeds=10_644, feeds_watched=9_656, rows=731_788, most_popular=1_900
    ),
    ("hundredth", "taste"): replace(
        WECHAT_FULL, users=200, feeds=1_064, feeds_watched=966, rows=73_179, most_popular=190
    ),
    ("demo", "taste"): WECHAT_DEMO,
    ("tiny", "taste"): WECHAT_TINY,
    ("demo", "none"): WECHAT_NULL,
    ("tiny", "none"): WECHAT_NULL,
}

TIKTOK_FULL = TiktokScale(
    users=published.TIKTOK.users,
    items=27_542_248,
    items_watched=published.TIKTOK.items,
    rows=published.TIKTOK.rows,
    longest_user=21_302,
    most_popular=149_500,
    users_by_length=published.TIKTOK_USERS,
    items_by_popularity=published.TIKTOK_ITEMS,
    min_interactions=4_000,
    finish_rate=published.TIKTOK_FINISH_RATE,
    like_rate=published.TIKTOK_LIKE_RATE,
    signal=1.0,
    missing=1.0,
    repeated_pairs=0.002,
    extra_feature_items=600_000,
    user_id_space=663_011,
    item_id_space=31_180_492,
    author_id_space=15_595_718,
    title_vocabulary=130_000,
)
TIKTOK_DEMO = replace(
    TIKTOK_FULL,
    users=560,
    items=3_400,
    items_watched=3_000,
    rows=73_000,
    longest_user=210,
    most_popular=400,
    users_by_length=SMALL_USERS,
    items_by_popularity=SMALL_ITEMS,
    min_interactions=60,
    finish_rate=0.30,
    like_rate=0.06,
    missing=0.6,
    repeated_pairs=0.005,
    extra_feature_items=300,
    title_vocabulary=6_000,
)
TIKTOK_TINY = replace(
    TIKTOK_DEMO,
    users=68,
    items=660,
    items_watched=600,
    rows=9_600,
    most_popular=55,
    items_by_popularity=TINY_ITEMS,
    min_interactions=50,
    finish_rate=0.45,
    like_rate=0.36,
    repeated_pairs=0.01,
    extra_feature_items=30,
    title_vocabulary=1_000,
)
TIKTOK_NULL = replace(
    TIKTOK_DEMO,
    users=4_000,
    rows=240_000,
    longest_user=70,
    most_popular=200,
    users_by_length=NULL_USERS,
    items_by_popularity=NULL_ITEMS,
    min_interactions=20,
    like_rate=0.10,
    signal=0.0,
    missing=0.1,
    repeated_pairs=0.0005,
)
TIKTOK_SCALES = {
    ("full", "taste"): TIKTOK_FULL,
    ("tenth", "taste"): replace(
        TIKTOK_FULL,
        users=63_628,
        items=2_754_225,
        items_watched=2_734_225,
        rows=27_585_553,
        most_popular=14_950,
        extra_feature_items=30_000,
        item_id_space=3_118_049,
        author_id_space=1_559_572,
    ),
    ("hundredth", "taste"): replace(
        TIKTOK_FULL,
        users=6_363,
        items=275_422,
        items_watched=273_422,
        rows=2_758_555,
        most_popular=1_495,
        extra_feature_items=3_000,
        item_id_space=311_804,
        author_id_space=155_957,
    ),
    ("demo", "taste"): TIKTOK_DEMO,
    ("tiny", "taste"): TIKTOK_TINY,
    ("demo", "none"): TIKTOK_NULL,
    ("tiny", "none"): TIKTOK_NULL,
}
