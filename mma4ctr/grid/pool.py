"""Run the runs of the grid, several at a time, in processes of this machine or on a cluster."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import multiprocessing.process
import os
import threading
import time
from collections.abc import Generator, Sequence
from typing import Protocol

from tqdm import tqdm

from mma4ctr import cli, signals
from mma4ctr.executor import DaskExecutor
from mma4ctr.settings import Settings
from mma4ctr.training import threads as run_threads

SECONDS_TO_END = 2.0  # what a process of the grid gets to undo what is half-done


class Job(Protocol):
    """What can be run: a setting of an experiment, or a model of the package."""

    def do(self, settings: Settings) -> str:
        """Do the run on the device that is here and return its id; a `UserError` reaches the caller."""


End = tuple[Job, str | cli.UserError]  # a job, and its run's id or why it could not be run


def start_worker(threads: int) -> None:
    """Ready a process of the grid: its share of the threads, and no life after its parent."""
    run_threads.at_most(threads)
    # Instead of tqdm's own for several processes: a semaphore, of which Python warns where a process ends at once.
    tqdm.set_lock(threading.RLock())
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return
    signals.end_with_parent(parent.pid)
    threading.Thread(target=wait_for_end_of, args=(parent,), daemon=True).start()


def wait_for_end_of(parent: multiprocessing.process.BaseProcess) -> None:
    """End this process after its parent, where the kernel does not do it."""
    parent.join()
    os._exit(1)


def train(job: Job, settings: Settings) -> str:
    """Do a run and return its id: what a process or a worker is sent.

    A process of the grid that is told to end undoes what is half-done and takes no other run.
    """
    try:
        with signals.raised_signals():
            return job.do(settings)
    except signals.Stopped as stopped:
        os._exit(stopped.status)


def end_workers(workers: Sequence[multiprocessing.process.BaseProcess]) -> None:
    """End processes of the grid: by a signal that lets them undo what is half-done, then by force."""
    for worker in workers:
        worker.terminate()
    last = time.monotonic() + SECONDS_TO_END
    for worker in workers:
        worker.join(max(0.0, last - time.monotonic()))
        worker.kill()


def outcome(future: concurrent.futures.Future[str]) -> str | cli.UserError:
    """Return the run of a job that has ended, or the error that the user can mend."""
    try:
        return future.result()
    except cli.UserError as error:
        return error


def run_all(settings: Settings, jobs: Sequence[Job], processes: int) -> Generator[End, None, None]:
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
    others = multiprocessing.active_children()
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, start_worker, (threads,))
    try:
        with signals.starting_helpers():
            futures = {pool.submit(train, job, settings): job for job in jobs}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], outcome(future)
    except concurrent.futures.process.BrokenProcessPool:
        raise cli.UserError(
            "a process of the grid was killed, perhaps for want of memory; what is finished is kept: give the same "
            "command again, with a smaller --jobs if it happens twice"
        ) from None
    except BaseException:  # nobody wants the rest of the runs
        end_workers([child for child in multiprocessing.active_children() if child not in others])
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_on_cluster(settings: Settings, jobs: Sequence[Job], executor: DaskExecutor) -> Generator[End, None, None]:
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
