"""Locks by which processes that share folders keep out of one another's way.

Who writes something holds its lock alone; who reads holds it together with other readers. The kernel releases a lock
when its process ends, however it ends. The file of a lock says who took it last.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from mma4ctr.cli import UserError

PATIENCE = 10.0  # seconds that a process waits for another one before it gives up
PAUSE = 0.05  # seconds between two attempts
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # what a file system without locks answers
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def holder() -> str:
    """Return what a lock says of this process."""
    since = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    return f"{Path(sys.argv[0]).name}, process {os.getpid()} on {platform.node()}, since {since}"


def _opened(file: Path, *, alone: bool) -> int | None:
    """Return the descriptor of a lock's file; None where a reader may not write to its folder, as nobody else may."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if alone or error.errno not in READ_ONLY:
            raise
        return os.open(file, os.O_RDONLY) if file.exists() else None


def _take(descriptor: int, file: Path, *, alone: bool) -> bool:
    """Take a lock if nobody is in the way; on a file system without locks warn and go on."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(f"{file.parent}: its file system has no locks; run one process at a time there", stacklevel=2)
    return True


@contextlib.contextmanager
def lock(file: Path, what: str, *, alone: bool) -> Iterator[None]:
    """Hold the lock `file`, which stands for `what`.

    Parameters
    ----------
    file : Path
    what : str
        What the lock guards, for the message.
    alone : bool
        Whether nobody else may hold it, not even to read.

    Raises
    ------
    UserError
        If another process holds it for longer than `PATIENCE`.
    """
    descriptor = _opened(file, alone=alone)
    if descriptor is None:
        yield
        return
    try:
        end = time.monotonic() + PATIENCE
        while not _take(descriptor, file, alone=alone):
            if time.monotonic() > end:
                held = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "another process"
                raise UserError(f"{file}: {what} is in use by {held}; wait for its end and run the same command again")
            time.sleep(PAUSE)
        with contextlib.suppress(OSError):  # a reader may not write, a disk be full: the lock holds without a name
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading(things: Iterable[tuple[Path, str]]) -> Iterator[None]:
    """Hold the locks of several things, each a file and what it stands for, together with other readers."""
    with contextlib.ExitStack() as held:
        for file, what in things:
            held.enter_context(lock(file, what, alone=False))
        yield
