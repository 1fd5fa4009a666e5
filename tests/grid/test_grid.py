"""The experiment grid: what it plans, that one run serves every epoch count, and that a kill changes nothing."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import adjust_hyperparameter
import killed_workers
import mlp
import processes
from load_path import load_path
from mma4ctr import cli
from mma4ctr.evaluation.metrics import FIGURES
from mma4ctr.grid import plan
from mma4ctr.grid import pool as grid
from mma4ctr.grid.experiments import ADAPTIVE, EXPERIMENTS, PLAIN, VARIANTS, Point, Variant, points
from mma4ctr.grid.results import Results
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from samples import ROOT, paths_file

FIRST = VARIANTS[0]
SMALL = ("--dataset", "wechat", "--experiment", "single_modal", "--longest", "10")
SMALL += ("--protocol", "clean", "--reduction", "average_pooling", "--jobs", "2")


@pytest.fixture
def copy(tmp_path: Path, tiny: Settings, tiny_raw: Path) -> Path:
    """The path.json of a copy of the tiny sample after steps 1 to 5."""
    return copied(tmp_path / "one", tiny, tiny_raw)


def copied(folder: Path, tiny: Settings, tiny_raw: Path) -> Path:
    ignored = shutil.ignore_patterns("*_dense.npy", "saved", "torch_model")
    shutil.copytree(tiny.parent_folder, folder, ignore=ignored)
    return paths_file(folder, tiny_raw)


def test_the_plan_is_the_published_one() -> None:
    wanted = points(load_path(), ["wechat"], [FIRST], EXPERIMENTS, 1, 100)
    jobs = plan.jobs_of(wanted)
    assert len(jobs) == 35
    assert sum(job.last.epochs for job in jobs) == 2 * 100 + 33 * 30
    assert sorted(point for job in jobs for point in map(str, job.points)) == sorted(map(str, wanted))
    (long,) = (job for job in jobs if job.last.setting == PLAIN)
    assert {point.epochs for point in long.points} == set(range(5, 101, 5))
    schedule = long.schedule
    assert (schedule.epochs, schedule.eval_every, schedule.lr_change, schedule.interruption) == (100, 5, False, False)
    assert all(job.schedule.interruption for job in jobs if job.last.setting.interruption)


def test_what_takes_too_long_is_left_out() -> None:
    wanted = points(load_path(), ["wechat"], [FIRST], EXPERIMENTS, 2, 10)
    assert {point.epochs for point in wanted} == {5, 10}
    assert {point.seed for point in wanted} == {0, 1}


@pytest.mark.parametrize("options", [(), ("--lr_change", "False", "--no_interruption")], ids=["adaptive", "plain"])
def test_one_run_is_every_shorter_run_to_the_bit(copy: Path, options: tuple[str, ...]) -> None:
    """The rate of 0.5 makes some epochs fail validation, so that interruptions happen on the way."""
    common = ("--paths", str(copy), "--batch_size", "1024", "--learning_rate", "0.5", *options)
    (long,) = mlp.main([*common, "--epochs", "12", "--eval_every", "3"])
    folder = load_path(copy).saved_path
    history = json.loads((folder / long / "history.json").read_text())
    for epochs in (3, 6, 9):
        (short,) = mlp.main([*common, "--epochs", str(epochs)])
        found = json.loads((folder / short / "metrics.json").read_text())
        for name in ("predictions", "auc_replicates"):
            there, here = folder / short / f"{name}.npy", folder / long / f"{name}_{epochs}.npy"
            assert there.read_bytes() == here.read_bytes()
        assert [history[epochs - 1][f"test_{figure.name}"] for figure in FIGURES] == [
            found[figure.name] for figure in FIGURES
        ]
        assert history[epochs - 1]["interruptions"] == found["interruptions"]
    if not options:
        assert history[-1]["interruptions"] > 0


def test_a_longer_run_stands_in_for_a_shorter_one(copy: Path) -> None:
    paths = load_path(copy)
    plan.prepare(paths, plan.jobs_of([Point("wechat", FIRST, ADAPTIVE, 0, 4)]))
    (job,) = plan.jobs_of([Point("wechat", FIRST, ADAPTIVE, 0, epochs) for epochs in (2, 4)])
    run = job.do(paths)
    found = Results(paths)
    assert [found.find(Point("wechat", FIRST, ADAPTIVE, 0, epochs)).run for epochs in (2, 4)] == [run, run]
    for other in (
        Point("wechat", FIRST, ADAPTIVE, 0, 3),  # passed, but not tested
        Point("wechat", FIRST, ADAPTIVE, 0, 6),
        Point("wechat", FIRST, ADAPTIVE, 1, 4),
        Point("wechat", FIRST, PLAIN, 0, 4),
        Point("wechat", VARIANTS[1], ADAPTIVE, 0, 4),
        Point("tiktok_like", FIRST, ADAPTIVE, 0, 4),
    ):
        assert found.find(other) is None


def test_runs_on_earlier_artefacts_do_not_count(copy: Path, tiny_raw: Path) -> None:
    paths, point = load_path(copy), Point("wechat", VARIANTS[1], ADAPTIVE, 0, 2)
    (job,) = plan.jobs_of([point])
    job.do(paths)
    assert Results(paths).find(point) is not None
    changed = load_path(paths_file(copy.parent, tiny_raw, click_threshold=0.3))
    assert Results(changed).find(point) is None  # step 1 has not run with this threshold


def lines_of(file: Path) -> list[dict[str, str]]:
    with open(file.parent / "saved" / "results.csv", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert lines == sorted(lines, key=lambda line: [line[name] for name in runs.ORDER])
    return [{key: value for key, value in line.items() if not key.endswith("_seconds")} for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny: Settings, tiny_raw: Path) -> tuple[Path, str]:
    """The path.json of a grid that ran to its end, and what it printed."""
    file = copied(tmp_path_factory.mktemp("grid") / "one", tiny, tiny_raw)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        adjust_hyperparameter.main(["--paths", str(file), *SMALL])
    return file, printed.getvalue()


def test_a_finished_run_is_never_repeated(undisturbed: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    file, first = undisturbed
    assert "4 runs, 0 of them finished before" in first
    assert "4/4 wechat, " in first
    done = {metrics: metrics.stat().st_mtime_ns for metrics in file.parent.glob("saved/*/metrics.json")}
    adjust_hyperparameter.main(["--paths", str(file), *SMALL])
    assert "4 runs, 4 of them finished before" in capsys.readouterr().out
    assert done == {metrics: metrics.stat().st_mtime_ns for metrics in file.parent.glob("saved/*/metrics.json")}
    own = file.parent / "saved" / "settings" / "average_pooling_21"
    assert load_path(own / "path.json").user_reduction == "average_pooling"
    assert list((own / "user_all_embeddings").glob("*.npy"))


def test_settings_of_the_grid_follow_path_json(copy: Path) -> None:
    paths = load_path(copy)
    setting = dataclasses.replace(ADAPTIVE, user_embedding_length=0)
    jobs = plan.jobs_of([Point("wechat", FIRST, setting, 0, 1)])
    for seed in (3, 5):
        changed = dataclasses.replace(paths, seed=seed)
        plan.prepare(changed, jobs)
        own = load_path(jobs[0].last.settings(changed).file)
        assert (own.seed, own.user_reduction, own.user_embedding_length) == (seed, FIRST.reduction, 0)


def test_a_dry_run_writes_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(copy.parent.rglob("*"))
    adjust_hyperparameter.main(["--paths", str(copy), "--dry_run", "--seeds", "2"])
    assert sorted(copy.parent.rglob("*")) == before
    *listed, last = capsys.readouterr().out.splitlines()
    listed, sums = listed[: -len(EXPERIMENTS)], listed[-len(EXPERIMENTS) :]
    assert len(listed) == 2 * 3 * 4 * 35
    assert sums[0] == "epochs: 24 runs, 0 finished, 24 to do"
    assert [line.partition(":")[0] for line in sums] == list(EXPERIMENTS)
    assert last.startswith("840 runs, 0 of them finished; 840 to run, 28,560 epochs: about ")


def test_without_rows_nobody_knows_how_long_it_takes(
    tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = paths_file(tmp_path, tiny_raw)
    adjust_hyperparameter.main(["--paths", str(file), "--dry_run", "--dataset", "wechat", "--longest", "10"])
    *listed, last = capsys.readouterr().out.splitlines()
    assert listed[0].endswith("10 epochs: unknown (step 1 has not run)") and ": unknown (step 1 has not run) " in last


def started(file: Path) -> subprocess.Popen:
    """Start the grid, and return when one of its processes trains."""
    command = [sys.executable, "-u", "adjust_hyperparameter.py", "--paths", str(file), *SMALL]
    grid = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, processes.MARK: str(file)},
    )  # fmt: skip
    while not list(file.parent.glob("torch_model/*/checkpoint.pt")):
        assert grid.poll() is None, grid.communicate()
        time.sleep(0.01)
    return grid


@pytest.mark.slow
def test_a_killed_grid_goes_on_to_the_same_results(
    tmp_path: Path, undisturbed: tuple[Path, str], tiny: Settings, tiny_raw: Path
) -> None:
    one, two = undisturbed[0], copied(tmp_path / "two", tiny, tiny_raw)
    with started(two) as killed:
        time.sleep(random.Random().uniform(0, 0.5))
        killed.send_signal(signal.SIGKILL)
    assert not processes.left_of(str(two), seconds=2)
    adjust_hyperparameter.main(["--paths", str(two), *SMALL])
    assert lines_of(two) == lines_of(one)


@pytest.mark.slow
def test_a_ctrl_c_ends_the_grid_in_one_line(copy: Path) -> None:
    with started(copy) as stopped:
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does
        errors = stopped.communicate(timeout=30)[1]
    assert stopped.returncode == 130 and errors == "stopped by Ctrl-C; run the same command to go on\n"
    assert not processes.left_of(str(copy), seconds=0.5)
    assert not list(copy.parent.rglob("*.part"))


def test_what_cannot_run_is_told_and_the_rest_runs(copy: Path) -> None:
    paths = load_path(copy)
    variant = Variant("published", paths.user_reduction)
    impossible = dataclasses.replace(ADAPTIVE, feature="visual", user_embedding_length=0)
    bad, good = plan.jobs_of([Point("wechat", variant, setting, 0, 1) for setting in (impossible, ADAPTIVE)])
    found = dict(grid.run_all(paths, [bad, good], 1))
    assert isinstance(found[bad], cli.UserError) and "which only vat_concat takes" in str(found[bad])
    assert runs.is_finished(paths, found[good])


@pytest.mark.slow
def test_a_killed_process_ends_in_one_line(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = load_path(copy)
    jobs = plan.jobs_of([Point("wechat", VARIANTS[1], ADAPTIVE, seed, 1) for seed in range(2)])
    monkeypatch.setattr(grid, "train", killed_workers.end)
    with pytest.raises(cli.UserError, match="was killed"):
        list(grid.run_all(paths, jobs, 1))


def test_an_estimate_grows_with_the_epochs(copy: Path) -> None:
    paths = load_path(copy)
    short, long = (plan.jobs_of([Point("wechat", FIRST, ADAPTIVE, 0, n)])[0] for n in (10, 100))
    assert 0 < plan.estimate(paths, short) == pytest.approx(plan.estimate(paths, long) / 10)


def test_every_setting_differs_from_its_reference_in_one_thing() -> None:
    for experiment in EXPERIMENTS.values():
        reference = np.array(list(vars(experiment.reference[0]).values()), dtype=object)
        for setting in experiment.rows.values():
            changed = (np.array(list(vars(setting).values()), dtype=object) != reference).sum()
            assert changed <= (2 if "interruption" in experiment.title else 1)
