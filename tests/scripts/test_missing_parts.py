"""Step 2 says which parts of the feature files are missing, and how many items they leave without features."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import preprocess_inter
import preprocess_multimodal
from bad_input import TRACK, VIDEO, refusal, replace
from load_path import load_path
from mma4ctr.store import reading, records
from samples import paths_file


@pytest.fixture
def to(raw: Path, tmp_path: Path) -> list[str]:
    """Options of steps that read the copy of the sample; step 1 has run."""
    (tmp_path / "out").mkdir()
    options = ["--paths", str(paths_file(tmp_path / "out", raw)), "--dataset", "tiktok"]
    preprocess_inter.main(options)
    return options


def warned(options: list[str]) -> list[str]:
    """Run step 2 and return its warnings; they are in its record as well, and are said again when nothing is done."""
    said = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            preprocess_multimodal.main(options)
        said.append([str(warning.message) for warning in caught])
    assert said[0] == said[1]
    assert said[0] == list(records.require(load_path(options[1]), "preprocess_multimodal.py", "tiktok").warnings)
    return said[0]


def test_a_missing_part_of_a_series_is_said(raw: Path, to: list[str], capfd: pytest.CaptureFixture) -> None:
    settings = load_path(to[1])
    (raw / TRACK / "track1_video_features_part5.txt").unlink()
    (raw / TRACK / "track1_audio_features_part4.txt").unlink()  # the highest: a series may be shorter
    (said,) = warned(to)
    assert said.startswith("track1_video_features_part5.txt is missing, as there is a part 11: ")
    printed = capfd.readouterr().out
    assert "visual read from: track1_video_features_part1-4,6-11.txt" in printed
    assert "acoustic read from: track1_audio_features_part1-3.txt" in printed
    kept, there = (reading.load(settings, name, dataset="tiktok", **keys) for name, keys in (
        ("items", {}), ("modality_items", {"modality": "visual"})))  # fmt: skip
    without = len(np.setdiff1d(kept, there))
    assert 0 < without < len(kept) / 2
    assert f"visual without a line: {without} of {len(kept)} kept items ({without / len(kept):.1%})" in printed


def test_most_items_without_a_line_are_said(raw: Path, to: list[str]) -> None:
    for number in range(4, 12):
        (raw / TRACK / f"track1_video_features_part{number}.txt").unlink()
    title = raw / TRACK / "track1_title.txt"
    replace(title, b'{"item_id": -5, "title_features": {}}\n')
    visual, empty, textual = warned(to)
    assert re.match(r"visual: \d+ of \d+ kept items \([5-9]\d\.\d%\) have no line in \S+_part1-3\.txt;", visual)
    assert re.match(r"textual: (\d+) of \1 kept items \(100\.0%\) have no line in track1_title\.txt", textual)
    assert empty.startswith("textual has no columns")


def test_an_absurd_number_is_said(raw: Path, to: list[str]) -> None:
    item = int(np.load(load_path(to[1]).graph_path / "tiktok_items.npy")[0])
    last = raw / TRACK / "track1_video_features_part11.txt"
    absurd = f'{{"item_id": {item}, "video_feature_dim_128": [0.5, 1e12]}}\n'
    replace(last, last.read_bytes() + absurd.encode())
    (said,) = warned(to)
    assert re.match(rf"visual: 5 of 58\d items have more than 50% .*, item {item} alone 99\.8%: ", said)


@pytest.mark.parametrize("ending", [".gz", ".TXT", ".txt.bak"])
def test_a_renamed_part_is_refused(raw: Path, to: list[str], ending: str, capfd: pytest.CaptureFixture) -> None:
    file = raw / VIDEO
    file.rename(file.with_name(file.stem + ending if ending != ".gz" else file.name + ending))
    line = refusal(capfd, preprocess_multimodal.main, to)
    assert "would not be read, expected a name such as track1_video_features_part3.txt; " in line
    assert ("gunzip " in line) == (ending == ".gz")
