"""Edit, rerun, never mix: a step refuses what was built otherwise, names the script to rerun, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gen_matrix
import get_user_embedding
import mlp
import preprocess_inter
import preprocess_multimodal
from bad_input import FEEDS, LOG, ROWS, SCRIPTS, TITLE, TRACK, listing, refusal, run_with_what_it_asks_for
from load_path import load_path

TRAIN = ("--epochs", "1", "--device", "cpu")


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def touch(file: Path, name: str) -> None:
    os.utime(file.parent / name, ns=(1, 1))


def rerun_until_it_trains(file: Path, task: str, feature: str, capfd: pytest.CaptureFixture) -> list[str]:
    """Run just the commands that the refusals of mlp.py name, one after another; return the scripts."""
    train = ["--paths", str(file), "--dataset", task, "--feature", feature, *TRAIN]
    return run_with_what_it_asks_for("mlp.py", train, capfd)


STEP_1, STEP_2, STEP_3 = "preprocess_inter.py", "preprocess_multimodal.py", "get_user_embedding.py"
STEP_4, STEP_5 = "cross_matrix.py", "gen_matrix.py"
EDITS = {
    # what is edited -> what has to be rerun for wechat, and for tiktok_like, before vat_concat trains again
    "min_interactions of both": (
        lambda file: change(file, min_interactions={"wechat": 60, "tiktok": 60}),
        [STEP_1, STEP_3], [STEP_1, STEP_2, STEP_4, STEP_3],
    ),
    "click_threshold": (lambda file: change(file, click_threshold=0.3), [STEP_1, STEP_3], []),
    "seed": (lambda file: change(file, seed=7), [STEP_2, STEP_4, STEP_3], []),
    "protocol": (lambda file: change(file, protocol="clean"), [], []),  # both were built
    "user_embedding_length": (lambda file: change(file, user_embedding_length=5), [STEP_3], [STEP_3]),
    "length 0": (lambda file: change(file, user_embedding_length=0), [], []),
    "user_reduction": (lambda file: change(file, user_reduction="average_pooling"), [STEP_3], [STEP_3]),
    "user_action.csv": (lambda file: touch(file, LOG), [STEP_1, STEP_3], []),
    "feed_info.csv": (lambda file: touch(file, FEEDS), [STEP_2, STEP_4, STEP_3], []),
    "final_track1_train.txt": (lambda file: touch(file, ROWS), [], [STEP_1, STEP_2, STEP_4, STEP_3]),
    "track1_title.txt": (lambda file: touch(file, TITLE), [], [STEP_2, STEP_4, STEP_3]),
    "another part": (
        lambda file: (file.parent / TRACK / "track1_video_features_part12.txt").write_text("\n"),
        [], [STEP_2, STEP_4, STEP_3],
    ),
    "nothing": (lambda file: None, [], []),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_asks_for_is_rerun_and_nothing_else(
    edit: str, built: Path, capfd: pytest.CaptureFixture
) -> None:  # fmt: skip
    apply, wechat, tiktok = EDITS[edit]
    apply(built)
    for task, expected in (("wechat", wechat), ("tiktok_like", tiktok)):
        named = rerun_until_it_trains(built, task, "vat_concat", capfd)
        assert sorted(named) == sorted(expected)
        assert not expected or named[0] == expected[0]
    assert rerun_until_it_trains(built, "wechat", "vat_concat", capfd) == []


def test_a_refusal_says_what_was_built_and_what_is_asked_for(built: Path, capfd: pytest.CaptureFixture) -> None:
    change(built, click_threshold=0.3)
    line = refusal(capfd, get_user_embedding.main, ["--paths", str(built), "--dataset", "wechat"])
    record = built.parent / "bipartite_graph" / "records" / "preprocess_inter_wechat.json"
    assert line == (
        f"{record}: built with click_threshold 0.5, {built} says 0.3; "
        f"rerun python preprocess_inter.py --paths {built} --dataset wechat"
    )
    change(built, click_threshold=0.5)
    get_user_embedding.main(["--paths", str(built), "--dataset", "wechat"])


def test_a_changed_raw_file_is_named(built: Path, capfd: pytest.CaptureFixture) -> None:
    touch(built, LOG)
    line = refusal(capfd, get_user_embedding.main, ["--paths", str(built), "--dataset", "wechat"])
    assert line.startswith(f"{built.parent / LOG}: ")
    assert f"rerun python preprocess_inter.py --paths {built} --dataset wechat" in line


def test_pointing_at_another_track_is_noticed(built: Path, capfd: pytest.CaptureFixture) -> None:
    other = built.parent / "track2"
    other.mkdir()
    for name in ("final_track1_train.txt", "track1_title.txt"):
        (other / name.replace("track1", "track2")).write_bytes((built.parent / TRACK / name).read_bytes())
    change(built, tiktok_dataset_path="track2")
    for script in ("preprocess_multimodal.py", "get_user_embedding.py"):
        line = refusal(capfd, SCRIPTS[script], ["--paths", str(built), "--dataset", "tiktok"])
        assert line.startswith(str(other / "final_track2_train.txt"))
        assert "rerun python preprocess_inter.py" in line


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in listing(folder)}


def run_all(file: Path) -> None:
    for script in list(SCRIPTS)[:-1]:
        SCRIPTS[script](["--paths", str(file)])


def test_a_step_run_twice_does_nothing_the_second_time(built: Path, capsys: pytest.CaptureFixture) -> None:
    before = times(built.parent)
    capsys.readouterr()
    run_all(built)
    assert times(built.parent) == before
    assert capsys.readouterr().out.count(": up to date (") == 11
    preprocess_inter.main(["--paths", str(built), "--dataset", "wechat", "--force"])
    assert times(built.parent) != before
    get_user_embedding.main(["--paths", str(built), "--dataset", "wechat"])  # forced, but the same: nothing to rerun
    assert "up to date" in capsys.readouterr().out


def test_a_file_that_was_taken_away_is_built_again(built: Path) -> None:
    lost = built.parent / "multi_modal" / "tiktok_visual.npy"
    content = lost.read_bytes()
    lost.unlink()
    preprocess_multimodal.main(["--paths", str(built)])
    assert lost.read_bytes() == content


def test_raw_logs_may_be_put_away_and_everything_may_move(
    built: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    assert rerun_until_it_trains(built, "tiktok_like", "vat_concat", capfd) == []
    before = times(built.parent)
    moved = built.parent.rename(tmp_path / "moved") / "path.json"
    run_all(moved)
    assert rerun_until_it_trains(moved, "tiktok_like", "vat_concat", capfd) == []
    after = times(moved.parent)
    assert [name for name in after if after[name] != before.get(name)] == ["saved/results.csv"]
    (moved.parent / ROWS).unlink()
    preprocess_multimodal.main(["--paths", str(moved), "--dataset", "tiktok"])
    shutil.rmtree(moved.parent / "dataset")
    for script in list(SCRIPTS)[2:-1]:
        SCRIPTS[script](["--paths", str(moved)])
    assert rerun_until_it_trains(moved, "wechat", "visual", capfd) == []


@pytest.mark.parametrize("script", list(SCRIPTS)[:-1])
def test_a_killed_step_leaves_no_record(
    script: str, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    replace, calls = os.replace, []

    def killed(*files: Path) -> None:
        calls.append(files)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(*files)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        SCRIPTS[script](["--paths", str(built), "--dataset", "wechat", "--force"])
    assert not [name for name in listing(built.parent) if name.endswith(".part")]
    feature = "visual" if script == STEP_5 else "vat_concat"
    assert rerun_until_it_trains(built, "wechat", feature, capfd) == [script]


def run_ids(file: Path) -> set[str]:
    found = load_path(file).saved_path.glob("*/metrics.json")
    return {content["run"] for content in map(json.loads, (path.read_text() for path in found)) if "epochs" in content}


def test_runs_have_new_ids_when_artefacts_change_and_the_same_ones_otherwise(
    built: Path, capfd: pytest.CaptureFixture
) -> None:
    def train() -> set[str]:
        before = run_ids(built)
        rerun_until_it_trains(built, "wechat", "vat_concat", capfd)
        return run_ids(built) - before

    first = train()
    assert len(first) == 1
    assert train() == set()
    change(built, click_threshold=0.3)
    assert len(train()) == 1
    change(built, click_threshold=0.5, min_interactions={"wechat": 50, "tiktok": 9999})
    assert train() == set()  # back at the first
    touch(built, FEEDS)
    assert len(train()) == 1


# ---- damaged files


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def other_dtype(file: Path) -> None:
    np.save(file, np.load(file).astype(np.float64))


def other_shape(file: Path) -> None:
    np.save(file, np.load(file).ravel())


def no_array(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04 not an array")


@pytest.mark.parametrize("damage", [truncate, other_dtype, other_shape, no_array, Path.unlink])
def test_a_damaged_artefact_is_named_with_the_step_that_mends_it(
    damage: Callable[[Path], None], built: Path, capfd: pytest.CaptureFixture
) -> None:
    to, file = ["--paths", str(built)], built.parent / "user_all_embeddings" / "wechat_visual_published_pca_21.npy"
    damage(file)
    line = refusal(capfd, mlp.main, to)
    assert line.startswith(str(file))
    command = re.search(
        r"run python (get_user_embedding\.py .*--dataset wechat --protocol published.*?)(?: first)?$", line
    )
    get_user_embedding.main(command[1].split()[1:])
    mlp.main([*to, "--epochs", "1", "--device", "cpu"])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"script": 1}', b"\xff", b'"x"'])
def test_a_damaged_record_is_named(content: bytes, built: Path, capfd: pytest.CaptureFixture) -> None:
    record = built.parent / "multi_modal" / "records" / "preprocess_multimodal_tiktok.json"
    record.write_bytes(content)
    to = ["--paths", str(built), "--dataset", "tiktok"]
    line = refusal(capfd, gen_matrix.main, to)
    assert line.startswith(str(record))
    assert f"rerun python preprocess_multimodal.py --paths {built} --dataset tiktok --force" in line
    preprocess_multimodal.main(to)  # damaged is not current
    gen_matrix.main(to)


def test_a_record_with_one_changed_figure_is_damaged(built: Path, capfd: pytest.CaptureFixture) -> None:
    record = built.parent / "bipartite_graph" / "records" / "preprocess_inter_wechat.json"
    record.write_text(record.read_text().replace('"min_interactions": 50', '"min_interactions": 51'))
    assert "damaged" in refusal(capfd, get_user_embedding.main, ["--paths", str(built), "--dataset", "wechat"])
