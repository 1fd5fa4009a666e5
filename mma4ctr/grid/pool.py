"""Run the runs of the grid, several at a time, in processes of this machine or on a cluster."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence

import torch

from mma4ctr import cli
from mma4ctr.executor import DaskExecutor
from mma4ctr.grid.plan import Job
from mma4ctr.settings import Settings

End = tuple[Job, str | cli.UserError]  # a job, and its run's id or why it could not be run


def start_worker(threads: int) -> None:
    """Ready a process of the grid: its share of the threads, no Ctrl-C of its own, and no life after its parent."""
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait for the end of the process that started this one, and end this one then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def train(job: Job, settings: Settings) -> str:
    """Do a run and return its id: what a process or a worker is sent."""
    return job.do(settings)


def outcome(future: concurrent.futures.Future[str]) -> str | cli.UserError:
    """Return the run of a job that has ended, or the error that the user can mend."""
    try:
        return future.result()
    except cli.UserError as error:
        return error


def run_all(settings: Settings, jobs: Sequence[Job], processes: int) -> Iterator[End]:
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
        futures = {pool.submit(train, job, settings): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], outcome(future)
    except concurrent.futures.process.BrokenProcessPool:
        raise cli.UserError(
            "a process of the grid was killed, perhaps for want of memory; what is finished is kept: give the same "
            "command again, with a smaller --jobs if it happens twice"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_on_cluster(settings: Settings, jobs: Sequence[Job], executor: DaskExecutor) -> Iterator[End]:
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
    yield from executor.completed(train, jobs, settings, resources={"GPU": 1} if has_gpus else {})
