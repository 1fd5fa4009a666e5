"""Samples of public data sets: the same seed gives the same bytes, in the published formats, learnable."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import plain_logs
import sample_data
from bad_input import refusal
from mma4ctr.sampling import public
from plain_logs import FORMATS
from samples import ROOT


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of every public data set, each in a folder of its name."""
    folder = tmp_path_factory.mktemp("public")
    for name in public.NAMES:
        public.write(name, folder / name)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", public.NAMES)
def test_the_seed_decides_every_byte(name: str, samples: Path, tmp_path: Path) -> None:
    public.write(name, tmp_path / "again")
    assert content_of(tmp_path / "again") == content_of(samples / name)
    public.write(name, tmp_path / "other", seed=1)
    other, first = content_of(tmp_path / "other"), content_of(samples / name)
    assert other.keys() == first.keys()
    numbers = {"item_ids.txt", "visual_ids.npy"}  # the same for every seed
    assert {file for file in first if other[file] == first[file]} <= numbers


@pytest.mark.parametrize("name", public.NAMES)
def test_a_log_has_the_size_of_a_sample(name: str, samples: Path) -> None:
    log = list(FORMATS[name].rows(samples / name))
    kept = plain_logs.kept(log, FORMATS[name].least)
    assert 500 < len(kept) <= len(log) < 5_000
    assert 60 <= len({row.user for row in kept}) <= len({row.user for row in log}) <= 140
    assert 100 <= len({row.item for row in kept}) <= 180
    for task in FORMATS[name].labels:
        assert 0.02 < np.mean([row.labels[task] for row in log]) < 0.7


# File -> its first line, or lines that a reader may stumble over, as they stand there.
LINES = {
    ("movielens_100k", "u.item", "latin-1"): ["120|unknown||||1" + "|0" * 18],
    ("ml100k_recbole", "ml-100k.inter", "utf-8"): ["user_id:token\titem_id:token\trating:float\ttimestamp:float"],
    ("ml100k_recbole", "ml-100k.item", "utf-8"): [
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    ],
    ("dbbook", "dbbook.inter", "utf-8"): ["userID\titemID\trating\tx_label"],
    ("lfm2k", "lfm2k.inter", "utf-8"): ["userID\titemID\trating\tx_label"],
    ("movielens_1m_multimodal", "movielens_1m.inter", "utf-8"): ["userID\titemID\trating\ttimestamp\tx_label"],
    ("mmrec_baby", "baby.inter", "utf-8"): ["userID\titemID\trating\ttimestamp\tx_label"],
    ("microvideo_1_7m", "train_data.csv", "utf-8"): ["user_id,item_id,cate_id,is_click,timestamp"],
    ("microlens_100k", "MicroLens-100k_pairs.csv", "utf-8"): ["user,item,timestamp"],
    ("kuairand_pure", "log_standard_4_08_to_4_21_pure.csv", "utf-8"): [
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
        "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
    ],
    ("kuairand_pure", "video_features_basic_pure.csv", "utf-8"): [
        "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,"
        "music_id,music_type,tag"
    ],
}


@pytest.mark.parametrize(("name", "file", "encoding"), LINES)
def test_a_file_has_the_published_form(name: str, file: str, encoding: str, samples: Path) -> None:
    lines = (samples / name / file).read_text(encoding=encoding).splitlines()
    assert set(LINES[name, file, encoding]) <= set(lines)


def test_what_readers_stumble_over_is_there(samples: Path) -> None:
    film = (samples / "movielens_10m" / "movies.dat").read_text(encoding="utf-8")
    assert '::"' in film and ", The (" in film and ": " in film and "é" in film
    assert "é".encode("latin-1") in (samples / "movielens_1m" / "movies.dat").read_bytes()
    assert "::3.5::" in (samples / "movielens_10m" / "ratings.dat").read_text()
    assert ',"' in (samples / "microlens_100k" / "MicroLens-100k_title_en.csv").read_text()
    assert ",\n" in (samples / "kuairand_pure" / "video_features_basic_pure.csv").read_text()
    assert "\t0\n" in (samples / "kuaishou" / "train_text.txt").read_text()
    assert any(not items for items in json.loads((samples / "mmssl_tiktok" / "val.json").read_text()).values())


# ---- what docs/datasets.md says to do beforehand


@pytest.fixture
def snippets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The code of docs/datasets.md, to be run in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "datasets.md").read_text(), re.DOTALL)


def test_thumbnails_are_packed(snippets: list[str], tmp_path: Path) -> None:
    public.write("kuaishou", tmp_path)
    vectors, photos = np.load("visual.npy"), np.load("visual_ids.npy")
    (tmp_path / "final_visual_train").mkdir()
    for row, photo in enumerate(photos[:-3]):  # some are missing
        with (tmp_path / "final_visual_train" / str(photo)).open("wb") as file:
            np.save(file, vectors[row : row + 1])
    exec(snippets[0], {})
    watched = {row.item for row in FORMATS["kuaishou"].rows(tmp_path)}
    wanted = [row for row, photo in enumerate(photos[:-3]) if photo in watched]
    np.testing.assert_array_equal(np.load("visual_ids.npy"), photos[wanted])
    np.testing.assert_array_equal(np.load("visual.npy"), vectors[wanted])


def test_both_parts_of_micro_video_are_joined(snippets: list[str], tmp_path: Path) -> None:
    for part, seed in (("test", 1), ("train", 0)):
        public.write("microvideo_1_7m", tmp_path, seed)
        for name in ("data.csv", "cover_image_feature.npy"):
            (tmp_path / f"train_{name}").rename(tmp_path / f"{part}_{name}")
    exec(snippets[1], {})
    vectors = np.load("all_cover_image_feature.npy")
    log = np.loadtxt("all_data.csv", delimiter=",", skiprows=1, dtype=np.int64)
    parts = [np.loadtxt(f"{part}_data.csv", delimiter=",", skiprows=1, dtype=np.int64) for part in ("train", "test")]
    assert len(log) == len(parts[0]) + len(parts[1])
    for part, rows in zip(("train", "test"), np.split(log, [len(parts[0])]), strict=True):
        own = parts[part == "test"]
        np.testing.assert_array_equal(np.delete(rows, 1, axis=1), np.delete(own, 1, axis=1))
        np.testing.assert_array_equal(vectors[rows[:, 1]], np.load(f"{part}_cover_image_feature.npy")[own[:, 1]])


# ---- sample_data.py


def test_the_script_writes_them_with_a_path_json(samples: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    to = ["--out", str(tmp_path), "--public", "taobao", "kuairand_pure"]
    sample_data.main(to)
    said = capfd.readouterr().out
    assert f"next: python preprocess_inter.py --paths {tmp_path / 'path.json'}" in said
    assert said.rstrip().endswith("taobao, kuairand_pure_click, kuairand_pure_long_view, kuairand_pure_like")
    for name in ("taobao", "kuairand_pure"):
        assert content_of(tmp_path / "dataset" / name) == content_of(samples / name)
    assert json.loads((tmp_path / "path.json").read_text()) == {"parent_folder": ".", "seed": 0}
    (tmp_path / "dataset" / "taobao" / "UserBehavior.csv").unlink()
    sample_data.main(to)
    said = capfd.readouterr().out
    assert "taobao: written" in said and "kuairand_pure: up to date" in said
    sample_data.main([*to[:3], "dbbook", "--seed", "1", "--force"])  # what is there goes along
    public.write("taobao", tmp_path / "wanted", seed=1)
    assert content_of(tmp_path / "dataset" / "taobao") == content_of(tmp_path / "wanted")


def test_samples_of_both_kinds_do_not_mix(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    to = ["--out", str(tmp_path)]
    sample_data.main([*to, "--public", "taobao"])
    assert "expected one of --scale" in refusal(capfd, sample_data.main, [*to, "--scale", "tiny", "--force"])
    assert "seed 1, format 1; add --force" in refusal(
        capfd, sample_data.main, [*to, "--public", "taobao", "--seed", "1"]
    )
    for more in (["--dataset", "wechat"], ["--signal", "none"]):
        assert "go with --scale" in refusal(capfd, sample_data.main, [*to, "--public", "taobao", *more])


def test_never_among_real_logs(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    real = tmp_path / "dataset" / "taobao" / "UserBehavior.csv"
    real.parent.mkdir(parents=True)
    real.write_text("real")
    assert str(real) in refusal(capfd, sample_data.main, ["--out", str(tmp_path), "--public", "taobao", "--force"])
    assert real.read_text() == "real"
