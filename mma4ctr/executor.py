"""Where a step's work is done: in this process, or on the workers of a Dask cluster.

A step asks for the same things of both: a function of each of many things, such as parts of files. What lies on the
workers of a cluster can stay there. Dask is imported only where an address of a scheduler is given.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from mma4ctr import cli

PART_BYTES = 256 * 2**20  # of a file at a time: seconds of work, and little memory
CONNECT_SECONDS = 20  # for the scheduler to answer, and for a first worker to be there
LARGE_GRAPH = "2 GiB"  # what many tasks share is sent once on purpose: Dask need not warn of its size


class LocalExecutor:
    """Do the work in this process, one thing after another; `part_bytes` is how much of a file to take at a time."""

    is_local: Literal[True] = True

    def __init__(self, part_bytes: int | None = None) -> None:
        self.part_bytes = part_bytes or PART_BYTES

    def map(self, function: Callable, things: Sequence, *shared: Any) -> Iterator:
        """Yield ``function(thing, *shared)`` of each thing in order, under a progress bar."""
        return (function(thing, *shared) for thing in cli.track(things))

    def share(self, function: Callable, *arguments: Any) -> Any:
        """Return ``function(*arguments)`` in a form that `map` takes among `shared`."""
        return function(*arguments)


class DaskExecutor:
    """Do the work on the workers of a Dask cluster; see `connected`.

    What is asked of it is what is asked of `LocalExecutor`. A task whose worker dies is run again on another one.
    """

    is_local: Literal[False] = False

    def __init__(self, client: Any, part_bytes: int | None = None) -> None:
        self.client, self.part_bytes = client, part_bytes or PART_BYTES

    def submit(self, function: Callable, things: Sequence, *shared: Any, **options: Any) -> list:
        """Start ``function(thing, *shared)`` for each thing; return futures, whose results stay on the workers.

        Things and shared arguments may be futures themselves. `options` are those of ``distributed.Client.submit``.
        """
        sent = [self.share(operator.itemgetter(0), [value]) if _is_large(value) else value for value in shared]
        return [self.client.submit(function, thing, *sent, pure=False, **options) for thing in things]

    def map(self, function: Callable, things: Sequence, *shared: Any) -> Iterator:
        """Yield ``function(thing, *shared)`` of each thing in order, under a progress bar."""
        futures = self.submit(function, things, *shared)[::-1]
        for _ in cli.track([function.__name__.replace("_", " ")] * len(futures)):
            yield result_of(futures.pop())  # popped, so that the worker may let go of it

    def share(self, function: Callable, *arguments: Any) -> Any:
        """Start ``function(*arguments)`` once; every worker that needs the result fetches it from another."""
        return self.client.submit(function, *arguments, pure=False)

    def workers(self) -> dict[str, dict]:
        """Return what the scheduler knows of each worker, by its address."""
        return self.client.scheduler_info(n_workers=-1)["workers"]

    def completed(
        self, function: Callable, things: Sequence, *shared: Any, **options: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Yield each thing with ``function(thing, *shared)``, or the `UserError` that it ended in, as they end.

        No more tasks are handed out than there is soon a worker for: Dask blames the death of a worker on everything
        that it was to do, and gives up a task after a few deaths.
        """
        from distributed import as_completed

        waiting, ends = iter(things), as_completed(loop=self.client.loop)
        running: dict[str, Any] = {}

        def hand_out() -> None:
            for thing in itertools.islice(waiting, max(1, 2 * len(self.workers()) - len(running))):
                (future,) = self.submit(function, [thing], *shared, **options)
                running[future.key] = thing
                ends.add(future)

        hand_out()
        for future in ends:
            thing = running.pop(future.key)
            try:
                yield thing, result_of(future)
            except cli.UserError as error:
                yield thing, error
            hand_out()


Executor = LocalExecutor | DaskExecutor


def _is_large(value: object) -> bool:
    return getattr(value, "nbytes", 0) > 2**16


def result_of(future: Any) -> Any:
    """Return the result of a task.

    Raises
    ------
    UserError
        The one that the function raised; or one that says why the cluster could not run it.
    """
    import distributed

    try:
        return future.result()
    except distributed.scheduler.KilledWorker as error:
        raise cli.UserError(
            f"a task ended {error.allowed_failures + 1} workers, perhaps for want of memory; give workers more of it, "
            "or start fewer on a machine, and give the same command again"
        ) from None
    except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError) as error:
        reason = str(error).partition("\n")[0]
        raise cli.UserError(f"the cluster was lost ({reason:.120}); start it and give the same command again") from None
    except ImportError as error:
        raise _without_project("worker", str(error)) from None
    except OSError as error:
        raise cli.UserError(
            f"{error.filename}: {error.strerror} on a worker; let every worker see the folders of path.json under "
            "the same names as this machine"
        ) from None


def _without_project(who: str, reason: str) -> cli.UserError:
    return cli.UserError(
        f"a {who} cannot import the project ({reason:.120}); start it where the requirements are installed, with the "
        f"project's folder on PYTHONPATH: PYTHONPATH=. dask {who} ..."
    )


def _connect(address: str) -> Any:
    """Return a client of the scheduler at `address` after checking that a worker can run the project's functions."""
    try:
        import distributed
    except ImportError as error:
        raise cli.UserError(
            f"--scheduler needs the package distributed ({error}); pip install -r requirements-cluster.txt"
        ) from None
    for logger in ("distributed", "distributed.client"):  # the two that Dask sets a level of by itself
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # what goes wrong reaches the user as one line
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise cli.UserError(
            f"--scheduler {address}: no Dask scheduler answers ({reason:.120}); start one with PYTHONPATH=. "
            "dask scheduler and give the address that it prints"
        ) from None
    return client


def _check_workers(client: Any, address: str) -> None:
    """Raise `UserError` unless there is a worker, and the scheduler and every worker can import the project.

    The scheduler reads the tasks before it hands them out, functions included.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise cli.UserError(
            f"--scheduler {address}: has no workers; start some with PYTHONPATH=. dask worker {address}"
        ) from None
    _check_import("scheduler", client.run_on_scheduler)
    _check_import("worker", client.run)


def _check_import(who: str, run: Callable) -> None:
    try:
        run(importlib.import_module, "mma4ctr.executor")
    except ImportError as error:
        raise _without_project(who, str(error)) from None


@contextlib.contextmanager
def connected(address: str | None, part_bytes: int | None = None) -> Iterator[Executor]:
    """Give what a step does its work with: this process, or the Dask cluster whose scheduler is at `address`.

    Parameters
    ----------
    address : str or None
        Such as ``tcp://10.0.0.1:8786``; None for this process.
    part_bytes : int, optional
        How much of a file is one task (default: `PART_BYTES`).

    Raises
    ------
    UserError
        If Dask is not installed, nothing answers, there are no workers, or it or they cannot import the project.
    """
    if address is None:
        yield LocalExecutor(part_bytes)
        return
    client = _connect(address)
    try:
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE_GRAPH}):
            _check_workers(client, address)
            yield DaskExecutor(client, part_bytes)
    finally:
        client.close()
