"""What a user of a Dask cluster can get wrong ends in one line."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import adjust_hyperparameter
import preprocess_inter
import preprocess_multimodal
from load_path import load_path
from mma4ctr import executor as cluster
from mma4ctr.cli import UserError
from mma4ctr.grid import pool as grid
from mma4ctr.settings import Settings
from samples import paths_file

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")


def error_of(capsys: pytest.CaptureFixture[str], main, *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.parametrize("address_of", [lambda: f"tcp://127.0.0.1:{free_port()}", lambda: "nonsense://here"])
def test_no_scheduler(
    address_of, tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    line = error_of(capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler",
                    address_of())  # fmt: skip
    assert line.startswith("error: --scheduler ") and "no Dask scheduler answers" in line


def test_dask_is_not_installed(
    tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    line = error_of(
        capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler", "tcp://x:1"
    )
    assert "requirements-cluster.txt" in line


def test_workers_that_cannot_help(
    tmp_path: Path, tiny_raw: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No workers at all; then one that does not have the project on its path."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    options = ("--paths", paths_file(tmp_path, tiny_raw), "--scheduler")
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as empty:
        assert "has no workers" in error_of(capsys, preprocess_inter.main, *options, empty.scheduler_address)
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address, "--nthreads", "1",
                   "--no-nanny", "--no-dashboard"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
            monkeypatch.setattr(cluster, "CONNECT_SECONDS", 20)
            line = error_of(capsys, preprocess_inter.main, *options, empty.scheduler_address)
            worker.terminate()
    assert "cannot import the project" in line and "PYTHONPATH=." in line


def test_a_scheduler_that_cannot_help(
    tmp_path: Path, tiny_raw: Path, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without the project on its path could not read the tasks."""

    def without_project(self, function, *arguments: object) -> None:
        raise ModuleNotFoundError("No module named 'mma4ctr'")

    monkeypatch.setattr(distributed.Client, "run_on_scheduler", without_project)
    line = error_of(capsys, preprocess_inter.main, "--paths", paths_file(tmp_path, tiny_raw), "--scheduler", address)
    assert "a scheduler cannot import the project" in line and "PYTHONPATH=. dask scheduler" in line


def test_an_error_on_a_worker_names_file_and_line(
    tmp_path: Path, tiny_raw: Path, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PART_BYTES", 30_000)
    raw = tmp_path / "raw"
    shutil.copytree(tiny_raw, raw)
    options = ("--paths", paths_file(tmp_path, raw), "--dataset", "tiktok")
    preprocess_inter.main([str(option) for option in options])
    items = np.load(load_path(options[1]).graph_path / "tiktok_items.npy")
    for name, main in (("track1_audio_features_part2", preprocess_multimodal.main),
                       ("final_track1_train", preprocess_inter.main)):  # fmt: skip
        broken = next(raw.rglob(f"{name}.txt"))
        lines = broken.read_text().splitlines()
        number = next(number for number, line in enumerate(lines) if number > len(lines) // 2 and is_read(line, items))
        lines[number] = lines[number].replace("item_id", "item").replace("\t", "x\t", 1)
        broken.write_text("\n".join(lines) + "\n")
        capsys.readouterr()
        here = error_of(capsys, main, *options, "--force")
        there = error_of(capsys, main, *options, "--force", "--scheduler", address)
        assert here == there and f"{broken}:{number + 1}: " in here


def is_read(line: str, items: np.ndarray) -> bool:
    """Tell whether a line is of the interactions, or of the features of a kept item."""
    found = re.search(r'"item_id": ?(\d+)', line)
    return found is None or int(found[1]) in items


def test_jobs_are_for_one_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        adjust_hyperparameter.main(["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"])
    assert "--scheduler: not allowed with argument --jobs" in capsys.readouterr().err


def test_workers_of_the_grid_have_one_thread(tiny: Settings) -> None:
    class TwoThreads:
        workers = staticmethod(lambda: {"tcp://a:1": {"nthreads": 2, "resources": {}}})

    with pytest.raises(UserError, match="--nthreads 1"):
        next(grid.run_on_cluster(tiny, [], TwoThreads()))
