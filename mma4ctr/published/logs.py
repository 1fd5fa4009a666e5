"""What the organisers, and readers of the full logs, published about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from mma4ctr.keys import Table


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Users with `low` to `high` interactions, or items that were watched `low` to `high` times.

    `high` is None in the last bucket, which has no end; `share` is the published part of all users or items, nan
    where nothing is published.
    """

    low: int
    high: int | None
    share: float

    @property
    def name(self) -> str:
        """The bucket in words: ``1``, ``2-10`` or ``11 or more``."""
        if self.high is None:
            return f"{self.low:,} or more"
        return f"{self.low:,}" if self.high == self.low else f"{self.low:,}-{self.high:,}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What was published about one full log; None and nothing where a fact was not.

    Attributes
    ----------
    source : which log
    rows, users, items : how many it has
    ratios : action -> rows without it for each row with it
    user_lengths, item_popularities : shares of users by number of interactions, of items by times watched; the printed
        percentages are rounded, so that they add up to 1 only nearly
    """

    source: str
    rows: int | None = None
    users: int | None = None
    items: int | None = None
    ratios: Mapping[str, float] = dataclasses.field(default_factory=Table)
    user_lengths: tuple[Bucket, ...] = ()
    item_popularities: tuple[Bucket, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Those of rows, users and items that are known."""
        known = {"rows": self.rows, "users": self.users, "items": self.items}
        return {name: number for name, number in known.items() if number is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published(Facts):
    """What was published about a log whose size is known."""

    rows: int
    users: int
    items: int


# Printed by the organisers and by readers of the full logs.
WECHAT = Published(
    source="2021 WeChat Big Data Challenge",
    rows=7_317_882,
    users=20_000,
    items=96_564,
    ratios=MappingProxyType({
        "read_comment": 25.87, "like": 36.491, "click_avatar": 124.931, "forward": 236.349, "favorite": 715.507,
        "comment": 2406.245, "follow": 1355.267, "click": 389.228,
    }),
    user_lengths=(
        Bucket(1, 100, 0.1396), Bucket(101, 300, 0.3511), Bucket(301, 500, 0.2253), Bucket(501, 700, 0.1634),
        Bucket(701, 900, 0.1106), Bucket(901, None, 0.0102),
    ),
    item_popularities=(
        Bucket(1, 2, 0.1110), Bucket(3, 5, 0.1459), Bucket(6, 9, 0.1313), Bucket(10, 100, 0.4449),
        Bucket(101, 500, 0.1378), Bucket(501, 1000, 0.0204), Bucket(1001, None, 0.0088),
    ),
)  # fmt: skip
TIKTOK = Published(
    source="ICME 2019 challenge, track 1",
    rows=275_855_531,
    users=636_281,
    items=27_342_248,
    ratios=MappingProxyType({"finish": 2.5322, "like": 61.2809}),
    user_lengths=(
        Bucket(1, 50, 0.2492), Bucket(51, 100, 0.0993), Bucket(101, 500, 0.3622), Bucket(501, 1000, 0.1666),
        Bucket(1001, None, 0.1227),
    ),
    item_popularities=(Bucket(1, 1, 0.6492), Bucket(2, 10, 0.2786), Bucket(11, None, 0.0722)),
)  # fmt: skip
