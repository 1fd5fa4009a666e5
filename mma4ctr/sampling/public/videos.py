"""Logs of short videos: KuaiRand, the challenge of Kuaishou, Micro-Video 1.7M, MicroLens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import draws, files
from mma4ctr.sampling.public import content
from mma4ctr.sampling.public.log import CHOSEN, SHOWN, Log, Writer, draw_log

MONTH = (1_649_347_200_000, 1_652_025_599_999)  # 8 April to 8 May 2022 in China, milliseconds
SECOND_LOG = 1_650_556_800_000  # from 22 April on
CHINA = 8 * 3_600_000
UPLOADS = ("ShortImport", "LongImport", "Kmovie", "Web")


def _kuairand_log(log: Log, duration: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Return the rows of both logs; `duration` (items,) is the length of each video in milliseconds."""
    time = log.seconds(*MONTH)
    click = log.positives(0.4, rng)
    long_view = click * log.positives(0.6, rng)
    local = pl.Series(time + CHINA).cast(pl.Datetime("ms"))
    none = np.zeros(len(time), dtype=np.int64)
    return pl.DataFrame({
        "user_id": draws.stretch(log.user, SHOWN.users, 0, 27_284),
        "video_id": draws.stretch(log.item, SHOWN.items, 0, 7_582),
        "date": local.dt.strftime("%Y%m%d").cast(pl.Int64),
        "hourmin": local.dt.hour().cast(pl.Int64) * 100,
        "time_ms": time,
        "is_click": click,
        "is_like": click * log.positives(0.15, rng),
        **dict.fromkeys(("is_follow", "is_comment", "is_forward", "is_hate"), none),
        "long_view": long_view,
        "play_time_ms": (duration[log.item] * (0.05 + 0.3 * click + 0.7 * long_view)).astype(np.int64),
        "duration_ms": duration[log.item],
        **dict.fromkeys(("profile_stay_time", "comment_stay_time", "is_profile_enter", "is_rand"), none),
        "tab": rng.choice([0, 1, 2, 4, 6], len(time), p=[0.1, 0.7, 0.1, 0.05, 0.05]),
    })  # fmt: skip


def write_kuairand(folder: Path, rng: np.random.Generator) -> None:
    """Write the two standard logs of KuaiRand-Pure, and its basic features of videos; some videos have no tag."""
    log = draw_log(SHOWN, rng)
    duration = np.exp(rng.normal(10.2, 0.8, SHOWN.items)).astype(np.int64)
    rows = _kuairand_log(log, duration, rng).sort("user_id", maintain_order=True)
    late = pl.col("time_ms") >= SECOND_LOG
    content.write_csv(folder / "log_standard_4_08_to_4_21_pure.csv", rows.filter(~late).to_dict())
    content.write_csv(folder / "log_standard_4_22_to_5_08_pure.csv", rows.filter(late).to_dict())
    tags = content.names_of(
        content.classes(log.factors, "visual", 46, rng), tuple(str(number) for number in range(1, 47)), ","
    )
    one_each = np.ones(SHOWN.items, dtype=np.int64)
    upload = pl.Series(UPLOADS).gather(content.numbers_of(log.factors, "acoustic", len(UPLOADS), one_each, rng))
    content.write_csv(folder / "video_features_basic_pure.csv", {
        "video_id": draws.stretch(np.arange(SHOWN.items), SHOWN.items, 0, 7_582),
        "author_id": 1_000 * content.numbers_of(log.factors, "textual", 40, one_each, rng),
        "video_type": pl.Series(["NORMAL", "AD"]).gather((rng.random(SHOWN.items) < 0.05).astype(np.int64)),
        "upload_dt": pl.Series(["2022-04-09", "2022-04-10"]).gather(rng.integers(0, 2, SHOWN.items)),
        "upload_type": upload,
        "visible_status": np.zeros(SHOWN.items),
        # As pandas writes a column of integers with gaps: 87433.0.
        "video_duration": duration.astype(np.float64),
        "server_width": np.full(SHOWN.items, 720.0),
        "server_height": np.full(SHOWN.items, 1280.0),
        "music_id": rng.integers(10**8, 10**10, SHOWN.items),
        "music_type": rng.choice([4.0, 9.0], SHOWN.items),
        "tag": pl.select(pl.when(pl.Series(np.arange(SHOWN.items) % 29 != 7)).then(tags)).to_series(),
    })  # fmt: skip


def write_kuaishou(folder: Path, rng: np.random.Generator) -> None:
    """Write train_interaction.txt and train_text.txt (tabs, no names; 0: no text), visual.npy and visual_ids.npy."""
    log = draw_log(SHOWN, rng)
    photos = draws.stretch(np.arange(SHOWN.items), SHOWN.items, 17, 8_500_000)
    click, duration = log.positives(0.3, rng), rng.integers(5, 60, SHOWN.items)
    content.write_table(folder / "train_interaction.txt", {
        "user_id": draws.stretch(log.user, SHOWN.users, 0, 37_820), "photo_id": photos[log.item],
        "click": click, "like": click * log.positives(0.05, rng), "follow": click * log.positives(0.02, rng),
        "time": log.seconds(761_000_000_000, 761_117_489_657),
        "playing_time": click * (1 + duration[log.item] // 2), "duration_time": duration[log.item],
    }, "\t", header=False)  # fmt: skip
    lengths = rng.integers(0, 12, SHOWN.items)
    numbers = content.numbers_of(log.factors, "textual", 400, lengths, rng)
    text = files.join_lists(lengths, pl.Series(1 + numbers).cast(pl.String), ",").fill_null("0")
    shuffled = rng.permutation(SHOWN.items)
    content.write_table(
        folder / "train_text.txt", {"photo": photos[shuffled], "words": text.gather(shuffled)}, "\t", header=False
    )
    content.write_array(folder / "visual.npy", content.vectors(log.factors, "visual", 2048, rng))
    content.write_array(folder / "visual_ids.npy", photos)


def write_microvideo(folder: Path, rng: np.random.Generator) -> None:
    """Write train_data.csv and train_cover_image_feature.npy, whose rows are the items."""
    log = draw_log(SHOWN, rng)
    one_each = np.ones(SHOWN.items, dtype=np.int64)
    category = content.numbers_of(log.factors, "textual", 512, one_each, rng)
    rows = pl.DataFrame({
        "user_id": log.user, "item_id": log.item, "cate_id": category[log.item], "is_click": log.positives(0.25, rng),
        "timestamp": log.seconds(0, 200_000),
    })  # fmt: skip
    content.write_csv(folder / "train_data.csv", rows.sort("user_id", maintain_order=True).to_dict())
    content.write_array(folder / "train_cover_image_feature.npy", content.vectors(log.factors, "visual", 512, rng))


def write_microlens(folder: Path, rng: np.random.Generator) -> None:
    """Write the pairs, titles (no names; commas in some), two arrays whose row k is item k + 1, and item_ids.txt."""
    log = draw_log(CHOSEN, rng, chosen=True)
    items = np.arange(1, CHOSEN.items + 1)
    pairs = pl.DataFrame({
        "user": 1 + log.user, "item": items[log.item], "timestamp": log.seconds(1_582_000_000_000, 1_662_900_000_000),
    })  # fmt: skip
    content.write_csv(folder / "MicroLens-100k_pairs.csv", pairs.sort("user", maintain_order=True).to_dict())
    title = content.words(log.factors, "textual", rng.integers(3, 10, CHOSEN.items), rng)
    title = title.str.replace(" ", ", ").str.to_uppercase()
    content.write_csv(folder / "MicroLens-100k_title_en.csv", {"item": items, "title": title}, header=False)
    for name, modality, width in (
        ("image_features_CLIPRN50", "visual", 1024),
        ("video_features_VideoMAE", "acoustic", 768),
    ):
        content.write_array(folder / f"MicroLens-100k_{name}.npy", content.vectors(log.factors, modality, width, rng))
    content.write_table(folder / "item_ids.txt", {"item": items}, "\t", header=False)


WRITERS: dict[str, Writer] = {
    "kuairand_pure": write_kuairand, "kuaishou": write_kuaishou, "microvideo_1_7m": write_microvideo,
    "microlens_100k": write_microlens,
}  # fmt: skip
