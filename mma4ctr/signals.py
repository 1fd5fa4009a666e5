"""Signals that end a process: Ctrl-C (SIGINT), SIGTERM, SIGHUP, and the end of the process that started this one.

Where work is done, within `raised_signals`, a signal is raised as `Stopped`, so that what is half-done is undone on the
way out. Before and after, a script ends at once. Every script imports this first: it imports little, and nothing slow.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
PATIENCE = 4.0  # seconds that work has to end after a signal
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux: what to be sent when the parent has ended
PARENT = "MMA4CTR_PARENT"  # in the environment: the process that starts this one to help it


class Stopped(KeyboardInterrupt):
    """A signal that ends the process, raised where it arrives."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.status = 128 + number  # the exit status that a shell shows for it

    def __str__(self) -> str:
        name = "Ctrl-C" if self.number == signal.SIGINT else signal.Signals(self.number).name
        return f"stopped by {name}; run the same command to go on"


class _Received:
    """What this process has been sent."""

    at = -math.inf  # when a signal was raised, by time.monotonic
    inside = 0  # how many `raised_signals` are open
    work = 0  # grows with each piece of work that may be interrupted
    told = False  # whether the user has read of it


def _raise(number: int, frame: FrameType | None) -> None:
    if time.monotonic() - _Received.at >= 0.9 * PATIENCE:  # others belong to an end that is under way
        _Received.at = time.monotonic()
        raise Stopped(number)


def _see_to(number: int, work: int, arrived: float) -> None:
    """See to it that work does end that a signal was to end some time ago.

    A library may have swallowed what was raised, which is then raised again; or the main thread is in a long call into
    a library, where Python raises nothing. Then nothing is undone: what is half-written is under a temporary name.
    """
    if _Received.inside and _Received.work == work:
        if _Received.at < arrived - PATIENCE:
            _stop_at_once(number, None)
        os.kill(os.getpid(), number)


def _watch(pipe: int, work: int) -> None:
    """Note, in a thread of its own, each signal that arrives during a piece of work; a later one it shall not end."""
    with open(pipe, "rb", buffering=0) as signals:
        while byte := signals.read(1):
            if byte[0] in SIGNALS:
                timer = threading.Timer(PATIENCE, _see_to, (byte[0], work, time.monotonic()))
                timer.daemon = True
                timer.start()


@contextlib.contextmanager
def _watched(work: int) -> Iterator[None]:
    """Let Python write the number of every signal that arrives, even during a call into a library, to who watches."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    threading.Thread(target=_watch, args=(reading, work), daemon=True).start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)  # which ends the thread


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    if not _Received.told:
        tell(Stopped(number))
    os._exit(128 + number)


def tell(stopped: Stopped) -> None:
    """Print once what stopped this process."""
    _Received.told = True
    with contextlib.suppress(OSError):
        os.write(2, f"{stopped}\n".encode())


@contextlib.contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `Stopped` within where a signal arrives that ends the process; in another than the main thread do nothing.

    Nobody is interrupted twice within a few seconds, so that what is half-done can be undone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _Received.inside:
        _Received.at, _Received.told, _Received.work = -math.inf, False, _Received.work + 1
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _Received.inside += 1
    try:
        with _watched(_Received.work) if _Received.inside == 1 else contextlib.nullcontext():
            _handle(_raise)
            yield
    finally:
        _Received.inside -= 1
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler) -> None:  # type: ignore[no-untyped-def]
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(number, handler)


def _say_nothing_of_stopped(given: sys.UnraisableHookArgs) -> None:
    """Pass over a signal that arrived where Python cannot raise it: it is sent again."""
    if not isinstance(given.exc_value, Stopped):
        sys.__unraisablehook__(given)


def begin() -> None:
    """Ready the process of a script, from its first import on, for signals and for the end of its parent."""
    if "--multiprocessing-fork" in sys.orig_argv:  # what multiprocessing starts a process with
        end_with_parent(int(os.environ.get(PARENT, os.getppid())))
        return
    sys.unraisablehook = _say_nothing_of_stopped
    _handle(_stop_at_once)
    # The last thing that is called: Python then gives handlers back, and a signal would undo the status of the script.
    atexit.register(_handle, signal.SIG_IGN)


# ---- processes that this one starts to help it


@contextlib.contextmanager
def starting_helpers() -> Iterator[None]:
    """Tell the processes that are started within whose they are, and spare them the Ctrl-C of a terminal.

    A terminal sends it to all processes; this one ends its helpers when it gets it.
    """
    os.environ[PARENT] = str(os.getpid())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        del os.environ[PARENT]


def end_with_parent(parent: int) -> None:
    """Let this process end when the one that started it does, whatever ended that; on Linux alone.

    The kernel sees to it, so that no long call into a library delays it.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it had ended before
        os._exit(1)
