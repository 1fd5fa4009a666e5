"""TikTok's raw files are read with everything that they hold, each against a plain row-by-row reading."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mma4ctr.cli import UserError
from mma4ctr.data.datasets.tiktok import DATASET
from mma4ctr.data.raw_files import Part
from mma4ctr.executor import LocalExecutor
from plain_reading import dense, padded
from samples import ROOT

REAL_ROWS = ROOT.parent / "shared" / "data" / "tiktok_track2_200_rows.txt"


def read_all(folder: Path, kept: list[int]) -> dict:
    ids = np.array(sorted(kept), dtype=np.int64)
    return {raw.modality: raw for raw in DATASET.raw_modalities(folder, ids, LocalExecutor())}


# ---- interactions


def interactions(folder: Path) -> pl.DataFrame:
    (file,) = DATASET.interaction_files(folder)
    return DATASET.interactions(Part(file), {}).collect()


def write_track(folder: Path, rows: list[list[int]], track: int = 1, end: str = "\n") -> None:
    text = end.join("\t".join(map(str, row)) for row in rows) + end
    (folder / f"final_track{track}_train.txt").write_text(text, newline="")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tiktok_interactions_equal_a_plain_reading(tmp_path: Path, end: str) -> None:
    rng = random.Random(2)
    rows = [
        [rng.randrange(9), -1, rng.randrange(99), rng.randrange(-1, 7), -1, 0, rng.randrange(2), rng.randrange(2),
         rng.randrange(-1, 2), rng.randrange(9), 53_000_000_000 + rng.randrange(10**9), 12]
        for _ in range(300)
    ]  # fmt: skip
    write_track(tmp_path, rows, end=end)
    found = interactions(tmp_path)
    assert found.columns == ["user", "item", "device", "time", "finish", "like", "author_id", "music_id"]
    assert found.rows() == [(row[0], row[2], row[9], row[10], row[6], row[7], row[3], row[8]) for row in rows]


def test_the_time_of_track_2_is_its_file_position(tmp_path: Path) -> None:
    write_track(tmp_path, [[3, -1, 7, 1, -1, 0, 1, 0, -1, 2, 53_000_000_000 - row, 9] for row in range(5)], track=2)
    with pytest.warns(UserWarning, match="file order"):
        found = interactions(tmp_path)
    assert found["time"].to_list() == [0] * 5


def test_real_rows_of_track_2_parse(tmp_path: Path) -> None:
    if not REAL_ROWS.exists():
        pytest.skip("the real rows are not part of the repository")
    (tmp_path / "final_track2_train.txt").write_bytes(REAL_ROWS.read_bytes())
    with pytest.warns(UserWarning, match="file order"):
        found = interactions(tmp_path)
    rows = [[int(field) for field in line.split("\t")] for line in REAL_ROWS.read_text().splitlines()]
    assert len(rows) == 200
    assert found.rows() == [(row[0], row[2], row[9], 0, row[6], row[7], row[3], row[8]) for row in rows]


# ---- features

VIDEO, AUDIO = "video_feature_dim_128", "audio_feature_128_dim"
LAYOUTS = (
    lambda item, key, value: json.dumps({"item_id": item, key: value}),
    lambda item, key, value: json.dumps({"item_id": item, key: value}, separators=(",", ":")),
    lambda item, key, value: json.dumps({key: value, "item_id": item}),
    lambda item, key, value: f'  {{ "{key}" :  {json.dumps(value)} , "item_id" : {item} }}\t',
)


def random_vector(rng: random.Random) -> list[float]:
    length = rng.choice([0, 1, 17, 128, 128, 128])
    return [rng.choice([0, 3, -1.5e-07, rng.gauss(0, 1), 1e5]) for _ in range(length)]


def write_parts(folder: Path, name: str, key: str, parts: int, make, seed: int) -> dict[int, object]:
    """Write part files with repeats within and across them; return what each item's last line says."""
    rng, last = random.Random(seed), {}
    for part in range(1, parts + 1):
        lines = []
        for _ in range(60):
            item, value = rng.randrange(150), make(rng)
            lines.append(rng.choice(LAYOUTS)(item, key, value))
            last[item] = value
        suffix = f"_part{part}" if parts > 1 else ""
        (folder / f"{name}{suffix}.txt").write_text(rng.choice(["\n", "\r\n"]).join(lines) + "\n\n", newline="")
    return last


@pytest.mark.parametrize(
    ("modality", "name", "key", "parts"),
    [
        ("visual", "track1_video_features", VIDEO, 11),
        ("acoustic", "track1_audio_features", AUDIO, 4),
        ("visual", "track2_video_features", VIDEO, 1),
        ("acoustic", "track2_audio_features", AUDIO, 1),
    ],
)
def test_tiktok_vectors_equal_a_plain_reading(
    tmp_path: Path, modality: str, name: str, key: str, parts: int
) -> None:  # fmt: skip
    last = write_parts(tmp_path, name, key, parts, random_vector, seed=parts)
    kept = [item for item in range(150) if item % 3] + [10**12]
    raw = read_all(tmp_path, kept)[modality]
    assert raw.items.tolist() == sorted(set(kept) & set(last))
    expected = padded([last[item] for item in raw.items.tolist()], 128).astype(np.float32)
    np.testing.assert_array_equal(raw.blocks[0].matrix, expected)
    assert raw.blocks[0].components == {"visual": 0.9, "acoustic": 10}[modality]


def random_title(rng: random.Random) -> dict[str, int]:
    return {str(rng.randrange(50)): rng.choice([1, 1, 2, 3, 0]) for _ in range(rng.choice([0, 0, 1, 4, 9]))}


@pytest.mark.parametrize("track", [1, 2])
def test_tiktok_titles_equal_a_plain_reading(tmp_path: Path, track: int) -> None:
    last = write_parts(tmp_path, f"track{track}_title", "title_features", 1, random_title, seed=track)
    kept = [item for item in range(150) if item % 4]
    raw = read_all(tmp_path, kept)["textual"]
    assert raw.items.tolist() == sorted(set(kept) & set(last))
    lists = [[int(w) for w, count in last[item].items() for _ in range(count)] for item in raw.items.tolist()]
    np.testing.assert_array_equal(dense(raw.blocks[0].matrix), padded(lists, max(map(len, lists))))


def test_titles_without_any_word_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "track1_title.txt").write_text('{"item_id": 3, "title_features": {}}\n' * 2)
    raw = read_all(tmp_path, [3])["textual"]
    assert raw.items.tolist() == [3]
    assert raw.blocks[0].matrix.shape == (1, 0)


def test_lines_of_items_that_nobody_kept_are_not_parsed(tmp_path: Path) -> None:
    good, bad = json.dumps({"item_id": 1, VIDEO: [0.5]}), f'{{"item_id": 2, "{VIDEO}": [0.5, oops'
    (tmp_path / "track1_video_features_part1.txt").write_text(f"{bad}\n{good}\n{bad}\n")
    (tmp_path / "track1_title.txt").write_text('{"item_id": 2, "title_features": [}\n')
    found = read_all(tmp_path, [1])
    assert found["visual"].items.tolist() == [1]
    assert found["textual"].items.tolist() == []
    with pytest.raises(UserError, match=r"part1\.txt:1: broken JSON"):
        read_all(tmp_path, [1, 2])


def test_parts_go_in_numeric_order_and_missing_modalities_are_left_out(tmp_path: Path) -> None:
    for part in (1, 2, 10, 11):
        (tmp_path / f"track1_audio_features_part{part}.txt").write_text("{}\n")
    files = DATASET.feature_files(tmp_path)
    assert list(files) == ["acoustic"]
    assert [file.stem.rpartition("part")[2] for file in files["acoustic"]] == ["1", "2", "10", "11"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "found no feature files"),
        (["track1_title.txt", "track2_title.txt"], "track 1 and of track 2"),
        (["track1_title.txt", "final_track2_train.txt"], "track 1 and of track 2"),
        (["track1_video_features_part1 (1).txt"], "rename it"),
    ],
)
def test_feature_files_that_cannot_be_told_apart_are_refused(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(UserError, match=said):
        DATASET.feature_files(tmp_path)
