"""Plan the runs of the experiment grid and run them, several at a time, each once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import io
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

import get_user_embedding
import mlp
from mma4ctr import cli
from mma4ctr import executor as cluster
from mma4ctr.data.registry import TASKS
from mma4ctr.grid.experiments import Point
from mma4ctr.models import mma4ctr as model
from mma4ctr.runs.find import Results, schedule_of, settings_of_embedding
from mma4ctr.settings import KEYS, Settings
from mma4ctr.store import artifacts

TRAINING_SHARE = 0.8  # of a task's rows
TIMED_SECONDS = 0.05  # how long a training step is timed for an estimate


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of mlp.py: the figures that it is for, all of one setting, task, variant and seed."""

    points: tuple[Point, ...]
    arguments: tuple[str, ...]

    @property
    def last(self) -> Point:
        """The figure after the most epochs."""
        return max(self.points, key=lambda point: point.epochs)

    def __str__(self) -> str:
        point = self.last
        default = type(point.setting)()
        changed = [f"{name}={value}" for name, value in dataclasses.asdict(point.setting).items()
                   if value != getattr(default, name) and name != "feature"]  # fmt: skip
        words = [point.task, point.setting.feature, str(point.variant), *changed, f"seed={point.seed}"]
        return ", ".join([*words, f"{point.epochs} epochs"])


def arguments_of(settings: Settings, config: Mapping[str, object]) -> tuple[str, ...]:
    """Return the options of mlp.py for a run with this configuration (see `runs.Run.config`)."""
    file = settings_of_embedding(settings, config["reduction"], config["user_embedding_length"]).file.resolve()
    options = {
        "--paths": file, "--dataset": config["task"], "--feature": config["feature"],
        "--protocol": config["protocol"], "--epochs": config["epochs"], "--eval_every": config["eval_every"],
        "--learning_rate": f"{config['learning_rate']:g}", "--batch_size": config["batch_size"],
        "--lr_change": config["lr_change"], "--loss": config["loss"], "--patience": config["patience"],
        "--seed": config["seed"],
    }  # fmt: skip
    given = [str(word) for option in options.items() for word in option if option[1] is not None]
    return (*given, *(() if config["interruption"] else ("--no_interruption",)))


def config_of(points: Sequence[Point]) -> dict[str, object]:
    """Return the configuration of one run that serves all `points`, which differ in their epochs alone."""
    point = max(points, key=lambda point: point.epochs)
    every = math.gcd(*(point.epochs for point in points))
    return {
        "task": point.task, **dataclasses.asdict(point.variant), **dataclasses.asdict(point.setting),
        **dataclasses.asdict(schedule_of(point)), "eval_every": every if every < point.epochs else None,
    }  # fmt: skip


def jobs_of(settings: Settings, points: Sequence[Point]) -> list[Job]:
    """Return one run for all figures that differ in their epochs alone."""
    groups: dict[Point, list[Point]] = {}
    for point in points:
        groups.setdefault(dataclasses.replace(point, epochs=0), []).append(point)
    return [Job(tuple(group), arguments_of(settings, config_of(group))) for group in groups.values()]


def unfinished(results: Results, jobs: Sequence[Job]) -> list[Job]:
    """Return the runs that no finished run stands in for."""
    return [job for job in jobs if any(results.trajectory(point) is None for point in job.points)]


def write_settings(settings: Settings) -> None:
    """Write the path.json of settings that differ from the user's, with the folders as they resolve."""
    values = {key: getattr(settings, key) for key in KEYS}
    content = {key: str(value) if isinstance(value, os.PathLike) else value for key, value in values.items()}
    artifacts.write_json(settings.file, {**content, "min_interactions": dict(settings.min_interactions)})


def prepare(settings: Settings, jobs: Sequence[Job]) -> None:
    """Build the user embeddings that the runs need and that are not there yet, in folders of their own."""
    needed = dict.fromkeys(
        (point.variant, point.setting.user_embedding_length, TASKS[point.task].dataset)
        for point in (job.last for job in jobs)
    )
    for variant, length, dataset in needed:
        own = settings_of_embedding(settings, variant.reduction, length)
        if own is not settings:
            write_settings(own)
        if length > 0:
            with contextlib.redirect_stdout(io.StringIO()):
                options = ["--paths", str(own.file), "--dataset", dataset, "--protocol", variant.protocol]
                get_user_embedding.main(options)


@functools.cache
def seconds_of_step(batch_size: int) -> float:
    """Time a training step on rows of noise, 194 wide, where mlp.py would run it."""
    device = mlp.device_of("auto")
    network = model.MLP(194).to(device)
    optimiser = torch.optim.Adam(network.parameters(), foreach=True)
    batch = torch.rand(batch_size, 194, device=device)
    clicks = (batch[:, 0] > 0.5).float()
    steps, started = -1, time.perf_counter()
    while steps < 1 or time.perf_counter() - started < TIMED_SECONDS:
        loss = model.LOSSES["batch_softmax"](network(batch), clicks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # waits for the device
        steps += 1
        if steps == 0:
            started = time.perf_counter()  # the first step warms up
    return (time.perf_counter() - started) / steps


def estimate(settings: Settings, job: Job) -> float:
    """Return about how many seconds a run will take on a machine that does nothing else."""
    point = job.last
    file = artifacts.path(settings, "rows", task=point.task, protocol=point.variant.protocol)
    rows = int(TRAINING_SHARE * (len(np.load(file, mmap_mode="r", allow_pickle=False)) if file.exists() else 0))
    steps = math.ceil(rows / point.setting.batch_size)
    return point.epochs * steps * seconds_of_step(min(point.setting.batch_size, max(rows, 1)))


def start_worker(threads: int) -> None:
    """Ready a process of the grid: its share of the threads, no Ctrl-C of its own, and no life after its parent."""
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def train(arguments: Sequence[str]) -> str:
    """Run mlp.py in silence and return the id of its run; a `UserError` reaches the caller."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        (run,) = mlp.main.__wrapped__(arguments)
    return run


def outcome(future: concurrent.futures.Future[str]) -> str | cli.UserError:
    """Return the run of a job that has ended, or the error that the user can mend."""
    try:
        return future.result()
    except cli.UserError as error:
        return error


def run_all(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, str | cli.UserError]]:
    """Run the jobs in `processes` processes that share the machine's threads; yield each as it ends.

    Yields
    ------
    Job
    str or UserError
        The run's id, or why it could not be run.

    Raises
    ------
    UserError
        If a process was killed from outside.
    """
    threads = max(1, (os.cpu_count() or 1) // processes)
    context = multiprocessing.get_context("spawn")  # a forked process inherits threads of PyTorch that do not run
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, start_worker, (threads,))
    try:
        futures = {pool.submit(train, job.arguments): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], outcome(future)
    except concurrent.futures.process.BrokenProcessPool:
        raise cli.UserError(
            "a process of the grid was killed, perhaps for want of memory; what is finished is kept: give the same "
            "command again, with a smaller --jobs if it happens twice"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_on_cluster(jobs: Sequence[Job], executor: cluster.DaskExecutor) -> Iterator[tuple[Job, str | cli.UserError]]:
    """Run the jobs on the workers of a cluster, one at a time on each; yield each as it ends, as `run_all` does.

    Where any worker offers a resource ``GPU``, every run takes one. A run whose worker died is run again on another,
    from its last finished epoch.

    Raises
    ------
    UserError
        If a worker would run several at a time.
    """
    workers = executor.workers()
    for address, worker in workers.items():
        if worker["nthreads"] > 1:
            raise cli.UserError(
                f"the worker {address} has {worker['nthreads']} threads, expected 1, since a process trains one model "
                "at a time; start it with --nthreads 1 (and more of them with --nworkers)"
            )
    has_gpus = any("GPU" in worker["resources"] for worker in workers.values())
    by_arguments = {job.arguments: job for job in jobs}
    for arguments, result in executor.completed(train, list(by_arguments), resources={"GPU": 1} if has_gpus else {}):
        yield by_arguments[arguments], result
