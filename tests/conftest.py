"""What several test modules share: the tiny sample, built once by the scripts themselves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from xdist.scheduler import LoadScopeScheduling

import sample_data
from browsers import CHROMIUM
from mma4ctr.settings import Settings
from mma4ctr.training.batches import Batches, batches_of_parts
from samples import ROOT, paths_file, run_steps
from small_problem import CPU, inputs_of

# A time limit for each example fails on a busy machine; timings live in benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
torch.set_num_threads(1)  # the suite runs in one process for each core


class ByFile(LoadScopeScheduling):
    """Hands whole files of tests to processes: what the tests of a file share is built once.

    The files of the report go to one process: UMAP is compiled in each that draws with it, which takes as long as ten
    tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "report" if "/report/" in file else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Let ``-n`` deal out files."""
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Start every test with one thread: UMAP raises their number, and sums then differ in the last bit."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the raw files of the tiny sample; treat it as read-only."""
    folder = tmp_path_factory.mktemp("tiny_raw")
    sample_data.main(["--scale", "tiny", "--out", str(folder)])
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Settings:
    """The tiny sample after steps 1 to 5, dense files included; treat it as read-only."""
    return run_steps(paths_file(tmp_path_factory.mktemp("tiny"), tiny_raw), dense=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small tmpfs cannot be mounted: that takes the rights of root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of two workers, each a process of its own, which import the project and `killed_workers`."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    soon = "5s"  # Dask knocks at the door of a dead worker for so long; 30 s by default
    with pytest.MonkeyPatch.context() as patch, dask.config.set({"distributed.comm.timeouts.connect": soon}):
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        patch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", soon)
        options = {"threads_per_worker": 1, "dashboard_address": ":0"}
        with distributed.LocalCluster(n_workers=2, resources={"GPU": 1}, **options) as local:  # to Dask just a name
            yield local.scheduler_address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine; Playwright's own is never downloaded."""
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def parts() -> dict[str, Batches]:
    """Scaled parts of a small problem that can be learnt."""
    return batches_of_parts(inputs_of(), "clean", CPU)


@pytest.fixture
def unlearnable() -> dict[str, Batches]:
    """Parts whose clicks follow nothing, so that validation keeps interrupting."""
    return batches_of_parts(inputs_of(signal=0.0), "clean", CPU)
