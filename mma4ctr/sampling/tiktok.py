"""The TikTok challenge's track 1 files."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress

from mma4ctr.sampling import draws, split_counts, tiktok_features, tiktok_log
from mma4ctr.sampling.sample import Sample
from mma4ctr.sampling.scales import TIKTOK_SCALES, TiktokScale

LOG_FILE = "final_track1_train.txt"
FILES = (
    LOG_FILE,
    *(file.name.format(part) for file in tiktok_features.VECTOR_FILES for part in range(1, file.parts + 1)),
    tiktok_features.TITLE_FILE,
)


def write(folder: Path, scale: TiktokScale, seed: int, progress: Progress) -> tuple[split_counts.Counts, list[str]]:
    """Write all files into `folder`; return the counts of both tasks and lines about the data set."""
    plan = tiktok_log.draw_plan(scale, seed)
    kept_items = tiktok_log.kept_items(scale, plan)
    features = tiktok_features.draw_feature_items(scale, kept_items, draws.generator(seed, 1, 3))
    counts = tiktok_log.write_log(folder / LOG_FILE, scale, plan, features.complete(scale.items), seed, progress)
    ids = draws.stretch(features.index, scale.items, 0, scale.item_id_space - 1)
    factors = plan.factors[features.index]
    del plan
    for key, file in enumerate(tiktok_features.VECTOR_FILES, start=4):
        tiktok_features.write_vectors(folder, file, features, ids, factors, seed, key, progress)
    tiktok_features.write_titles(folder, scale, features, ids, factors, seed, 6, progress)
    lines = [
        f"{scale.users:,} users, {scale.items_watched:,} items watched, {len(features.index):,} items with features",
    ]
    return counts, lines


SAMPLE = Sample(FILES, TIKTOK_SCALES, write)
