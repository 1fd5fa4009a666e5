"""The sample: same seed, same bytes; safe folders; enough positives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import sample_data
from mma4ctr.sampling import split_counts, wechat_feeds


def write(folder: Path, *arguments: str) -> Path:
    sample_data.main(["--out", str(folder), *arguments])
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# Folders and the marker


def test_same_seed_same_bytes(tiny_raw: Path, tmp_path: Path) -> None:
    assert digests(write(tmp_path / "again", "--scale", "tiny")) == digests(tiny_raw)
    other = digests(write(tmp_path / "other", "--scale", "tiny", "--seed", "1"))
    assert [name for name, digest in digests(tiny_raw).items() if other[name] == digest] == ["path.json"]


def test_one_dataset_has_the_same_bytes_as_both(tiny_raw: Path, tmp_path: Path) -> None:
    alone = digests(write(tmp_path, "--scale", "tiny", "--dataset", "tiktok"))
    assert not (tmp_path / "dataset/wechat").exists()
    alone.pop("sample.json")
    assert alone.items() <= digests(tiny_raw).items()


def test_complete_sample_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    before = times()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert "wechat: up to date" in capsys.readouterr().out
    assert times() == before
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat", "--force")
    after = times()
    assert all(after[path] > before[path] for path in tmp_path.rglob("*.csv"))
    (tmp_path / "dataset/wechat/feed_info.csv").unlink()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert (tmp_path / "dataset/wechat/feed_info.csv").exists()


def test_force_with_other_settings_leaves_nothing_of_the_old_sample(tmp_path: Path) -> None:
    write(tmp_path, "--scale", "tiny")
    write(tmp_path, "--scale", "tiny", "--seed", "1", "--dataset", "wechat", "--force")
    assert not [path for path in (tmp_path / "dataset/TikTok2019ICME").rglob("*") if path.is_file()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        sample_data.main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize("name", ["dataset/wechat/user_action.csv", "dataset/notes.txt", "path.json"])
def test_never_among_real_logs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = tmp_path / name
    real.parent.mkdir(parents=True, exist_ok=True)
    real.write_text("real")
    for force in ((), ("--force",)):
        assert str(real) in refused(capsys, "--scale", "tiny", "--out", str(tmp_path), *force)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [real]
    assert real.read_text() == "real"


def test_other_settings_need_force(tiny_raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(tiny_raw)
    error = refused(capsys, "--scale", "tiny", "--seed", "1", "--out", str(tiny_raw))
    assert "seed 0" in error and "seed 1" in error and "--force" in error
    assert digests(tiny_raw) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"written_by": "somebody"}'])
def test_foreign_marker_is_refused(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sample.json").write_text(content)
    assert "sample.json" in refused(capsys, "--scale", "tiny", "--out", str(tmp_path), "--force")


def test_no_large_scale_without_signal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "use --scale demo or tiny" in refused(capsys, "--scale", "full", "--signal", "none")


def test_an_interrupted_write_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_feeds, "feed_info", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert {path.name for path in (tmp_path / "dataset/wechat").iterdir()} == {"user_action.csv"}
    monkeypatch.undo()
    write(tmp_path, "--scale", "tiny", "--dataset", "wechat")
    assert (tmp_path / "dataset/wechat/feed_info.csv").exists()


def test_paths_file(tiny_raw: Path) -> None:
    content = json.loads((tiny_raw / "path.json").read_text())
    assert content["parent_folder"] == "."
    assert content["min_interactions"] == {"wechat": 50, "tiktok": 50}
    for dataset in ("wechat", "tiktok"):
        assert (tiny_raw / content[f"{dataset}_dataset_path"]).is_dir()


# Positives


PROMISED = [("tiny", "taste", 200), ("demo", "taste", 200), ("tiny", "none", 2000)]


@pytest.mark.parametrize(("scale", "signal", "least"), PROMISED)
def test_positives_in_validation_and_test(scale: str, signal: str, least: int, tmp_path: Path) -> None:
    write(tmp_path, "--scale", scale, "--signal", signal)
    lines = json.loads((tmp_path / "sample.json").read_text())["complete"]
    tasks = [line for dataset in lines.values() for line in dataset if "in validation" in line]
    assert [line.split(":")[0] for line in tasks] == ["wechat", "tiktok_finish", "tiktok_like"]
    for line in tasks:
        validation, test = line.split("modalities ")[1].replace(",", "").split(" positives in validation ")
        assert int(validation) >= least, line
        assert int(test.split()[0]) >= least, line


def test_split_counts_on_a_log_counted_by_hand() -> None:
    # User 0 has 11 rows, one of them a repeated pair: ten remain, the last is test, the one before it validation.
    # User 1 is too short to be kept.
    user = np.array([0] * 11 + [1] * 3)
    item = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1, 2])
    time = np.array([20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 0, 0, 0])
    labels = np.zeros((14, 2), dtype=bool)
    labels[0] = True, True  # item 0 at time 20: the last row but for its repetition
    labels[9] = True, False  # item 9 at time 9: the one before
    labels[10] = True, True  # the repetition
    complete = np.ones(10, dtype=bool)
    counts = split_counts.count(user, item, time, labels, complete, 4)
    assert (counts.rows, counts.kept_users, counts.kept_rows, counts.fused_rows) == (14, 1, 11, 11)
    assert counts.positives.tolist() == [3, 2]
    assert counts.test_positives.tolist() == [1, 1]
    assert counts.validation_positives.tolist() == [1, 0]
    complete[0] = False
    assert split_counts.count(user, item, time, labels, complete, 4).test_positives.tolist() == [0, 0]
