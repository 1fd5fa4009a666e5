"""Who writes keeps others away, readers do not, and a lock ends with its process, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlp
import preprocess_inter
from bad_input import SCRIPTS, refusal
from load_path import load_path
from mma4ctr.cli import UserError
from mma4ctr.runs import folder as runs
from mma4ctr.runs.run import native
from mma4ctr.schedule import Schedule
from mma4ctr.store import disk, locks, records
from samples import ROOT

HOLD = """
import sys, time
from pathlib import Path
from mma4ctr.store import locks
sys.argv[0] = "holder.py"
with locks.lock(Path(sys.argv[1]), "it", alone=sys.argv[2] == "alone"):
    print("held", flush=True)
    time.sleep(600)
"""
HALF_WRITTEN = """
import sys, time
from pathlib import Path
from mma4ctr.store import disk
with disk.replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.1)


class Process:
    """Another process that holds something until it is killed."""

    def __init__(self, code: str, *words: object) -> None:
        command = [sys.executable, "-c", code, *map(str, words)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "held\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def other() -> Iterator[list[Process]]:
    """Processes to be killed at the end of a test."""
    started: list[Process] = []
    yield started
    for process in started:
        process.kill()


@pytest.mark.parametrize(("theirs", "ours"), [("alone", True), ("alone", False), ("shared", True), ("shared", False)])
def test_readers_share_and_writers_do_not(tmp_path: Path, other: list[Process], theirs: str, ours: bool) -> None:
    file = tmp_path / "records" / "thing.lock"
    other.append(Process(HOLD, file, theirs))
    if (theirs, ours) == ("shared", False):
        with locks.lock(file, "a thing", alone=ours):
            pass
        return
    held = r"thing\.lock: a thing is in use by holder\.py, process \d+ on "
    with pytest.raises(UserError, match=held) as told, locks.lock(file, "a thing", alone=ours):
        pass
    assert f"process {other[0].process.pid} on" in str(told.value)
    other[0].kill()
    with locks.lock(file, "a thing", alone=ours):  # the kernel has released it
        pass


def test_a_folder_that_may_not_be_written_to_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)  # root may write everywhere
    with locks.lock(tmp_path / "thing.lock", "a thing", alone=False):
        pass
    with pytest.raises(PermissionError), locks.lock(tmp_path / "thing.lock", "a thing", alone=True):
        pass


# What is held -> what cannot run meanwhile.
HELD = {
    "bipartite_graph/records/preprocess_inter_wechat.lock": SCRIPTS,
    "matrix/records/cross_matrix_wechat.lock": ("cross_matrix.py", "mlp.py"),
}


@pytest.mark.parametrize("held", HELD)
def test_steps_and_runs_keep_away_from_what_is_being_written(
    built: Path, held: str, other: list[Process], capfd: pytest.CaptureFixture
) -> None:
    other.append(Process(HOLD, built.parent / held, "alone"))
    for script, main in SCRIPTS.items():
        if script in ("preprocess_multimodal.py", "gen_matrix.py"):
            continue  # wechat's features do not depend on the log
        force = [] if script == "mlp.py" else ["--force"]
        words = ["--paths", str(built), "--dataset", "wechat", *force]
        if script in HELD[held] and not (script == "cross_matrix.py" and "inter" in held):
            assert "is in use by holder.py" in refusal(capfd, main, words)
        else:
            main(words)
    assert not list(built.parent.glob("saved/*/metrics.json"))


def test_a_step_waits_for_readers(built: Path, other: list[Process], capfd: pytest.CaptureFixture) -> None:
    record = built.parent / "bipartite_graph" / "records" / "preprocess_inter_wechat.json"
    other.append(Process(HOLD, record.with_suffix(".lock"), "shared"))
    before, to = record.read_bytes(), ["--paths", str(built), "--dataset", "wechat"]
    assert "is in use by holder.py" in refusal(capfd, preprocess_inter.main, [*to, "--force"])
    assert record.read_bytes() == before
    mlp.main([*to, "--epochs", "1", "--device", "cpu"])  # reads with others


def test_a_run_is_done_by_one_process(built: Path, other: list[Process], capfd: pytest.CaptureFixture) -> None:
    words = ["--paths", str(built), "--dataset", "wechat", "--epochs", "1", "--device", "cpu"]
    (run,) = mlp.main(words)
    settings = load_path(built)
    (runs.folder_of(settings, run) / runs.METRICS).unlink()
    other.append(Process(HOLD, runs.checkpoint_of(settings, run).with_name("run.lock"), "alone"))
    assert f"run {run} is in use by holder.py" in refusal(capfd, mlp.main, words)


def test_a_run_is_not_kept_when_a_step_has_built_something_else_since_it_was_described(built: Path) -> None:
    run = native(load_path(built), "wechat", "vat_concat", "published", Schedule(epochs=1), "cpu")
    content = built.read_text().replace('"min_interactions"', '"click_threshold": 0.3, "min_interactions"')
    built.write_text(content)
    preprocess_inter.main(["--paths", str(built), "--dataset", "wechat"])
    with pytest.raises(UserError, match=r"built with click_threshold 0\.3|has built something else"), run.reading():
        pass
    changed = native_after_step_3(built)
    with changed.reading():
        pass


def native_after_step_3(built: Path):
    """Return the run on the artefacts as they are now."""
    SCRIPTS["get_user_embedding.py"](["--paths", str(built), "--dataset", "wechat"])
    return native(load_path(built), "wechat", "vat_concat", "published", Schedule(epochs=1), "cpu")


def test_the_locks_of_a_run_are_those_of_all_that_it_builds_on(built: Path) -> None:
    settings = load_path(built)
    ancestors = records.ancestors(settings, "get_user_embedding.py", "wechat").values()
    found = records.below(settings, [record.reference for record in ancestors])
    assert {file.name for file in found} == {"preprocess_inter_wechat.json", "preprocess_multimodal_wechat.json"}


def test_a_killed_processs_temporary_file_is_removed_by_the_next_run_of_the_step(
    built: Path, other: list[Process]
) -> None:
    """That of a living one stays, as another step may be at work in the same folder."""
    target = built.parent / "bipartite_graph" / "statistics" / "wechat_actions.json"
    other += [Process(HALF_WRITTEN, target) for _ in range(2)]
    dead, living = other
    dead.process.send_signal(signal.SIGKILL)
    dead.process.wait()
    assert len(list(target.parent.glob(".*.part"))) == 2
    preprocess_inter.main(["--paths", str(built), "--dataset", "tiktok", "--force"])
    (left,) = target.parent.glob(".*.part")
    assert f".{living.process.pid}.part" in left.name
    living.kill()
    disk.remove_abandoned(built.parent)
    assert not list(built.parent.rglob("*.part"))
