"""The WeChat Channels challenge's three files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import Progress

from mma4ctr.sampling import draws, split_counts, taste, wechat_feeds, wechat_log
from mma4ctr.sampling.sample import Sample
from mma4ctr.sampling.scales import WECHAT_SCALES, WechatScale
from mma4ctr.sampling.wechat_actions import ACTIONS

FILES = ("user_action.csv", "feed_info.csv", "feed_embeddings.csv")


def write(folder: Path, scale: WechatScale, seed: int, progress: Progress) -> tuple[split_counts.Counts, list[str]]:
    """Write the three files into `folder`; return the counts of task wechat and lines about the data set."""
    rng = draws.generator(seed, 0, 0)
    feeds = wechat_feeds.draw_feeds(scale, taste.item_factors(scale.feeds, rng), rng)
    log = wechat_log.draw_log(scale, feeds, seed)
    wechat_log.write_log(folder / "user_action.csv", scale, feeds, log, seed, progress)
    wechat_feeds.write_feed_info(folder / "feed_info.csv", scale, feeds, seed, progress)
    wechat_feeds.write_feed_embeddings(folder / "feed_embeddings.csv", feeds, seed, progress)
    file_order = np.zeros(scale.rows, dtype=np.int8)
    counts = split_counts.count(
        log.user, log.feed, file_order, log.click[:, None], feeds.complete(), scale.min_interactions
    )
    shares = ", ".join(f"{name} {share:.5f}" for name, share in zip(ACTIONS, log.actions.mean(axis=0), strict=True))
    lines = [
        f"{scale.users:,} users, {scale.feeds_watched:,} of {scale.feeds:,} feeds watched",
        f"positives of each action: {shares}",
    ]
    return counts, lines


SAMPLE = Sample(FILES, WECHAT_SCALES, write)
