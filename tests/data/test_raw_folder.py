"""No file of a folder of raw logs is passed over because of how it is called or packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mma4ctr.cli import UserError
from mma4ctr.data import raw_files, raw_folder
from mma4ctr.data.datasets import tiktok, wechat


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("content.txt", content)
    return archive.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped,
    ".zst": lambda content: bytes.fromhex("28b52ffd2400010000") + content,
}  # fmt: skip
READERS = {
    "user_action.csv": lambda folder: [
        raw_files.require_file(file, "key") for file in wechat.DATASET.interaction_files(folder)
    ],
    "feed_info.csv": wechat.DATASET.feature_files,
    "final_track1_train.txt": tiktok.DATASET.interaction_files,
    "track1_video_features_part3.txt": tiktok.DATASET.feature_files,
    "track1_title.txt": tiktok.DATASET.feature_files,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("name", READERS)
def test_a_packed_file_is_refused_by_name_whatever_it_is_called(tmp_path: Path, name: str, ending: str) -> None:
    packed = PACKERS[ending](b"userid,feedid\n1,2\n")
    command = {".gz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zip": "unzip", ".zst": "unzstd"}[ending]
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(
        UserError, match=rf"{name}: is packed \({ending}\), expected plain text; mv .* && {command} \S+{name}{ending}$"
    ):
        READERS[name](tmp_path)
    (tmp_path / name).rename(tmp_path / (name + ending))
    with pytest.raises(UserError, match=rf"{name}{ending}: .*{command} \S+{name}{ending}"):
        READERS[name](tmp_path)


def test_the_packed_copy_of_a_file_that_is_read_may_stay(tmp_path: Path) -> None:
    for name in ("track1_title.txt", "track1_title.txt.gz", "track1_title.txt.zip"):
        (tmp_path / name).write_text("{}\n")
    assert tiktok.DATASET.feature_files(tmp_path) == {"textual": [tmp_path / "track1_title.txt"]}


@pytest.mark.parametrize("name", [
    "track1_video_features_part5.TXT", "track1_video_features_part5.txt.bak", "Track1_video_features_part5.txt",
    "track1_video_features_part05.txt", "track1_video_features_part5 (1).txt", "track1_video_features_part5.txt~",
    "track1_video_features_part5", "track1_video_features_part５.txt", "track1_video_features_part0.txt",
    "copy of track1_title.txt", "track1_titles.txt", "track3_title.txt", "track1-audio-features.txt",
    "track1_audio_features_part1.txt.part", "video_features_part5.txt", "track1_audio_features_part1.txt.GZ",
])  # fmt: skip
def test_a_file_that_would_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    for file in ("track1_title.txt", "track1_video_features_part5.txt", name):
        (tmp_path / file).write_text("{}\n")
    with pytest.raises(UserError) as error:
        tiktok.DATASET.feature_files(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / name}: would not be read, expected a name such as ")


@pytest.mark.parametrize("name", ["Final_track1_train.txt", "final_track1_train.txt.bak", "final_track1_train (1).txt"])
def test_a_log_that_would_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    for file in ("final_track1_train.txt", name):
        (tmp_path / file).write_text("1\n")
    with pytest.raises(UserError, match=r"would not be read, expected .* final_track1_train\.txt; rename it"):
        tiktok.DATASET.interaction_files(tmp_path)


def test_files_of_the_challenge_that_nothing_needs_may_lie_there(tmp_path: Path) -> None:
    read = ("track1_title.txt", "final_track1_train.txt")
    others = ("final_track1_test_no_answer.txt", "track1_face_attrs.txt", ".track1_title.txt.swp", "README.md")
    for name in (*read, *others):
        (tmp_path / name).write_text("{}\n")
    assert list(tiktok.DATASET.feature_files(tmp_path)) == ["textual"]
    assert len(tiktok.DATASET.interaction_files(tmp_path)) == 1


@pytest.mark.parametrize("lie", ["folder", "link to a folder", "dead link", "loop"])
@pytest.mark.parametrize("name", ["track1_title.txt", "track1_video_features_part1.txt", "final_track1_train.txt"])
def test_what_is_called_like_a_file_and_is_none_is_refused(tmp_path: Path, name: str, lie: str) -> None:
    folder, other = tmp_path / "raw", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    if lie == "folder":
        (folder / name).mkdir()
    else:
        (folder / name).symlink_to(
            {"link to a folder": other, "dead link": tmp_path / "no", "loop": folder / name}[lie]
        )
    with pytest.raises(UserError, match=f"{name}: (is a folder|no such raw file)"):
        READERS.get(name, tiktok.DATASET.feature_files)(folder)


@pytest.mark.parametrize("name", ["Feed_info.csv", "feed_info.CSV", "feed_info (1).csv", "feed_info.csv.txt"])
def test_a_file_of_another_spelling_is_named_where_the_right_one_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("feedid\n")
    with pytest.raises(UserError) as error:
        wechat.DATASET.feature_files(tmp_path)
    assert f"feed_info.csv: no such raw file; found {name}: rename it" in str(error.value)


def test_a_whole_file_beside_parts_is_refused(tmp_path: Path) -> None:
    for name in ("track1_video_features.txt", "track1_video_features_part2.txt"):
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(UserError, match=r"features\.txt: lies beside track1_video_features_part2\.txt, expected one"):
        tiktok.DATASET.feature_files(tmp_path)


# ---- series


@given(numbers=st.sets(st.integers(1, 30), min_size=1))
def test_missing_parts_are_those_below_the_highest(numbers: set[int]) -> None:
    def plain(text: str) -> set[int]:
        ends = [run.split("-") for run in text.split(",")]
        return {number for run in ends for number in range(int(run[0]), int(run[-1]) + 1)}

    files = [Path(f"track1_audio_features_part{number}.txt") for number in numbers]
    before, after = "track1_audio_features_part", ".txt"
    assert plain(raw_folder.listed(files).removeprefix(before).removesuffix(after)) == numbers
    missing = set(range(1, max(numbers))) - numbers
    said = raw_folder.gaps(files)
    assert len(said) == bool(missing)
    if missing:
        assert plain(said[0].partition(after)[0].removeprefix(before)) == missing
        assert f"is missing, as there is a part {max(numbers)}" in said[0]


def test_files_are_listed_in_short() -> None:
    names = [f"track1_video_features_part{number}.txt" for number in (1, 2, 3, 5, 11)]
    assert raw_folder.listed([Path(name) for name in names]) == "track1_video_features_part1-3,5,11.txt"
    assert raw_folder.listed([Path("track1_title.txt")]) == "track1_title.txt"
    assert raw_folder.gaps([Path("track1_title.txt")]) == ()
