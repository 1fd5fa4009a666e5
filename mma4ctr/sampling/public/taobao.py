"""Taobao's log of behaviour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import draws
from mma4ctr.sampling.public import content
from mma4ctr.sampling.public.log import SHOWN, Writer, draw_log

CATEGORIES = 60
CONVERSIONS = ("cart", "fav", "buy")
SHARES = (0.53, 0.28, 0.19)  # of the conversions
FIRST, LAST = 1_511_539_200, 1_512_316_799  # nine days


def write(folder: Path, rng: np.random.Generator) -> None:
    """Write UserBehavior.csv: user, item, category, behaviour and seconds, without a line of names."""
    log = draw_log(SHOWN, rng)
    users = draws.stretch(np.arange(SHOWN.users), SHOWN.users, 1, 1_018_011)
    items = draws.stretch(np.arange(SHOWN.items), SHOWN.items, 1, 5_163_070)
    one_each = np.ones(SHOWN.items, dtype=np.int64)
    category = 1_000 + 81_000 * content.numbers_of(log.factors, "visual", CATEGORIES, one_each, rng)
    converted = log.positives(0.15, rng) == 1
    kinds = pl.Series(CONVERSIONS).gather(rng.choice(len(CONVERSIONS), len(converted), p=SHARES))
    frame = pl.DataFrame({
        "user": users[log.user], "item": items[log.item], "category": category[log.item],
        "behaviour": pl.select(pl.when(pl.Series(converted)).then(kinds).otherwise(pl.lit("pv"))).to_series(),
        "time": log.seconds(FIRST, LAST),
    })  # fmt: skip
    content.write_csv(folder / "UserBehavior.csv", frame.sort("user", maintain_order=True).to_dict(), header=False)


WRITERS: dict[str, Writer] = {"taobao": write}
