"""The campaign of damages and kills judges as it says: what is wrong is found, and what is right is let pass."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from samples import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import campaign
import commands
import damages
import kills
import scenes
import verdicts
from kinds import Damaged, Kind
from scenes import QUESTIONS, Ran, Scene
from stored_damages import ARRAY_EDITS, ARTEFACTS
from verdicts import Verdict

pytestmark = pytest.mark.slow

ONE_LINE = "error: /x/wechat_users.npy: damaged; rerun python preprocess_inter.py\n"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample after an undisturbed pipeline that was asked one question; treat it as read-only."""
    folder = tmp_path_factory.mktemp("campaign") / "reference"
    scenes.prepare(folder, QUESTIONS[:1], report=False)
    return folder


def scene_of(reference: Path, folder: Path, state: str) -> Scene:
    scenes.copy(reference, state, folder)
    return Scene(reference, folder, QUESTIONS[0], random.Random(0))


def harmless(scene: Scene) -> Damaged:
    return Damaged(["nothing"], "nothing")


def test_damages_are_judged(reference: Path, tmp_path: Path) -> None:
    scene = scene_of(reference, tmp_path / "a", "built")
    assert damages.judge(scene, Kind("nothing", "built", ("mlp",), harmless))[1].name == "same"
    (cut,) = [kind for kind in ARTEFACTS if kind.name == "artefact: truncated"]
    said, verdict = damages.judge(scene_of(reference, tmp_path / "b", "built"), cut)
    assert said
    assert verdict.name in ("refused", "same"), verdict


def test_another_result_is_found(reference: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "reference"
    scenes.copy(reference, "finished", wrong)
    scene = scene_of(wrong, tmp_path / "a", "built")
    ARRAY_EDITS["rows in another order"](wrong / "saved" / scene.run / "predictions.npy", random.Random(0))
    verdict = damages.judge(scene, Kind("nothing", "built", ("mlp",), harmless))[1]
    assert verdict.name == "WRONG"
    assert "another predictions:" in verdict.why


def test_a_kill_is_judged(reference: Path, tmp_path: Path) -> None:
    scene = scene_of(reference, tmp_path / "a", "built")
    found = kills.stopped_by(signal.SIGKILL)(scene, "gen_matrix")
    assert {verdict.name for verdict in found} <= {"same", "refused"}, found


@pytest.mark.parametrize(("status", "err", "verdict"), [
    (2, ONE_LINE, "refused"),
    (2, f"warning: beware\n{ONE_LINE}", "refused"),
    (2, "usage: mlp.py\nmlp.py: error: argument wechat_users.npy: no\n", "refused"),
    (2, "error: something is damaged\n", "UNNAMED"),
    (2, ONE_LINE + ONE_LINE, "UNNAMED"),
    (2, f"{ONE_LINE}and more\n", "UNNAMED"),
    (2, f"{ONE_LINE[:-1]}{'7' * 2000}\n", "UNNAMED"),
    (2, "", "UNNAMED"),
    (1, "", "OTHER STATUS"),
    (-11, "", "OTHER STATUS"),
    (2, f"Traceback (most recent call last):\n{ONE_LINE}", "TRACEBACK"),
    (0, "thread '<unnamed>' panicked at x.rs\n", "TRACEBACK"),
    (0, "", None),
])  # fmt: skip
def test_ends_are_judged(status: int, err: str, verdict: str | None) -> None:
    found = verdicts.of_end(Ran("mlp", [], status, "", err), ["wechat_users.npy"])
    assert (found and found.name) == verdict


@pytest.mark.parametrize(("err", "allowed", "verdict"), [
    ("", (), "WRONG"),
    ("warning: part 5 is missing\n", (), "WRONG"),
    ("warning: part 5 is missing\n", ("warned",), "warned"),
    ("warning: part 6 is missing\n", ("warned",), "WRONG"),
    ("", ("other data",), "other data"),
])  # fmt: skip
def test_another_result_is_right_only_where_it_is_allowed(err: str, allowed: tuple[str, ...], verdict: str) -> None:
    ran = [Ran("mlp", [], 0, "AUC=0.5", err)]
    assert verdicts.of_result({"line": "a"}, {"line": "b"}, ran, ["part 5"], allowed).name == verdict
    assert verdicts.of_result({"line": "a"}, {"line": "a"}, ran, ["part 5"], allowed).name == "same"


@pytest.mark.parametrize(("status", "err", "at_work", "verdict"), [
    (143, "stopped by SIGTERM; run the same command to go on\n", True, "same"),
    (143, "", True, "OTHER STATUS"),
    (-15, "", True, "OTHER STATUS"),
    (130, "stopped; run the same command to go on\n", True, "OTHER STATUS"),
    (-15, "", False, "same"),
    (1, "Traceback (most recent call last):\n", True, "TRACEBACK"),
    (0, "", True, "same"),
])  # fmt: skip
def test_ends_by_a_signal_are_judged(status: int, err: str, at_work: bool, verdict: str) -> None:
    assert kills.of_signal(Ran("mlp", [], status, "", err), signal.SIGTERM, at_work).name == verdict


def test_what_is_left_over_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts.of_files(tmp_path) is None
    (tmp_path / ".a.npy.host.1.part").touch()
    assert verdicts.of_files(tmp_path).name == "HALF-WRITTEN"
    monkeypatch.setattr(kills, "DYING", 0.05)
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    assert commands.left_over(process.pid) == [process.pid]
    assert kills.of_left_over(process.pid).name == "LEFT OVER"
    assert process.wait() == -signal.SIGKILL
    assert kills.of_left_over(process.pid).name == "same"


def test_cases_are_drawn_from_every_table() -> None:
    drawn = Counter(damages.kind_of(number, seed=3).name for number in range(1, 301))
    for share, kinds in damages.SHARES:
        assert sum(drawn[name] for name in {kind.name for kind in kinds}) == 3 * share
        assert sum(kind.name in drawn for kind in kinds) == min(3 * share, len(kinds))
    assert {kills.kind_of(number, seed=3) for number in range(1, 61)} == set(kills.KINDS)


def test_the_table_counts() -> None:
    outcomes = [campaign.Outcome(campaign.case(f"damage-{number}"), kind, "", Verdict(name))
                for number, (kind, name) in enumerate([("a", "same"), ("a", "WRONG"), ("b", "same")])]  # fmt: skip
    lines = [line.split() for line in campaign.table(outcomes).splitlines()]
    assert lines == [["cases", "same", "WRONG"], ["a", "2", "1", "1"], ["b", "1", "1"], ["all", "3", "2", "1"]]


def test_arrays_are_damaged(tmp_path: Path) -> None:
    for name, edit in ARRAY_EDITS.items():
        before = np.arange(12, dtype=np.float32).reshape(4, 3)
        np.save(tmp_path / "a.npy", before)
        edit(tmp_path / "a.npy", random.Random(1))
        after = np.load(tmp_path / "a.npy")
        assert after.dtype != before.dtype or not np.array_equal(after, before), name
