"""The sizes that `sample_data.py` can write: one row for each data set, scale and signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

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
class Scale:
    """Sizes that both data sets have.

    `signal` multiplies everything that makes labels depend on users and items (0: labels are independent of all);
    `missing` multiplies the shares of missing texts, keywords and tags; `repeated_pairs` is the share of rows that
    show a user the item of the row before once more.
    """

    users: int
    rows: int
    longest_user: int
    most_popular: int
    users_by_length: tuple[Bucket, ...]
    min_interactions: int
    signal: float
    missing: float
    repeated_pairs: float


@dataclass(frozen=True)
class WechatScale(Scale):
    """Sizes of a WeChat sample."""

    feeds: int
    feeds_watched: int
    feeds_by_popularity: tuple[Bucket, ...]
    click_rate: float
    ocr: TextField
    asr: TextField
    description: TextField
    word_vocabulary: int
    character_vocabulary: int


@dataclass(frozen=True)
class TiktokScale(Scale):
    """Sizes of a TikTok track 1 sample.

    Beside the items that kept users watch, up to `extra_feature_items` others have feature lines.
    """

    items: int
    items_watched: int
    items_by_popularity: tuple[Bucket, ...]
    finish_rate: float
    like_rate: float
    extra_feature_items: int
    user_id_space: int
    item_id_space: int
    author_id_space: int
    title_vocabulary: int


AnyScale = TypeVar("AnyScale", WechatScale, TiktokScale)


def divided(scale: AnyScale, by: int, names: tuple[str, ...], **others: Any) -> AnyScale:
    """Return a scale whose sizes of these names are divided; `others` are those that do not follow from that."""
    return replace(scale, **{name: round(getattr(scale, name) / by) for name in names} | others)


# What the smaller scales of both data sets have in common.
DEMO: dict[str, Any] = {
    "users": 560, "rows": 73_000, "longest_user": 210, "most_popular": 400, "users_by_length": SMALL_USERS,
    "min_interactions": 60, "missing": 0.6, "repeated_pairs": 0.005,
}  # fmt: skip
TINY: dict[str, Any] = {
    "users": 68, "rows": 9_600, "most_popular": 55, "min_interactions": 50, "repeated_pairs": 0.01
}  # fmt: skip
NULL: dict[str, Any] = {
    "users": 4_000, "rows": 240_000, "longest_user": 70, "most_popular": 200, "users_by_length": NULL_USERS,
    "min_interactions": 20, "signal": 0.0, "missing": 0.1, "repeated_pairs": 0.0005,
}  # fmt: skip

WECHAT_FULL = WechatScale(
    users=published.WECHAT.users,
    rows=published.WECHAT.rows,
    longest_user=957,
    most_popular=12_000,
    users_by_length=published.WECHAT_USERS,
    min_interactions=100,
    signal=1.0,
    missing=1.0,
    repeated_pairs=0.002,
    feeds=106_444,
    feeds_watched=published.WECHAT.items,
    feeds_by_popularity=published.WECHAT_FEEDS,
    click_rate=published.WECHAT_CLICK_RATE,
    ocr=TextField(40, 5198, 7796, 1.05),
    asr=TextField(40, 1003, 1401, 1.05),
    description=TextField(20, 622, 899, 1.05),
    word_vocabulary=150_000,
    character_vocabulary=20_000,
)
WECHAT_DEMO = replace(
    WECHAT_FULL,
    **DEMO,
    feeds=3_200,
    feeds_watched=3_000,
    feeds_by_popularity=SMALL_ITEMS,
    click_rate=0.08,
    ocr=TextField(30, 300, 450, 0.4),
    asr=TextField(30, 200, 280, 0.4),
    description=TextField(15, 120, 180, 0.4),
    word_vocabulary=20_000,
    character_vocabulary=5_000,
)
WECHAT_TINY = replace(
    WECHAT_DEMO,
    **TINY,
    feeds=640,
    feeds_watched=600,
    feeds_by_popularity=TINY_ITEMS,
    click_rate=0.36,
    ocr=TextField(15, 40, 60, 0.4),
    asr=TextField(12, 30, 45, 0.4),
    description=TextField(8, 20, 30, 0.4),
    word_vocabulary=2_000,
    character_vocabulary=500,
)
WECHAT_NULL = replace(
    WECHAT_TINY, **NULL, feeds=3_200, feeds_watched=3_000, feeds_by_popularity=NULL_ITEMS, click_rate=0.10
)
WECHAT_SIZES = ("users", "rows", "feeds", "feeds_watched")
WECHAT_SCALES = {
    ("full", "taste"): WECHAT_FULL,
    ("tenth", "taste"): divided(WECHAT_FULL, 10, WECHAT_SIZES, most_popular=1_900),
    ("hundredth", "taste"): divided(WECHAT_FULL, 100, WECHAT_SIZES, most_popular=190),
    ("demo", "taste"): WECHAT_DEMO,
    ("tiny", "taste"): WECHAT_TINY,
    ("demo", "none"): WECHAT_NULL,
    ("tiny", "none"): WECHAT_NULL,
}

TIKTOK_FULL = TiktokScale(
    users=published.TIKTOK.users,
    rows=published.TIKTOK.rows,
    longest_user=21_302,
    most_popular=149_500,
    users_by_length=published.TIKTOK_USERS,
    min_interactions=4_000,
    signal=1.0,
    missing=1.0,
    repeated_pairs=0.002,
    items=27_542_248,
    items_watched=published.TIKTOK.items,
    items_by_popularity=published.TIKTOK_ITEMS,
    finish_rate=published.TIKTOK_FINISH_RATE,
    like_rate=published.TIKTOK_LIKE_RATE,
    extra_feature_items=600_000,
    user_id_space=663_011,
    item_id_space=31_180_492,
    author_id_space=15_595_718,
    title_vocabulary=130_000,
)
TIKTOK_DEMO = replace(
    TIKTOK_FULL,
    **DEMO,
    items=3_400,
    items_watched=3_000,
    items_by_popularity=SMALL_ITEMS,
    finish_rate=0.30,
    like_rate=0.06,
    extra_feature_items=300,
    title_vocabulary=6_000,
)
TIKTOK_TINY = replace(
    TIKTOK_DEMO,
    **TINY,
    items=660,
    items_watched=600,
    items_by_popularity=TINY_ITEMS,
    finish_rate=0.45,
    like_rate=0.36,
    extra_feature_items=30,
    title_vocabulary=1_000,
)
TIKTOK_NULL = replace(TIKTOK_DEMO, **NULL, items_by_popularity=NULL_ITEMS, like_rate=0.10)
TIKTOK_SIZES = ("users", "rows", "items", "items_watched", "most_popular", "item_id_space", "author_id_space")
TIKTOK_SCALES = {
    ("full", "taste"): TIKTOK_FULL,
    ("tenth", "taste"): divided(TIKTOK_FULL, 10, TIKTOK_SIZES, extra_feature_items=30_000),
    ("hundredth", "taste"): divided(TIKTOK_FULL, 100, TIKTOK_SIZES, extra_feature_items=3_000, item_id_space=311_804),
    ("demo", "taste"): TIKTOK_DEMO,
    ("tiny", "taste"): TIKTOK_TINY,
    ("demo", "none"): TIKTOK_NULL,
    ("tiny", "none"): TIKTOK_NULL,
}

OF_CHALLENGES = ("wechat", "tiktok")  # the data sets that have them
SIZES = tuple(dict.fromkeys((*WECHAT_SCALES, *TIKTOK_SCALES)))  # scale and signal
SCALES = tuple(dict.fromkeys(scale for scale, _ in SIZES))
SIGNALS = tuple(dict.fromkeys(signal for _, signal in SIZES))
