"""Several processes that train one model do what one process does.

Asserted, with two processes that talk over gloo: the raw gradient of a batch whose rows are dealt out unevenly, 20
steps, validation, and a whole run of mlp.py under torchrun that loses a process on the way.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing
from hypothesis import given
from hypothesis import strategies as st

import adjust_hyperparameter
import mlp
from bad_input import refusal
from mma4ctr.models.contract import Batch
from mma4ctr.models.layers import initialise
from mma4ctr.models.losses import LOSSES
from mma4ctr.models.mma4ctr import MMa4CTR
from mma4ctr.runs import folder as runs
from mma4ctr.settings import Settings
from mma4ctr.store import disk
from mma4ctr.training import data_parallel
from mma4ctr.training.batches import batches_of_parts
from mma4ctr.training.data_parallel import DataParallel
from mma4ctr.training.engine import Engine
from mma4ctr.training.trainer import Trainer
from samples import ROOT, own_runs
from small_problem import CPU, changed, inputs_of, new_model

BATCHES = (300, 7, 1)  # with one row, the second process has none
# How close gradients are, relative to their norm. In float32 those of a single process are no closer to the true ones.
CLOSE = {torch.float64: 1e-12, torch.float32: 3e-6}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def join(rank: int, processes: int, port: int, folder: Path) -> None:
    """Be one of the processes: compute what the tests compare, and let the first one keep it."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank),
                   "WORLD_SIZE": str(processes)}  # fmt: skip
    engine = DataParallel(CPU)
    found = {
        f"{loss} {rows} {dtype}": gradient(engine, loss, rows, dtype)
        for loss in LOSSES for rows in BATCHES for dtype in CLOSE
    }  # fmt: skip
    for loss in LOSSES:
        trainer = train(engine, loss)
        found[f"{loss} weights"] = [parameter.detach() for parameter in trainer.model.parameters()]
        found[f"{loss} history"] = trainer.progress.history
    found["some gradients"] = some_gradients(rank)
    engine.close()
    found["threads"] = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]
    torch.save(found, folder / f"{rank}.pt")


def some_gradients(rank: int) -> list[torch.Tensor | None]:
    """Sum the gradients of three layers, which both processes used, the first one alone, and nobody."""
    model = torch.nn.ModuleList(torch.nn.Linear(2, 1, bias=False) for _ in range(3))
    for layer in model[: 2 - rank]:
        layer(torch.tensor([[1.0, 2.0]]) * (rank + 1)).sum().backward()
    data_parallel.sum_gradients(model)
    return [layer.weight.grad for layer in model]


def first_batch(rows: int, dtype: torch.dtype) -> tuple[MMa4CTR, Batch, torch.Tensor]:
    """Return a model and a batch of `rows` rows with a click at least."""
    model = new_model()
    initialise(model, 5, 0, None)
    batch, clicks = batches_of_parts(inputs_of(), "clean", CPU)["training"].take(torch.arange(rows))
    return (
        model.to(dtype),
        Batch(content=batch.content.to(dtype)),
        clicks.index_fill(0, torch.tensor([0]), 1.0).to(dtype),
    )


def gradient(engine: DataParallel, loss: str, rows: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Return the loss and the raw gradient of one batch, its rows dealt out."""
    model, batch, clicks = first_batch(rows, dtype)
    mine = slice(engine.rank, None, engine.processes)
    value = data_parallel.BACKWARD[loss](model(Batch(content=batch.content[mine])), clicks[mine], rows)
    data_parallel.sum_gradients(model)
    return [value, *(parameter.grad for parameter in model.parameters())]


def train(engine: Engine, loss: str) -> Trainer:
    """Train 20 steps: 4 epochs of 4 batches of 64 and one of 44 rows."""
    parts = batches_of_parts(inputs_of(), "clean", CPU)
    trainer = Trainer(new_model(), parts, changed(loss=loss, learning_rate=0.005), None, engine)
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What each of two processes computed."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(join, (2, free_port(), folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", BATCHES)
@pytest.mark.parametrize("dtype", CLOSE)
def test_the_gradient_of_a_batch_is_that_of_one_process(
    found: list[dict], loss: str, rows: int, dtype: torch.dtype
) -> None:
    model, batch, clicks = first_batch(rows, dtype)
    value = LOSSES[loss](model(batch), clicks)
    value.backward()
    expected = torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()])
    for one in found:
        loss_there, *gradients = one[f"{loss} {rows} {dtype}"]
        together = torch.cat([gradient.reshape(-1) for gradient in gradients])
        assert torch.linalg.norm(together - expected) <= CLOSE[dtype] * torch.linalg.norm(expected) + 1e-15
        assert float(loss_there) == pytest.approx(value.item(), rel=1e-6, abs=1e-7)


def test_a_parameter_without_a_gradient_is_no_error(found: list[dict]) -> None:
    for one in found:
        both, first, nobody = one["some gradients"]
        assert both.tolist() == [[3.0, 6.0]] and first.tolist() == [[1.0, 2.0]] and nobody is None


@pytest.mark.parametrize("loss", LOSSES)
def test_twenty_steps_are_those_of_one_process(found: list[dict], loss: str) -> None:
    trainer = train(Engine(), loss)
    for one in found:
        for here, there in zip(trainer.model.parameters(), one[f"{loss} weights"], strict=True):
            torch.testing.assert_close(here.detach(), there, atol=2e-5, rtol=1e-3)
        for entry, expected in zip(one[f"{loss} history"], trainer.progress.history, strict=True):
            for name in ("train_loss", "valid_loss", "valid_auc", "valid_logloss"):
                assert entry[name] == pytest.approx(expected[name], rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_all_processes_hold_the_same_bytes(found: list[dict], loss: str) -> None:
    first, *others = [[weight.numpy().tobytes() for weight in one[f"{loss} weights"]] for one in found]
    assert all(other == first for other in others)


def test_no_thread_of_the_group_outlives_it(found: list[dict]) -> None:
    """One that drops a tensor while Python ends would abort the process."""
    assert not [name for one in found for name in one["threads"] if "gloo" in name]


TORCHRUN = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(("name", "value"), [
    ("RANK", None), ("RANK", "2"), ("RANK", "x"), ("LOCAL_RANK", "-1"), ("WORLD_SIZE", ""), ("WORLD_SIZE", "9" * 5000),
    ("MASTER_PORT", "65536"), ("MASTER_PORT", None), ("MASTER_ADDR", None),
])  # fmt: skip
def test_what_torchrun_sets_is_checked(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path
) -> None:
    for key, text in {**TORCHRUN, name: value}.items():
        monkeypatch.delenv(key, raising=False) if text is None else monkeypatch.setenv(key, text)
    (tmp_path / "path.json").write_text("{}")
    line = refusal(capfd, mlp.main, ["--paths", str(tmp_path / "path.json"), "--device", "cpu"])
    assert name in line and "torchrun" in line and len(line) < 300


def test_the_grid_is_not_started_by_torchrun(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tiny: Settings
) -> None:
    for key, text in TORCHRUN.items():
        monkeypatch.setenv(key, text)
    assert "--jobs" in refusal(capfd, adjust_hyperparameter.main, ["--paths", str(tiny.file)])


def test_a_lone_process_takes_no_notice_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "x")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not data_parallel.is_launched() and data_parallel.device_number() == 0


@given(rows=st.integers(1, 60), size=st.integers(1, 20), processes=st.integers(1, 20))
def test_rows_are_dealt_out_batch_by_batch(rows: int, size: int, processes: int) -> None:
    """The shares of each batch are its rows, and every process has as many batches."""
    processes = min(processes, size)
    order = torch.from_numpy(np.random.default_rng(rows).permutation(rows))
    dealt = [
        [
            batch
            for places, share in data_parallel.share_of(order, size, rank, processes)
            for batch in places.split(share)
        ]
        for rank in range(processes)
    ]
    batches = order.split(size)
    assert {len(shares) for shares in dealt} == {len(batches)}
    for shares, batch in zip(zip(*dealt, strict=True), batches, strict=True):
        assert sorted(torch.cat(shares).tolist()) == sorted(batch.tolist())


# ------------------------------------------------------------------ under torchrun

OPTIONS = ("--feature", "visual", "--epochs", "30", "--batch_size", "256", "--eval_every", "15")


def torchrun(file: Path, *more: str) -> subprocess.Popen:
    """Start mlp.py in two processes; after a restart they must not meet through what is left of the first start."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               *more, "mlp.py", "--paths", str(file), *OPTIONS]  # fmt: skip
    environment = {**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def single(tiny: Settings) -> dict:
    """What one process finds."""
    (run,) = mlp.main(["--paths", str(tiny.file), *OPTIONS])
    return {**runs.read_metrics(tiny, run), "history": history_of(tiny, run)}


def history_of(paths: Settings, run: str) -> list[dict]:
    """Return the history of a run."""
    return disk.read_json(runs.folder_of(paths, run) / "history.json", disk.Known("mlp.py"))


def assert_found(paths: Settings, single: dict) -> None:
    """Assert that a run left what the single process found, and nothing else."""
    (file,) = [file for file in paths.saved_path.glob("*/metrics.json") if "epochs_run" in file.read_text()]
    found = disk.read_json(file, disk.Known("mlp.py"))
    assert found["run"] == single["run"]
    for name in ("auc", "logloss", "gauc", "average_precision"):
        assert found[name] == pytest.approx(single[name], rel=2e-3)
    history = history_of(paths, found["run"])
    assert [entry["epoch"] for entry in history] == list(range(1, 31))
    for here, there in zip(history, single["history"], strict=True):
        assert here["train_loss"] == pytest.approx(there["train_loss"], rel=2e-3)
    assert not list(paths.saved_path.rglob("*.part"))


@pytest.mark.slow
def test_a_killed_process_costs_the_epoch_not_the_result(tiny: Settings, single: dict, tmp_path: Path) -> None:
    file = own_runs(tiny, tmp_path).file
    started = torchrun(file, "--max-restarts", "1")
    while not list(tmp_path.glob("torch_model/*/checkpoint.pt")):
        assert started.poll() is None, started.communicate()[1]
        time.sleep(0.01)
    workers = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 0, errors
    assert output.count("AUC=") == 1  # the first process alone prints
    assert_found(mlp.load_path(file), single)
