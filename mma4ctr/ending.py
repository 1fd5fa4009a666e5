"""How a script ends otherwise than with a result: in one line on stderr and a status of its own.

| status | what happened |
|---|---|
| 1 | whoever read the output has gone; or a mistake in the project, with its traceback |
| 2 | something that the user can mend: an argument, a file, a full disk, too little memory |
| 129, 130, 143 | SIGHUP, SIGINT (Ctrl-C), SIGTERM; see `mma4ctr.signals` |
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from types import TracebackType

from mma4ctr import signals

LEAST_ADDRESSES = 3.2e9  # bytes that the libraries reserve with two threads, far more than they use
ADDRESSES_OF_THREAD = 0.25e9  # bytes: its stacks and its part of the heap, in several libraries
NAMELESS = "a file, or the output of this command"  # an error that does not tell
MAKE_ROOM = "make room and run the same command again"
OTHER_FOLDER = "choose another folder in path.json"
# Number of an error -> what it is, and what to do.
REASONS = {
    errno.ENOSPC: ("no space left on the device", MAKE_ROOM),
    errno.EDQUOT: ("the disk quota is used up", MAKE_ROOM),
    errno.EROFS: ("the file system is read-only", OTHER_FOLDER),
    errno.EACCES: ("permission denied", f"give yourself the right to it, or {OTHER_FOLDER}"),
    errno.EPERM: ("permission denied", f"give yourself the right to it, or {OTHER_FOLDER}"),
    errno.EMFILE: ("too many open files in this process", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many open files on this machine", "end other programs"),
    errno.ELOOP: ("symbolic links lead in a circle", "mend the link"),
    errno.EIO: ("the device reports an error", "check the disk"),
}
NUMBER_IN_TEXT = re.compile(r"\(os error ([0-9]+)\)")  # how Polars tells the number of an error
WANT_OF_MEMORY = ("allocate memory", "memory allocation", "out of memory", "bad_alloc", "failed to map segment",
                  "failed to spawn", "can't start new thread")  # fmt: skip


def from_here(text: object) -> str:
    """Return a text with every path below the current folder written from there."""
    with contextlib.suppress(OSError):  # the folder may be gone
        here = os.getcwd()
        return str(text) if here == os.sep else str(text).replace(here + os.sep, "")
    return str(text)


def say(line: str) -> None:
    """Print a line on stderr; where that is full or closed, nobody can be told."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(from_here(line), file=sys.stderr, flush=True)


# ---- errors of the machine


def free_space(file: str) -> str:
    """Return how much room there is where a file would lie, in words."""
    folder = os.path.dirname(os.path.abspath(file))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    return f"{found.f_bavail * found.f_frsize / 1e3:,.0f} kB free in {folder}"


def number_of(error: OSError) -> int:
    """Return the number of an error, 0 where it has none."""
    found = NUMBER_IN_TEXT.search(str(error)) if error.errno is None else None
    return int(found[1]) if found else error.errno or 0


def _of_file(error: OSError) -> str:
    number, file = number_of(error), error.filename
    name = os.fsdecode(file) if isinstance(file, (str, bytes, os.PathLike)) else ""
    what, remedy = REASONS.get(number, (error.strerror or f"{error!s:.80}", "check the folders of path.json"))
    if name and number == errno.ENOSPC:
        what = f"{what} ({free_space(name)})"
    return f"{name or NAMELESS}: {what}; {remedy}"


def _of_memory(error: BaseException) -> str | None:
    text = str(error)
    if not isinstance(error, MemoryError) and not any(words in text.lower() for words in WANT_OF_MEMORY):
        return None
    reason = text.strip().partition("\n")[0] or "MemoryError"
    return (f"out of memory ({reason:.80}); end other programs, raise the limit (ulimit -v), or take a smaller "
            "--batch_size or fewer --jobs")  # fmt: skip


def line_of(error: BaseException) -> str | None:
    """Return what to tell of an error that the machine is the cause of; None for any other."""
    told = _of_memory(error)
    return _of_file(error) if told is None and isinstance(error, OSError) else told


def drop_output() -> None:
    """Let what cannot be printed on stdout go nowhere, so that Python does not fail over it in the end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end(error: BaseException) -> None:
    """End a script in one line if an error is a signal, or of the machine; return for any other."""
    if isinstance(error, signals.Stopped):
        signals.tell(error)
        raise SystemExit(error.status) from None
    line = line_of(error)
    if line is not None:
        drop_output()
        say(f"error: {line}")
        raise SystemExit(2) from None


# ---- while a script imports what it needs


def is_a_script() -> bool:
    """Tell whether this process, or the one that started it, runs one of the project's scripts."""
    project = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    name = sys.argv[0] if getattr(sys, "argv", None) else ""
    return bool(name) and os.path.dirname(os.path.realpath(name)) in (project, os.path.join(project, "baseline"))


def _want_of_addresses() -> str | None:
    """Return why the limit of this process's addresses is too small, None where it is not.

    Below it the libraries hang or abort while they are imported, where nothing more can be told.
    """
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    least = LEAST_ADDRESSES + ADDRESSES_OF_THREAD * max(0, (os.cpu_count() or 1) - 2)
    if limit == resource.RLIM_INFINITY or limit >= least:
        return None
    return (f"the limit of this process's addresses (ulimit -v) is {limit / 1e6:,.0f} MB, expected at least "
            f"{least / 1e6:,.0f} MB, of which little is used; raise it: ulimit -v unlimited")  # fmt: skip


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that nothing has caught: in one line where the machine is its cause."""
    line = line_of(error)
    if line is None:
        sys.__excepthook__(kind, error, trace)
        return
    say(f"error: {line}")
    os._exit(2)


def begin() -> None:
    """Ready the process of a script, from its first import on; a process of anybody else's is left as it is."""
    if not is_a_script():
        return
    signals.begin()
    sys.excepthook, told = _uncaught, _want_of_addresses()
    if told is not None:
        say(f"error: {told}")
        raise SystemExit(2)
